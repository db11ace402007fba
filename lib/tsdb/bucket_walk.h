/* SPDX-License-Identifier: Apache-2.0 */
/* The buckets of a histogram in the order of what they hold: negative, zero, positive, or the other way. */
#ifndef TSDB_BUCKET_WALK_H
#define TSDB_BUCKET_WALK_H

#include "lib/tsdb/float_histogram.h"

struct histogram_bucket {
	double lower, upper;
	bool has_lower, has_upper; /* whether these are in it */
	double count;
};

/* The bucket of this number on one side, as wide as its schema has it. */
struct histogram_bucket histogram_bucket_of(
	const struct float_histogram *h, bool is_negative, int32_t number, double count);

struct bucket_walk {
	/* Of the bucket it stands on: */
	double count;
	bool is_zero, is_negative;

	/* Private: */
	const struct float_histogram *h;
	bool descends;

	enum { WALK_FIRST_SIDE, WALK_ZERO, WALK_SECOND_SIDE, WALK_OVER } place;
	int64_t number;
	uint32_t span, left, next; /* left in the span, index of the next count */
	bool is_side_begun;
};

/* Borrows h. */
struct bucket_walk bucket_walk_of(const struct float_histogram *h, bool descends);

/* To the next bucket, empty ones too, but for the zero bucket. False behind the last. */
bool bucket_walk_next(struct bucket_walk *w);

/* The bucket it stands on. Those next to zero end where the zero bucket does. */
struct histogram_bucket bucket_walk_at(const struct bucket_walk *w);

#endif
