/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mean of many histograms: their compensated sum, divided at the end, or, from the first addition on that would make a number of
 * it infinite, a running mean. (avg and avg_over_time.)
 */
#ifndef TSDB_HISTOGRAM_AVERAGE_H
#define TSDB_HISTOGRAM_AVERAGE_H

#include "lib/tsdb/histogram_sum.h"

/* Zero-initialise it, histogram_average_fini it. Fields are private. */
struct histogram_average {
	struct histogram_sum sum; /* or the mean */
	struct histogram_sum part;
	double n;
	double largest; /* no number in the sum is larger */
	bool is_running;
};

void histogram_average_fini(struct histogram_average *a);
void histogram_average_reset(struct histogram_average *a); /* of none again; memory is kept */

/* Flags or -EINVAL as histogram_sum_add; the first one sets the hint. After -EINVAL there is no mean. */
int histogram_average_add(struct histogram_average *a, const struct float_histogram *h);

/* Adds those that are in `later`, of which nothing is left. Flags or -EINVAL as above. */
int histogram_average_merge(struct histogram_average *a, struct histogram_average *later);

/* Of at least one. Borrowed until the next change, and to be changed by the histogram_sum functions; not compacted. */
struct histogram_sum *histogram_average_get(struct histogram_average *a);

#endif
