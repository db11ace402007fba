/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram_zero.h"

#include "lib/tsdb/bucket_bound.h"

/* Counts the buckets of one side that begin below the threshold, and moves it to the end of a populated one that it cuts. */
static void take_in(struct histogram_zero *z, int32_t schema, struct bucket_cursor c)
{
	while (bucket_cursor_next(&c)) {
		if (bucket_bound(schema, c.number - 1) >= z->threshold)
			return;
		kahan_add(&z->count, &z->lost, c.count);
		if (c.lost)
			kahan_add(&z->count, &z->lost, c.count_lost);
		double end = bucket_bound(schema, c.number);
		if (end > z->threshold) {
			if (c.count != 0)
				z->threshold = end;
			return;
		}
	}
}

struct histogram_zero histogram_zero_widened(const struct float_histogram *h, const double *positive_lost,
	const double *negative_lost, double threshold, double zero_lost)
{
	struct bucket_cursor positive = { .spans = h->positive_spans,
		.n_spans = h->n_positive_spans,
		.counts = h->positive,
		.lost = positive_lost };
	struct bucket_cursor negative = { .spans = h->negative_spans,
		.n_spans = h->n_negative_spans,
		.counts = h->negative,
		.lost = negative_lost };
	for (;;) {
		struct histogram_zero z = { threshold, h->zero_count, zero_lost };
		if (threshold == h->zero_threshold)
			return z;
		take_in(&z, h->schema, positive);
		threshold = z.threshold;
		take_in(&z, h->schema, negative);
		if (!(z.threshold > threshold))
			return z;
		threshold = z.threshold; /* the positive buckets must be looked at again */
	}
}

int32_t histogram_zero_first_outside(int32_t schema, double threshold, struct bucket_cursor c)
{
	int32_t first = INT32_MIN;
	for (; bucket_cursor_seek(&c); c.next++, c.left--) {
		int32_t number = bucket_cursor_target(&c);
		if (!(bucket_bound(schema, number) <= threshold))
			break;
		first = number + 1;
	}
	return first;
}
