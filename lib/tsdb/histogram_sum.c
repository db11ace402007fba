/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two sides are bucket_sides; `value` is pointed at them anew after each change (expose). Before two histograms are added their
 * zero buckets are made to reach equally far, which moves whole buckets into them, then their schemas are made equal.
 */
#include "lib/tsdb/histogram_sum.h"

#include "lib/tsdb/bucket_bound.h"
#include "lib/tsdb/custom_bounds.h"
#include "lib/tsdb/histogram_zero.h"

#include <errno.h>

static void expose(struct histogram_sum *s)
{
	struct float_histogram *v = &s->value;
	v->positive_spans = s->positive.spans;
	v->n_positive_spans = s->positive.n_spans;
	v->positive = s->positive.counts;
	v->n_positive = s->positive.n;
	v->negative_spans = s->negative.spans;
	v->n_negative_spans = s->negative.n_spans;
	v->negative = s->negative.counts;
	v->n_negative = s->negative.n;
	v->custom = s->custom;
}

void histogram_sum_fini(struct histogram_sum *s)
{
	bucket_side_fini(&s->positive);
	bucket_side_fini(&s->negative);
	free(s->custom);
	*s = (struct histogram_sum){ 0 };
}

void histogram_sum_set(struct histogram_sum *s, const struct float_histogram *h)
{
	bucket_side_set(&s->positive, h->positive_spans, h->n_positive_spans, h->positive, h->n_positive);
	bucket_side_set(&s->negative, h->negative_spans, h->n_negative_spans, h->negative, h->n_negative);
	if (h->n_custom > s->custom_room) {
		s->custom_room = h->n_custom;
		s->custom = xreallocarray(s->custom, h->n_custom, sizeof *s->custom);
	}
	if (h->n_custom)
		memcpy(s->custom, h->custom, h->n_custom * sizeof *h->custom);
	s->is_compensated = false;
	s->value = *h;
	expose(s);
}

/* Nothing is lost so far. */
static void compensate(struct histogram_sum *s)
{
	if (s->is_compensated)
		return;
	s->is_compensated = true;
	s->zero_lost = s->count_lost = s->sum_lost = 0;
	bucket_side_compensate(&s->positive);
	bucket_side_compensate(&s->negative);
	expose(s);
}

void histogram_sum_copy(struct histogram_sum *to, const struct histogram_sum *from)
{
	histogram_sum_set(to, &from->value);
	if (!from->is_compensated)
		return;
	compensate(to);
	to->zero_lost = from->zero_lost;
	to->count_lost = from->count_lost;
	to->sum_lost = from->sum_lost;
	memcpy(to->positive.lost, from->positive.lost, from->positive.n * sizeof *from->positive.lost);
	memcpy(to->negative.lost, from->negative.lost, from->negative.n * sizeof *from->negative.lost);
}

/* What the sum is known to be after h went into it; returns whether they contradict each other. */
static bool join_hints(struct histogram_sum *s, const struct float_histogram *h)
{
	enum reset_hint *own = &s->value.reset_hint, other = h->reset_hint;
	if (other == *own || *own == RESET_GAUGE)
		return false;
	if (other == RESET_GAUGE) {
		*own = RESET_GAUGE;
		return false;
	}
	bool contradict = *own != RESET_UNKNOWN && other != RESET_UNKNOWN;
	*own = RESET_UNKNOWN;
	return contradict;
}

static void reduce(struct histogram_sum *s, int32_t schema)
{
	int shift = s->value.schema - schema;
	bucket_side_reduce(&s->positive, shift);
	bucket_side_reduce(&s->negative, shift);
	s->value.schema = schema;
}

/* Empties the buckets that the zero bucket has taken in. */
static void clear_within_zero(const struct histogram_sum *s, struct bucket_side *side)
{
	struct bucket_cursor c = bucket_side_cursor(side);
	for (uint32_t i = 0; bucket_cursor_next(&c) &&
			     bucket_bound(s->value.schema, c.number - 1) < s->value.zero_threshold;
		i++) {
		side->counts[i] = 0;
		if (side->lost)
			side->lost[i] = 0;
	}
}

