/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms that are being computed: where float_histogram values are added up, subtracted, scaled and cut in memory that is kept
 * from one to the next (Prometheus' model/histogram/float_histogram.go has the rules).
 *
 *	struct histogram_sum s = { 0 };
 *	histogram_sum_set(&s, first);
 *	int noted = histogram_sum_add_exactly(&s, second);	-EINVAL, or what there is to tell
 *	histogram_sum_settle(&s);
 *	histogram_sum_compact(&s);
 *	struct float_histogram *result = float_histogram_copy(&s.value);
 *	histogram_sum_fini(&s);
 */
#ifndef TSDB_HISTOGRAM_SUM_H
#define TSDB_HISTOGRAM_SUM_H

#include "lib/tsdb/bucket_side.h"
#include "lib/tsdb/float_histogram.h"

/* What an addition or a subtraction had to reconcile; flags. */
#define HISTOGRAM_RESETS_COLLIDED   1 /* one is known to be a reset, the other known not to be */
#define HISTOGRAM_BOUNDS_RECONCILED 2 /* the result has the custom bounds that both had */

/* Zero-initialise it, histogram_sum_fini it. */
struct histogram_sum {
	struct float_histogram value; /* read it; its arrays are the sum's own until the next change */

	/* Private: */
	struct bucket_side positive, negative;
	double *custom;
	uint32_t custom_room;
	bool is_compensated;
	double zero_lost, count_lost, sum_lost;
};

void histogram_sum_fini(struct histogram_sum *s);

/* Becomes a copy of h. */
void histogram_sum_set(struct histogram_sum *s, const struct float_histogram *h);
void histogram_sum_copy(struct histogram_sum *to, const struct histogram_sum *from); /* with what was lost */

/*
 * Adds or subtracts. Schema and zero threshold become the coarser ones of both, custom bounds those that both have; the reset hint
 * stays, or becomes a gauge's or unknown. Buckets may be empty afterwards: compact. Returns flags, or -EINVAL with the sum as it was
 * where one has exponential and the other custom buckets. Whoever means "-" as an operator sets the hint to RESET_GAUGE afterwards.
 */
int histogram_sum_add(struct histogram_sum *s, const struct float_histogram *h);
int histogram_sum_sub(struct histogram_sum *s, const struct float_histogram *h);

/*
 * Adds, and remembers what rounding takes (see kahan.h) until histogram_sum_settle, before which `value` lacks it. Between them only
 * multiplication, division, compaction and this.
 */
int histogram_sum_add_exactly(struct histogram_sum *s, const struct float_histogram *h);
void histogram_sum_settle(struct histogram_sum *s);

/* By a negative number: a gauge. Division by 0 leaves no buckets. */
void histogram_sum_mul(struct histogram_sum *s, double factor);
void histogram_sum_div(struct histogram_sum *s, double by);

/* Drops empty buckets and joins spans, so that equal histograms have equal arrays. */
void histogram_sum_compact(struct histogram_sum *s);

/* To a lower schema; of exponential buckets only. */
void histogram_sum_reduce(struct histogram_sum *s, int32_t schema);

/*
 * Keeps the observations below `at`, or else those above: of a bucket in which it lies a share, interpolated. Count and sum are estimated
 * anew where something was cut off. (The operators </ and >/.)
 */
void histogram_sum_trim(struct histogram_sum *s, double at, bool keeps_below);

/* Whether any number in it is infinite. */
bool histogram_sum_has_overflow(const struct histogram_sum *s);

#endif
