/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds cost more than counts, and quantiles want those of one bucket only: so stepping counts, and bounds are computed when asked
 * for. The first side is gone through from its far end towards zero, the second one from zero on.
 */
#include "lib/tsdb/bucket_walk.h"

#include "lib/tsdb/bucket_bound.h"

#include <math.h>

/* Where a positive bucket ends; that of -1 is where the first custom one begins. */
static double bound_of(const struct float_histogram *h, int64_t number)
{
	if (!float_histogram_is_custom(h))
		return bucket_bound(h->schema, (int32_t)number);
	if (number < 0)
		return -INFINITY;
	return number < h->n_custom ? h->custom[number] : INFINITY;
}

struct histogram_bucket histogram_bucket_of(
	const struct float_histogram *h, bool is_negative, int32_t number, double count)
{
	double near = bound_of(h, (int64_t)number - 1), far = bound_of(h, number);
	struct histogram_bucket b = { .lower = near, .upper = far, .count = count };
	if (is_negative) {
		b.lower = -far;
		b.upper = -near;
	}
	bool is_custom = float_histogram_is_custom(h);
	b.has_lower = is_custom ? number == 0 : b.lower < 0;
	b.has_upper = is_custom || b.upper > 0;
	return b;
}

struct bucket_walk bucket_walk_of(const struct float_histogram *h, bool descends)
{
	return (struct bucket_walk){ .h = h, .descends = descends };
}

struct side {
	const struct histogram_span *spans;
	uint32_t n_spans;
	const double *counts;
	uint32_t n;
};

static struct side side_of(const struct bucket_walk *w)
{
	const struct float_histogram *h = w->h;
	if (w->is_negative)
		return (struct side){ h->negative_spans, h->n_negative_spans, h->negative, h->n_negative };
	return (struct side){ h->positive_spans, h->n_positive_spans, h->positive, h->n_positive };
}

static bool step_away_from_zero(struct bucket_walk *w)
{
	struct side s = side_of(w);
	if (!w->is_side_begun) {
		w->is_side_begun = true;
		w->span = w->left = w->next = 0;
		w->number = -1;
	}
	while (!w->left) {
		if (w->span == s.n_spans)
			return false;
		w->number += s.spans[w->span].offset;
		w->left = s.spans[w->span++].length;
	}
	w->left--;
	w->number++;
	w->count = s.counts[w->next++];
	return true;
}

static bool step_towards_zero(struct bucket_walk *w)
{
	struct side s = side_of(w);
	if (!w->is_side_begun) {
		w->is_side_begun = true;
		w->span = s.n_spans;
		w->left = 0;
		w->next = s.n;
		w->number = 0;
		for (uint32_t i = 0; i < s.n_spans; i++)
			w->number += (int64_t)s.spans[i].offset + s.spans[i].length;
	}
	while (!w->left) {
		if (!w->span)
			return false;
		if (w->span < s.n_spans)
			w->number -= s.spans[w->span].offset;
		w->left = s.spans[--w->span].length;
	}
	w->left--;
	w->number--;
	w->count = s.counts[--w->next];
	return true;
}

bool bucket_walk_next(struct bucket_walk *w)
{
	if (w->place == WALK_FIRST_SIDE) {
		w->is_negative = !w->descends;
		if (step_towards_zero(w))
			return true;
		w->place = WALK_ZERO;
	}
	w->is_zero = false;
	if (w->place == WALK_ZERO) {
		w->place = WALK_SECOND_SIDE;
		w->is_negative = w->descends;
		w->is_side_begun = false;
		w->is_zero = w->h->zero_count > 0;
		w->count = w->h->zero_count;
		if (w->is_zero)
			return true;
	}
	if (w->place == WALK_SECOND_SIDE && step_away_from_zero(w))
		return true;
	w->place = WALK_OVER;
	return false;
}

struct histogram_bucket bucket_walk_at(const struct bucket_walk *w)
{
	double zero = w->h->zero_threshold;
	if (w->is_zero)
		return (struct histogram_bucket){
			.lower = -zero, .upper = zero, .has_lower = true, .has_upper = true, .count = w->count
		};
	struct histogram_bucket b = histogram_bucket_of(w->h, w->is_negative, (int32_t)w->number, w->count);
	if (b.upper < 0 && b.upper > -zero)
		b.upper = -zero;
	else if (b.lower > 0 && b.lower < zero)
		b.lower = zero;
	return b;
}
