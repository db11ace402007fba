/* SPDX-License-Identifier: Apache-2.0 */
/* What a histogram's zero bucket would hold if it were wider. */
#ifndef TSDB_HISTOGRAM_ZERO_H
#define TSDB_HISTOGRAM_ZERO_H

#include "lib/tsdb/bucket_cursor.h"
#include "lib/tsdb/float_histogram.h"

struct histogram_zero {
	double threshold, count;
	double lost; /* of count by rounding */
};

/*
 * The zero bucket with this threshold, at least h's own, or with the next larger one that doesn't lie inside of a populated bucket.
 * The buckets it takes in are counted to it, with what rounding took of them where that is known (else NULL), and of the zero count.
 */
struct histogram_zero histogram_zero_widened(const struct float_histogram *h, const double *positive_lost,
	const double *negative_lost, double threshold, double zero_lost);

/*
 * The least number that the cursor's buckets outside of a zero bucket with this threshold have, in this schema, to which it must
 * reduce them; INT32_MIN where it has none inside.
 */
int32_t histogram_zero_first_outside(int32_t schema, double threshold, struct bucket_cursor c);

#endif
