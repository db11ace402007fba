/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replica deduplication as a question of times alone: which replica's sample stands where in the output.
 * Values and encodings don't matter here but for one bit a sample, whether it is a stale marker. doc/dedup.md
 * has the rules.
 */
#ifndef DEDUP_TIMELINE_H
#define DEDUP_TIMELINE_H

#include "dedup/source.h"
#include "lib/base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMELINE_LIMIT ((int64_t)1 << 60) /* times lie within +- this */

enum {
	TIMELINE_STALE = 1, /* a stale marker */
	TIMELINE_FIRST =
		2, /* the first of its chunk: its distance from the one before says nothing of the interval */
};

/* One replica's samples. */
struct timeline {
	const int64_t *t;     /* ms, strictly rising */
	const uint8_t *flags; /* TIMELINE_ bits */
	size_t n;
};

struct pick {
	int64_t t;
	uint32_t line, index;
};

struct picks {
	struct pick *data;
	size_t len, cap;
};

/* Scratch of a merge, kept from one to the next. Zero-initialise it, timeline_scratch_fini it. */
struct timeline_scratch {
	struct picks a, b, markers;
	VEC(int64_t) deltas;
};
void timeline_scratch_fini(struct timeline_scratch *s);

/*
 * Merges `lines`, best first, into `out`: strictly rising times, from <= t < to. `left` and `right` are
 * samples known to stand in the output before and after all that the lines hold in the range (INT64_MIN,
 * INT64_MAX: unknown).
 */
void timeline_merge(enum dedup_func func, const struct timeline *lines, size_t n, int64_t from, int64_t to,
	int64_t left, int64_t right, struct timeline_scratch *scratch, struct picks *out);

#endif
