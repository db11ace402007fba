/* SPDX-License-Identifier: Apache-2.0 */
/* What there is the most of in a source, as Prometheus' /status/tsdb says it of its head (tsdb/index/postings.go: Stats). */
#ifndef TSDB_SOURCE_STATS_H
#define TSDB_SOURCE_STATS_H

#include "lib/base/arena.h"
#include "lib/tsdb/label_set.h"

#include <stddef.h>
#include <stdint.h>

struct source_stat {
	struct text name;
	uint64_t value;
};

/* The largest values first, of equal ones the one that was offered first. */
struct source_top {
	struct source_stat *list; /* room for `most` + 1 */
	size_t n, most;
};

struct source_stats {
	uint64_t series, label_pairs, chunks;
	int64_t min_time, max_time; /* ms, both inclusive; min_time > max_time: there is nothing */
	struct source_top series_by_metric, values_by_name, bytes_by_name, series_by_pair;
};

/* Nothing yet; tables of at most `most` lines in the arena. */
void source_stats_init(struct source_stats *s, size_t most, struct arena *a);

/* Keeps the line if it is one of the `most`; false: it isn't, and the name is not referred to. */
bool source_top_takes(const struct source_top *t, uint64_t value);
void source_top_add(struct source_top *t, struct text name, uint64_t value);

#endif
