/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts the observations above or below a value off a histogram. Where within a bucket they lie is assumed as quantiles assume it: evenly on
 * a logarithmic scale, on a linear one in custom buckets and the zero bucket; of a bucket without an end nothing is known, so it is kept
 * or dropped as a whole, but for a custom one that begins at -Inf and ends above 0, which is taken to begin at 0.
 */
#include "lib/tsdb/bucket_walk.h"
#include "lib/tsdb/histogram_estimate.h"
#include "lib/tsdb/histogram_sum.h"

/* What remains of a bucket, and the value that stands for each observation in it. */
struct rest {
	double count, middle;
};

struct cut {
	double at;
	bool keeps_below;
	bool is_linear;
	double count, sum; /* of what remains */
	bool has_cut;
};

static double zero_if_infinite(double v)
{
	return isinf(v) ? 0 : v;
}

static double middle_of(double lower, double upper, bool is_negative, bool is_linear)
{
	if (isinf(lower)) {
		if (isinf(upper))
			return 0;
		return upper > 0 ? upper / 2 : upper;
	}
	if (isinf(upper))
		return lower;
	if (is_linear)
		return (lower + upper) / 2;
	double size = sqrt(fabs(lower * upper));
	return is_negative ? -size : size;
}

static struct rest cut_endless_below(const struct cut *c, const struct histogram_bucket *b)
{
	if (c->keeps_below) {
		if (c->at >= b->upper)
			return (struct rest){ b->count, 0 };
		if (c->at > 0 && b->upper > 0 && !isinf(b->upper))
			return (struct rest){ b->count * c->at / b->upper, c->at / 2 };
		if (b->upper <= 0)
			return (struct rest){ b->count, c->at };
		return (struct rest){ 0, zero_if_infinite(b->upper) };
	}
	if (c->at <= b->lower)
		return (struct rest){ b->count, 0 };
	if (c->at >= 0 && b->upper > c->at && !isinf(b->upper))
		return (struct rest){ b->count * (1 - c->at / b->upper), (c->at + b->upper) / 2 };
	return (struct rest){ 0, zero_if_infinite(b->upper) };
}

static struct rest cut_endless_above(const struct cut *c, const struct histogram_bucket *b)
{
	if (!c->keeps_below && c->at >= b->lower)
		return (struct rest){ b->count, c->at };
	return (struct rest){ 0, zero_if_infinite(b->lower) };
}

/* Of a bucket in which the cut lies. */
static struct rest cut_within(const struct cut *c, const struct histogram_bucket *b, bool is_negative)
{
	if (b->lower == -INFINITY)
		return cut_endless_below(c, b);
	if (b->upper == INFINITY)
		return cut_endless_above(c, b);
	double below = c->at <= b->lower   ? 0
		       : c->at >= b->upper ? b->count
					   : b->count * histogram_bucket_share(b, c->at, c->is_linear);
	if (c->keeps_below)
		return (struct rest){ below, middle_of(b->lower, c->at, is_negative, c->is_linear) };
	return (struct rest){ b->count - below, middle_of(c->at, b->upper, is_negative, c->is_linear) };
}

static struct rest cut_bucket(const struct cut *c, const struct histogram_bucket *b, bool is_negative)
{
	if (c->keeps_below ? b->upper <= c->at : b->lower >= c->at)
		return (struct rest){ b->count, middle_of(b->lower, b->upper, is_negative, c->is_linear) };
	if (c->keeps_below ? b->lower < c->at : b->upper > c->at)
		return cut_within(c, b, is_negative);
	return (struct rest){ 0, 0 };
}

/* Returns whether the side has a populated bucket. */
static bool cut_side(
	struct cut *c, const struct float_histogram *h, struct bucket_side *side, bool is_negative)
{
	bool is_populated = false;
	struct bucket_cursor at = bucket_side_cursor(side);
	for (uint32_t i = 0; bucket_cursor_next(&at); i++) {
		if (at.count == 0)
			continue;
		is_populated = true;
		struct histogram_bucket b = histogram_bucket_of(h, is_negative, at.number, at.count);
		struct rest r = cut_bucket(c, &b, is_negative);
		c->count += r.count;
		c->sum += r.middle * r.count;
		if (r.count != at.count)
			c->has_cut = true;
		side->counts[i] = r.count;
	}
	return is_populated;
}

static struct rest cut_zero(const struct cut *c, double lower, double upper, double count)
{
	if (c->at <= lower || c->at >= upper) {
		bool is_kept = c->keeps_below != (c->at <= lower);
		return is_kept ? (struct rest){ count, (lower + upper) / 2 } : (struct rest){ 0, 0 };
	}
	if (c->keeps_below)
		return (struct rest){ count * ((c->at - lower) / (upper - lower)), (lower + c->at) / 2 };
	return (struct rest){ count * ((upper - c->at) / (upper - lower)), (c->at + upper) / 2 };
}

void histogram_sum_trim(struct histogram_sum *s, double at, bool keeps_below)
{
	struct float_histogram *h = &s->value;
	struct cut c = { .at = at, .keeps_below = keeps_below, .is_linear = float_histogram_is_custom(h) };
	bool has_positive = cut_side(&c, h, &s->positive, false);
	bool has_negative = cut_side(&c, h, &s->negative, true);
	if (h->zero_count > 0) {
		double lower = has_positive && !has_negative ? 0 : -h->zero_threshold;
		double upper = has_negative && !has_positive ? 0 : h->zero_threshold;
		struct rest r = cut_zero(&c, lower, upper, h->zero_count);
		c.count += r.count;
		c.sum += r.middle * r.count;
		if (r.count != h->zero_count)
			c.has_cut = true;
		h->zero_count = r.count;
	}
	if (!c.has_cut)
		return;
	h->count = c.count;
	h->sum = c.sum;
	histogram_sum_compact(s);
}