/*
 * Widens the sum's zero bucket, and h's in thought, until both end at the same place, which lies inside of no populated bucket.
 * Returns what h's holds then.
 */
static struct histogram_zero join_zeros(struct histogram_sum *s, const struct float_histogram *h)
{
	struct histogram_zero other = { h->zero_threshold, h->zero_count, 0 };
	while (other.threshold != s->value.zero_threshold) {
		if (s->value.zero_threshold > other.threshold)
			other = histogram_zero_widened(h, NULL, NULL, s->value.zero_threshold, 0);
		if (other.threshold > s->value.zero_threshold) {
			struct histogram_zero own = histogram_zero_widened(
				&s->value, s->positive.lost, s->negative.lost, other.threshold, s->zero_lost);
			s->value.zero_threshold = own.threshold;
			s->value.zero_count = own.count;
			s->zero_lost = own.lost;
			clear_within_zero(s, &s->positive);
			clear_within_zero(s, &s->negative);
			bucket_side_compact(&s->positive);
			bucket_side_compact(&s->negative);
			expose(s);
		}
		if (isnan(other.threshold) || isnan(s->value.zero_threshold))
			break; /* equals nothing, and has no place */
	}
	return other;
}

static void add_side(const struct histogram_sum *s, struct bucket_side *side,
	const struct histogram_span *spans, uint32_t n_spans, const double *counts, int shift, double sign)
{
	struct bucket_cursor c = { .spans = spans, .n_spans = n_spans, .counts = counts, .shift = shift };
	bucket_side_add(
		side, c, histogram_zero_first_outside(s->value.schema, s->value.zero_threshold, c), sign);
}

static void add_exponential(struct histogram_sum *s, const struct float_histogram *h, double sign)
{
	if (h->schema < s->value.schema)
		reduce(s, h->schema);
	int shift = h->schema - s->value.schema;
	add_side(s, &s->positive, h->positive_spans, h->n_positive_spans, h->positive, shift, sign);
	add_side(s, &s->negative, h->negative_spans, h->n_negative_spans, h->negative, shift, sign);
}

/* Makes both have the bounds that are in both. */
static void add_reconciling(
	struct histogram_sum *s, const struct float_histogram *h, struct bucket_cursor c, double sign)
{
	uint32_t n = s->value.n_custom;
	auto_free double *common = xreallocarray(NULL, (size_t)n + 1, sizeof *common);
	uint32_t n_common = custom_bounds_common(s->custom, n, h->custom, h->n_custom, common);
	auto_free double *counts = xcalloc((size_t)n_common + 1, 2 * sizeof *counts);
	double *lost = counts + n_common + 1;
	custom_bounds_pour(bucket_side_cursor(&s->positive), s->custom, n, common, n_common, 1, counts, lost);
	custom_bounds_pour(c, h->custom, h->n_custom, common, n_common, sign, counts, lost);
	struct histogram_span all = { .length = n_common + 1 };
	bucket_side_set(&s->positive, &all, 1, counts, n_common + 1);
	if (s->is_compensated) {
		bucket_side_compensate(&s->positive);
		memcpy(s->positive.lost, lost, all.length * sizeof *lost);
	}
	bucket_side_compact(&s->positive);
	if (n_common)
		memcpy(s->custom, common, n_common * sizeof *common);
	s->value.n_custom = n_common;
}

/* Returns whether bounds differed. */
static bool add_custom(struct histogram_sum *s, const struct float_histogram *h, double sign)
{
	struct bucket_cursor c = {
		.spans = h->positive_spans, .n_spans = h->n_positive_spans, .counts = h->positive
	};
	bool differ = !custom_bounds_are_equal(s->custom, s->value.n_custom, h->custom, h->n_custom);
	if (differ)
		add_reconciling(s, h, c, sign);
	else
		bucket_side_add(&s->positive, c, INT32_MIN, sign);
	return differ;
}

static void add_number(const struct histogram_sum *s, double *number, double *lost, double x)
{
	if (s->is_compensated)
		kahan_add(number, lost, x);
	else
		*number += x;
}

