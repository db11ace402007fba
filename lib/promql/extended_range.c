/* SPDX-License-Identifier: Apache-2.0 */
/* promql/functions.go: extendedRate, extendedHistogramRate. */
#include "lib/promql/extended_range.h"

#include "lib/base/interrupt.h"

#include <errno.h>

/* The samples that the ends of a window come from; those of [from, to) lie within it and aren't an end. */
struct ends {
	size_t first, last;
	size_t from, to;
};

/* False: no sample lies within the window. n > 0 */
static bool find_ends(
	const int64_t *t, size_t n, int64_t start, int64_t end, bool is_smoothed, struct ends *out)
{
	size_t last = n - 1, first = 0;
	while (first < last && t[first] <= start)
		first++;
	if (first)
		first--;
	if (is_smoothed) {
		size_t k = first;
		while (k < last && t[k] < end)
			k++;
		last = k;
	}
	if (t[last] <= start || (is_smoothed && t[first] > end))
		return false;
	*out = (struct ends){
		.first = first,
		.last = last,
		.from = t[first] <= start ? first + 1 : first,
		.to = t[last] >= end ? last : last + 1,
	};
	return true;
}

double interpolate(int64_t t0, double v0, int64_t t1, double v1, int64_t t, bool is_counter)
{
	if (is_counter && v1 < v0)
		v0 = 0;
	return v0 + (v1 - v0) * (double)(t - t0) / (double)(t1 - t0);
}

static double left_of(const int64_t *t, const double *v, const struct ends *e, int64_t start,
	bool is_smoothed, bool is_counter)
{
	size_t k = e->first;
	if (is_smoothed && t[k] < start)
		return interpolate(t[k], v[k], t[k + 1], v[k + 1], start, is_counter);
	return v[k];
}

static double right_of(const int64_t *t, const double *v, const struct ends *e, int64_t end, bool is_smoothed,
	bool is_counter)
{
	size_t k = e->last;
	if (is_smoothed && k && t[k] > end)
		return interpolate(t[k - 1], v[k - 1], t[k], v[k], end, is_counter);
	return v[k];
}

size_t extended_floats(const int64_t *t, const double *v, size_t n, int64_t start, int64_t end,
	bool is_smoothed, int64_t *out_t, double *out_v)
{
	struct ends e;
	size_t k = 0;
	if (!find_ends(t, n, start, end, is_smoothed, &e))
		return 0;
	out_t[k] = start;
	out_v[k++] = left_of(t, v, &e, start, is_smoothed, false);
	for (size_t i = e.from; i < e.to; i++, k++) {
		out_t[k] = t[i];
		out_v[k] = v[i];
	}
	out_t[k] = end;
	out_v[k++] = right_of(t, v, &e, end, is_smoothed, false);
	return k;
}

static void rate_of_floats(
	const struct range_series *s, struct row *out, uint32_t i, bool is_counter, bool is_rate)
{
	const int64_t *t = s->f.t + s->f.lo[i];
	const double *v = s->f.v + s->f.lo[i];
	bool is_smoothed = s->input->is_smoothed;
	struct ends e;
	if (!find_ends(t, range_n_floats(s, i), s->start[i], s->end[i], is_smoothed, &e))
		return;
	double left = left_of(t, v, &e, s->start[i], is_smoothed, is_counter);
	double right = right_of(t, v, &e, s->end[i], is_smoothed, is_counter);
	double change = right - left;
	if (is_counter) {
		double lost = 0, before = left;
		for (size_t k = e.from; k < e.to; k++) {
			if (v[k] < before)
				lost += before;
			before = v[k];
		}
		if (right < before)
			lost += before;
		change += lost;
	}
	row_set(out, i, is_rate ? change / ((double)s->input->range_ms / 1000) : change);
}

static void note(int r, unsigned flag, unsigned *notes)
{
	if (r > 0 && r & HISTOGRAM_BOUNDS_RECONCILED)
		*notes |= flag;
}

int interpolate_histograms(struct histogram_sum *sum, int64_t t0, const struct float_histogram *h0,
	int64_t t1, const struct float_histogram *h1, int64_t t, bool is_counter, unsigned *notes)
{
	double share = (double)(t - t0) / (double)(t1 - t0);
	histogram_sum_set(sum, h1);
	if (is_counter && float_histogram_is_reset(h1, h0)) {
		histogram_sum_mul(sum, share);
		return 0;
	}
	int r = histogram_sum_sub(sum, h0);
	note(r, RANGE_SUB_RECONCILED, notes);
	if (r < 0)
		return r;
	histogram_sum_mul(sum, share);
	r = histogram_sum_add(sum, h0);
	note(r, RANGE_ADD_RECONCILED, notes);
	return r < 0 ? r : 0;
}

/* A window of histograms, and what is computed of it. The sums are kept from window to window. */
struct histogram_rate {
	const int64_t *t;
	const struct float_histogram *const *h;
	int64_t start, end;
	bool is_smoothed, is_counter;
	struct ends ends;
	struct histogram_sum left, right, result, lost;
	bool has_lost;
	unsigned notes;
};

