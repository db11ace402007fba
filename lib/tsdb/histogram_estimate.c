/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram_estimate.h"

#include "lib/base/kahan.h"

/* Rounds as Go's math.Log2, so that estimates have upstream's digits. */
static double log2_of_size(double v)
{
	int exponent;
	double fraction = frexp(fabs(v), &exponent);
	return fraction == 0.5 ? exponent - 1 : log(fraction) * M_LOG2E + exponent;
}

/*
 * 2^v, rounded as Go's math.Exp2, for the same reason: fdlibm's exp (e_exp.c) on what lies between v and the nearest whole number.
 */
static double exp2_of(double v)
{
	static const double p[] = { 1.66666666666666657415e-01, -2.77777777770155933842e-03,
		6.61375632143793436117e-05, -1.65339022054652515390e-06, 4.13813679705723846039e-08 };
	if (!(fabs(v) < 1000))
		return exp2(v);
	int whole = (int)(v > 0 ? v + 0.5 : v < 0 ? v - 0.5 : 0);
	double part = v - whole, high = part * 6.93147180369123816490e-01,
	       low = -part * 1.90821492927058770002e-10;
	double r = high - low, t = r * r;
	double c = r - t * (p[0] + t * (p[1] + t * (p[2] + t * (p[3] + t * p[4]))));
	return ldexp(1 - ((low - (r * c) / (2 - c)) - high), whole);
}

double histogram_bucket_share(const struct histogram_bucket *b, double v, bool is_linear)
{
	if (is_linear)
		return (v - b->lower) / (b->upper - b->lower);
	double lower = log2_of_size(b->lower), upper = log2_of_size(b->upper), at = log2_of_size(v);
	if (v > 0)
		return (at - lower) / (upper - lower);
	return 1 - (at - upper) / (lower - upper);
}

/* The zero bucket ends at 0 on a side on which there are no buckets, if there are on the other. */
static void narrow_zero(const struct float_histogram *h, struct histogram_bucket *b)
{
	if (!h->n_negative && h->n_positive)
		b->lower = 0;
	else if (!h->n_positive && h->n_negative)
		b->upper = 0;
}

static double interpolate(const struct float_histogram *h, const struct histogram_bucket *b, double share)
{
	if (float_histogram_is_custom(h) || (b->lower <= 0 && b->upper >= 0))
		return b->lower + (b->upper - b->lower) * share;
	double lower = log2_of_size(b->lower), upper = log2_of_size(b->upper);
	if (b->lower > 0)
		return exp2_of(lower + (upper - lower) * share);
	return -exp2_of(upper + (lower - upper) * (1 - share));
}

double histogram_quantile(const struct float_histogram *h, double q, enum histogram_nan_note *note)
{
	*note = NAN_NONE;
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	if (h->count == 0 || isnan(q))
		return NAN;

	/* NaN observations are in the count but in no bucket, so from above one doesn't know where one is. */
	bool may_have_nans = isnan(h->sum), ascends = may_have_nans || q < 0.5;
	double rank = (ascends ? q : 1 - q) * h->count, count = 0;
	struct bucket_walk w = bucket_walk_of(h, !ascends), stop;
	bool has_bucket = false;
	while (bucket_walk_next(&w)) {
		stop = w;
		has_bucket = true;
		if (w.count == 0)
			continue;
		count += w.count;
		if (count >= rank)
			break;
	}
	/* Without any bucket: one of nothing at 0. */
	struct histogram_bucket b = has_bucket ? bucket_walk_at(&stop) : (struct histogram_bucket){ 0 };
	if (float_histogram_is_custom(h)) {
		if (b.lower == -INFINITY) {
			if (b.upper <= 0)
				return b.upper;
			b.lower = 0;
		} else if (b.upper == INFINITY) {
			return b.lower;
		}
	} else if (b.lower < 0 && b.upper > 0) {
		narrow_zero(h, &b);
	}
	if (count > h->count)
		count = h->count; /* buckets that were computed may add up to more */
	if (count < rank) {
		*note = may_have_nans ? NAN_RESULT : NAN_NONE;
		return may_have_nans ? NAN : b.upper;
	}
	rank = ascends ? rank - (count - b.count) : count - rank;
	if (may_have_nans) {
		/* As upstream, which reads on for the count and interpolates in the bucket where that ends. */
		while (bucket_walk_next(&w)) {
			b = bucket_walk_at(&w);
			count += b.count;
		}
		if (count < h->count)
			*note = NAN_SKEW;
	}
	return interpolate(h, &b, rank / b.count);
}

/* Where a value stands among all observations, once that is known. */
struct place {
	double value, rank;
	bool is_known;
};

static void find_place(struct place *p, const struct float_histogram *h, const struct histogram_bucket *b,
	bool is_zero, double before)
{
	if (p->is_known)
		return;
	bool is_linear = is_zero || float_histogram_is_custom(h);
	if (b->lower >= p->value)
		p->rank = before;
	else if (!(b->upper > p->value))
		return;
	else if (is_linear && b->lower == -INFINITY)
		p->rank = b->count; /* nothing can be said of a bucket without an end */
	else
		p->rank = before + b->count * histogram_bucket_share(b, p->value, is_linear);
	p->is_known = true;
}

double histogram_fraction(
	const struct float_histogram *h, double lower, double upper, enum histogram_nan_note *note)
{
	*note = NAN_NONE;
	if (h->count == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	struct place from = { .value = lower }, to = { .value = upper };
	double rank = 0, count = 0;
	struct bucket_walk w = bucket_walk_of(h, false);
	while (bucket_walk_next(&w)) {
		struct histogram_bucket b = bucket_walk_at(&w);
		count += b.count;
		bool is_zero = b.lower <= 0 && b.upper >= 0;
		if (is_zero)
			narrow_zero(h, &b);
		find_place(&from, h, &b, is_zero, rank);
		find_place(&to, h, &b, is_zero, rank);
		if (from.is_known && to.is_known)
			break;
		rank += b.count;
	}
	if (isnan(h->sum)) {
		while (bucket_walk_next(&w))
			count += w.count;
		if (count < h->count)
			*note = NAN_LEFT_OUT;
	} else {
		count = h->count;
	}
	if (!from.is_known || from.rank > count)
		from.rank = count;
	if (!to.is_known || to.rank > count)
		to.rank = count;
	return (to.rank - from.rank) / h->count;
}

double histogram_variance(const struct float_histogram *h)
{
	double mean = h->sum / h->count, variance = 0, lost = 0;
	struct bucket_walk w = bucket_walk_of(h, false);
	while (bucket_walk_next(&w)) {
		if (w.count == 0)
			continue;
		struct histogram_bucket b = bucket_walk_at(&w);
		double middle;
		if (float_histogram_is_custom(h))
			middle = (b.upper + b.lower) / 2;
		else if (b.lower <= 0 && b.upper >= 0)
			middle = 0;
		else
			middle = b.upper < 0 ? -sqrt(b.upper * b.lower) : sqrt(b.upper * b.lower);
		double delta = middle - mean;
		kahan_add(&variance, &lost, b.count * delta * delta);
	}
	return (variance + lost) / h->count;
}
