/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each metric's chunks lie in the segments of a merged block. Series are written in label order, the name first, so
 * that the chunks of one metric are one run in every segment that has any: what a query that reads one of them is likely to
 * read next. A small local file beside the index; a block without it is read as well, only not ahead.
 */
#ifndef DEDUP_METRIC_RUNS_H
#define DEDUP_METRIC_RUNS_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRIC_RUNS_MAX (1u << 20) /* a block with more gets none */
#define METRIC_NAMELESS UINT32_MAX /* the number of the name of series without one */

/* What is written down while series come in label order: at most one run a metric and segment. */
struct metric_runs_writer {
	VEC(struct noted_segment) segments;
	VEC(struct noted_run) runs;
	bool is_full;
};

/* The run that a segment is in. */
struct noted_segment {
	uint32_t metric, first; /* its name's symbol, and its lowest offset so far */
	uint32_t series;        /* that begin in it; 0: the segment has no run yet */
};

struct noted_run {
	uint32_t segment, metric, first, series;
};

void metric_runs_writer_fini(struct metric_runs_writer *w);

/* The slow way of the next one: the segment's first chunk of a metric. */
void metric_runs_start(struct metric_runs_writer *w, uint32_t segment, uint32_t metric, uint32_t offset);

/* The metric, named by a symbol's number, has a chunk at this offset of a segment; the first one of its series? */
static inline void metric_runs_note(
	struct metric_runs_writer *w, uint32_t segment, uint32_t metric, uint32_t offset, bool is_first)
{
	if (segment < w->segments.len) {
		struct noted_segment *s = &w->segments.data[segment];
		if (s->series && s->metric == metric) {
			s->first = MIN_OF(s->first, offset);
			s->series += is_first;
			return;
		}
	}
	metric_runs_start(w, segment, metric, offset);
}

/* Writes `path`, once the index that has the symbols is written. No file where there were too many runs. */
int metric_runs_write(struct metric_runs_writer *w, const char *index_path, const char *path, struct err *e);

struct metric_run {
	uint64_t metric; /* hash of its name: the same in every block */
	uint32_t segment;
	uint32_t series;   /* in it, about; never 0 */
	uint64_t from, to; /* offsets; to is UINT64_MAX where it goes to the segment's end */
};

struct metric_runs;

/* -EBADMSG: damaged. */
int metric_runs_open(const char *path, struct metric_runs **out, struct err *e);
void metric_runs_close(struct metric_runs *r); /* NULL is fine */
DEFINE_AUTO(metric_runs, struct metric_runs *, metric_runs_close)

/* The run that this offset is in; false: it comes before the segment's first chunk. */
bool metric_runs_at(const struct metric_runs *r, uint32_t segment, uint64_t offset, struct metric_run *out);

/* The metric's k-th run (from 0), by segment; false: there are no more. */
bool metric_runs_of(const struct metric_runs *r, uint64_t metric, size_t k, struct metric_run *out);

/* The hash of a name. */
uint64_t metric_runs_hash(const char *name, size_t len);

#endif