/* The two ends. What spans exactly one of the samples is that sample. */
static int find_sides(struct histogram_rate *r)
{
	size_t a = r->ends.first, b = r->ends.last;
	int e = 0;
	if (r->is_smoothed && r->t[a] < r->start)
		e = interpolate_histograms(&r->left, r->t[a], r->h[a], r->t[a + 1], r->h[a + 1], r->start,
			r->is_counter, &r->notes);
	else
		histogram_sum_set(&r->left, r->h[a]);
	if (e == 0 && r->is_smoothed && b && r->t[b] > r->end)
		e = interpolate_histograms(&r->right, r->t[b - 1], r->h[b - 1], r->t[b], r->h[b], r->end,
			r->is_counter, &r->notes);
	else if (e == 0)
		histogram_sum_set(&r->right, r->h[b]);
	return e;
}

static int lose(struct histogram_rate *r, const struct float_histogram *h)
{
	if (!r->has_lost) {
		histogram_sum_set(&r->lost, h);
		r->has_lost = true;
		return 0;
	}
	int e = histogram_sum_add(&r->lost, h);
	note(e, RANGE_ADD_RECONCILED, &r->notes);
	return e < 0 ? e : 0;
}

/*
 * What resets between the ends took. A reset that the left end was interpolated over has been accounted for there; the last sample is
 * left to the right end, which has its reset hint.
 */
static int sum_up_resets(struct histogram_rate *r)
{
	size_t from = r->ends.first + 1, to = r->ends.last;
	const struct float_histogram *before = &r->left.value;
	size_t a = r->ends.first;
	r->has_lost = false;
	if (r->is_smoothed && r->t[a] < r->start && float_histogram_is_reset(r->h[a + 1], r->h[a])) {
		before = r->h[a + 1];
		from++;
	}
	if (from > to)
		return 0;
	int e = 0;
	for (size_t k = from; k < to && e == 0; k++) {
		if (float_histogram_is_reset(r->h[k], before))
			e = lose(r, before);
		before = r->h[k];
	}
	if (e == 0 && float_histogram_is_reset(&r->right.value, before))
		e = lose(r, before);
	return e;
}

static bool have_one_layout(struct histogram_rate *r)
{
	for (size_t k = r->ends.first; k <= r->ends.last; k++) {
		if (float_histogram_is_custom(r->h[k]) != float_histogram_is_custom(r->h[r->ends.first]))
			return false;
		if (r->is_counter && r->h[k]->reset_hint == RESET_GAUGE)
			r->notes |= RANGE_NOT_COUNTER;
	}
	return true;
}

static int take_difference(struct histogram_rate *r)
{
	if (!have_one_layout(r))
		return -EINVAL;
	int e = find_sides(r);
	if (e < 0)
		return e;
	if (!r->is_counter &&
		(r->left.value.reset_hint != RESET_GAUGE || r->right.value.reset_hint != RESET_GAUGE))
		r->notes |= RANGE_NOT_GAUGE;
	histogram_sum_set(&r->result, &r->right.value);
	e = histogram_sum_sub(&r->result, &r->left.value);
	note(e, RANGE_SUB_RECONCILED, &r->notes);
	if (e >= 0 && r->is_counter) {
		e = sum_up_resets(r);
		if (e == 0 && r->has_lost) {
			e = histogram_sum_add(&r->result, &r->lost.value);
			note(e, RANGE_ADD_RECONCILED, &r->notes);
		}
	}
	return e < 0 ? e : 0;
}

static void rate_of_histograms(
	const struct range_series *s, struct histogram_rate *r, struct row *out, uint32_t i, bool is_rate)
{
	r->t = s->h.t + s->h.lo[i];
	r->h = s->h.h + s->h.lo[i];
	r->start = s->start[i];
	r->end = s->end[i];
	r->notes = 0;
	if (!find_ends(r->t, range_n_histograms(s, i), r->start, r->end, r->is_smoothed, &r->ends))
		return;
	int e = take_difference(r);
	range_say(s, r->notes | (e < 0 ? RANGE_MIXED_SCHEMAS : 0));
	if (e < 0)
		return;
	if (is_rate)
		histogram_sum_div(&r->result, (double)s->input->range_ms / 1000);
	r->result.value.reset_hint = RESET_GAUGE;
	histogram_sum_compact(&r->result);
	row_set_histogram(s->w, out, i, float_histogram_copy(&r->result.value));
}

int extended_rate(const struct range_series *s, struct row *out, bool is_counter, bool is_rate)
{
	struct histogram_rate r = { .is_smoothed = s->input->is_smoothed, .is_counter = is_counter };
	int over = 0;
	for (uint32_t i = 0; i < s->n && over == 0; i++) {
		uint32_t floats = range_n_floats(s, i), histograms = range_n_histograms(s, i);
		over = interrupt_after(2ul * floats + RANGE_HISTOGRAM_WORK * (uint64_t)histograms);
		if (floats && histograms)
			range_say(s, RANGE_MIXED);
		else if (histograms)
			rate_of_histograms(s, &r, out, i, is_rate);
		else if (floats)
			rate_of_floats(s, out, i, is_counter, is_rate);
	}
	histogram_sum_fini(&r.left);
	histogram_sum_fini(&r.right);
	histogram_sum_fini(&r.result);
	histogram_sum_fini(&r.lost);
	return over;
}
