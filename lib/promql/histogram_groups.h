/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which series belong to one histogram: those whose labels are the same but for `le` are the buckets of a classic one, and the series with
 * just these labels may be a native one. Whether a series has floats or histograms is known only once its samples are read, so each
 * that has a bound may turn out to be either: it is a bucket of one group and all of another.
 */
#ifndef PROMQL_HISTOGRAM_GROUPS_H
#define PROMQL_HISTOGRAM_GROUPS_H

#include "lib/tsdb/label_set.h"

#define HISTOGRAM_NO_ROW SIZE_MAX

struct histogram_bound {
	double bound;
	size_t row;
};

struct histogram_group {
	struct label_set labels;
	size_t native;                   /* the row with these labels; HISTOGRAM_NO_ROW: none */
	struct histogram_bound *buckets; /* by rising bounds */
	size_t n_buckets;
};

/* In the order of their first rows: those with buckets or whose row has no bound, n_first of them, then the others. */
struct histogram_groups {
	struct histogram_group *groups;
	size_t n, n_first;
};

/* All in the arena. */
struct histogram_groups histogram_groups_of(struct arena *a, const struct label_set *rows, size_t n);

#endif
