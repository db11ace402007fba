/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a histogram that is being computed: buckets in memory that grows, and, where sums are compensated, what rounding took
 * of each. Zero-initialise it, bucket_side_fini it.
 */
#ifndef TSDB_BUCKET_SIDE_H
#define TSDB_BUCKET_SIDE_H

#include "lib/tsdb/bucket_cursor.h"

struct bucket_side {
	struct histogram_span *spans;
	double *counts;
	double *lost; /* as many as counts, in the same memory; NULL: not compensated */
	uint32_t n_spans, n;
	uint32_t span_room, room; /* private */
};

void bucket_side_fini(struct bucket_side *s);

/* Becomes a copy of these, without compensation; memory is kept. */
void bucket_side_set(struct bucket_side *s, const struct histogram_span *spans, uint32_t n_spans,
	const double *counts, uint32_t n);

void bucket_side_compensate(struct bucket_side *s); /* from here on; nothing is lost so far */
void bucket_side_settle(struct bucket_side *s);     /* adds what was lost, and stops compensating */

struct bucket_cursor bucket_side_cursor(const struct bucket_side *s);

/*
 * Adds `sign` (1 or -1) times the cursor's buckets, but for those at its beginning whose numbers are below `first`. Buckets that were
 * missing appear. Memory is taken only for these.
 */
void bucket_side_add(struct bucket_side *s, struct bucket_cursor other, int32_t first, double sign);

/* Merges buckets as a cursor does that has this shift. */
void bucket_side_reduce(struct bucket_side *s, int shift);

/* Drops empty buckets, and spans that aren't needed. */
void bucket_side_compact(struct bucket_side *s);

#endif