static int combine(struct histogram_sum *s, const struct float_histogram *h, double sign)
{
	bool is_custom = h->schema == HISTOGRAM_CUSTOM_SCHEMA, differed = false;
	if (is_custom != (s->value.schema == HISTOGRAM_CUSTOM_SCHEMA))
		return -EINVAL;
	bool contradict = join_hints(s, h);
	if (!is_custom) {
		struct histogram_zero other = join_zeros(s, h);
		add_number(s, &s->value.zero_count, &s->zero_lost, sign * other.count);
		if (s->is_compensated)
			add_number(s, &s->value.zero_count, &s->zero_lost, sign * other.lost);
	}
	add_number(s, &s->value.count, &s->count_lost, sign * h->count);
	add_number(s, &s->value.sum, &s->sum_lost, sign * h->sum);
	if (is_custom)
		differed = add_custom(s, h, sign);
	else
		add_exponential(s, h, sign);
	expose(s);
	return (contradict ? HISTOGRAM_RESETS_COLLIDED : 0) | (differed ? HISTOGRAM_BOUNDS_RECONCILED : 0);
}

int histogram_sum_add(struct histogram_sum *s, const struct float_histogram *h)
{
	return combine(s, h, 1);
}

int histogram_sum_sub(struct histogram_sum *s, const struct float_histogram *h)
{
	return combine(s, h, -1);
}

int histogram_sum_add_exactly(struct histogram_sum *s, const struct float_histogram *h)
{
	compensate(s);
	return combine(s, h, 1);
}

void histogram_sum_settle(struct histogram_sum *s)
{
	if (!s->is_compensated)
		return;
	s->value.zero_count += s->zero_lost;
	s->value.count += s->count_lost;
	s->value.sum += s->sum_lost;
	bucket_side_settle(&s->positive);
	bucket_side_settle(&s->negative);
	s->is_compensated = false;
}

static void scale_all(double *v, size_t n, double by, bool divides)
{
	for (size_t i = 0; i < n; i++)
		v[i] = divides ? v[i] / by : v[i] * by;
}

static void scale_side(struct bucket_side *side, double by, bool divides)
{
	scale_all(side->counts, side->n, by, divides);
	if (side->lost)
		scale_all(side->lost, side->n, by, divides);
}

static void scale(struct histogram_sum *s, double by, bool divides)
{
	double *each[] = { &s->value.zero_count, &s->value.count, &s->value.sum, &s->zero_lost,
		&s->count_lost, &s->sum_lost };
	for (size_t i = 0; i < (s->is_compensated ? ARRAY_LEN(each) : 3); i++)
		scale_all(each[i], 1, by, divides);
	scale_side(&s->positive, by, divides);
	scale_side(&s->negative, by, divides);
	if (by < 0)
		s->value.reset_hint = RESET_GAUGE;
}

void histogram_sum_mul(struct histogram_sum *s, double factor)
{
	scale(s, factor, false);
}

void histogram_sum_div(struct histogram_sum *s, double by)
{
	scale(s, by, true);
	if (by != 0)
		return;
	s->positive.n = s->positive.n_spans = 0;
	s->negative.n = s->negative.n_spans = 0;
	expose(s);
}

static bool has_infinite(const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (isinf(v[i]))
			return true;
	return false;
}

bool histogram_sum_has_overflow(const struct histogram_sum *s)
{
	const struct float_histogram *v = &s->value;
	return isinf(v->zero_count) || isinf(v->count) || isinf(v->sum) ||
	       has_infinite(v->positive, v->n_positive) || has_infinite(v->negative, v->n_negative) ||
	       has_infinite(v->custom, v->n_custom);
}

void histogram_sum_compact(struct histogram_sum *s)
{
	bucket_side_compact(&s->positive);
	bucket_side_compact(&s->negative);
	expose(s);
}

void histogram_sum_reduce(struct histogram_sum *s, int32_t schema)
{
	if (s->value.schema == HISTOGRAM_CUSTOM_SCHEMA || schema >= s->value.schema)
		return;
	reduce(s, schema);
	expose(s);
}
