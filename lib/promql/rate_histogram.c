/* SPDX-License-Identifier: Apache-2.0 */
/* As for floats, the last less the first, and what resets took (promql/functions.go: histogramRate). */
#include "lib/promql/rate_histogram.h"

#include "lib/promql/extrapolate.h"

/* What the difference is taken from, and what the samples have in common. */
struct difference {
	const struct float_histogram *const *h;
	const int64_t *t, *start;
	size_t n;
	const struct float_histogram *first; /* h[0], or nothing */
	struct float_histogram nothing;
	bool is_custom;
	int32_t schema; /* the lowest */
};

/* Whether counting began anew between sample k and the one before. */
static bool is_reset_by_start(const struct difference *d, size_t k)
{
	return d->start &&
	       start_is_reset(range_started(d->t, d->start, k - 1), range_started(d->t, d->start, k));
}

static bool overlaps_by_start(const struct difference *d, size_t k)
{
	return d->start &&
	       start_overlaps(range_started(d->t, d->start, k - 1), range_started(d->t, d->start, k));
}

/*
 * Before a reset nothing counts but the sample itself, so that of the first one, if the second is a reset, nothing counts at all: not
 * even its buckets' layout.
 */
static void begin(struct difference *d, bool is_counter)
{
	d->first = d->h[0];
	if (is_counter && (is_reset_by_start(d, 1) || float_histogram_is_reset(d->h[1], d->h[0]))) {
		const struct float_histogram *second = d->h[1];
		d->nothing = (struct float_histogram){
			.schema = second->schema,
			.custom = second->custom,
			.n_custom = second->n_custom,
		};
		d->first = &d->nothing;
	}
	d->is_custom = float_histogram_is_custom(d->first);
}

/* False: the layouts don't go together. */
static bool look_through(struct difference *d, bool is_counter, unsigned *notes)
{
	const struct float_histogram *last = d->h[d->n - 1];
	if (is_counter && (d->h[0]->reset_hint == RESET_GAUGE || last->reset_hint == RESET_GAUGE))
		*notes |= RANGE_NOT_COUNTER;
	begin(d, is_counter);
	bool fits = float_histogram_is_custom(last) == d->is_custom;
	d->schema = MIN_OF(last->schema, d->first->schema);
	for (size_t k = 1; k + 1 < d->n && fits && is_counter; k++) {
		if (d->h[k]->reset_hint == RESET_GAUGE)
			*notes |= RANGE_NOT_COUNTER;
		d->schema = MIN_OF(d->schema, d->h[k]->schema);
		fits = float_histogram_is_custom(d->h[k]) == d->is_custom;
		if (!fits)
			*notes = 0; /* that they don't fit is all that is said then */
	}
	return fits;
}

static bool add(struct histogram_sum *sum, const struct float_histogram *h, unsigned *notes)
{
	int r = histogram_sum_add(sum, h);
	if (r > 0 && r & HISTOGRAM_BOUNDS_RECONCILED)
		*notes |= RANGE_ADD_RECONCILED;
	return r >= 0;
}

static bool subtract(struct histogram_sum *sum, const struct float_histogram *h, unsigned *notes)
{
	int r = histogram_sum_sub(sum, h);
	if (r > 0 && r & HISTOGRAM_BOUNDS_RECONCILED)
		*notes |= RANGE_SUB_RECONCILED;
	return r >= 0;
}

static bool take_difference(struct difference *d, struct histogram_sum *sum, bool is_counter, unsigned *notes)
{
	const struct float_histogram *last = d->h[d->n - 1], *previous = d->first;
	histogram_sum_set(sum, last);
	if (!d->is_custom && d->schema < last->schema)
		histogram_sum_reduce(sum, d->schema);
	bool fits = subtract(sum, d->first, notes);
	for (size_t k = 1; k < d->n && fits && is_counter; k++) {
		if (overlaps_by_start(d, k))
			*notes |= RANGE_STARTS_OVERLAP;
		if (is_reset_by_start(d, k) || float_histogram_is_reset(d->h[k], previous))
			fits = add(sum, previous, notes);
		previous = d->h[k];
	}
	if (!fits)
		*notes = 0;
	return fits;
}

/* The window's difference, in `sum`. False: there is none, about which `notes` may have something. */
static bool find_difference(struct difference *d, struct histogram_sum *sum, bool is_counter, unsigned *notes)
{
	if (!look_through(d, is_counter, notes) || !take_difference(d, sum, is_counter, notes)) {
		*notes |= RANGE_MIXED_SCHEMAS;
		return false;
	}
	if (!is_counter && (d->h[0]->reset_hint != RESET_GAUGE || d->h[d->n - 1]->reset_hint != RESET_GAUGE))
		*notes |= RANGE_NOT_GAUGE;
	sum->value.reset_hint = RESET_GAUGE;
	histogram_sum_compact(sum);
	return true;
}

/* What the first sample had counted by then, since it began within the window. */
static bool add_first(struct difference *d, struct histogram_sum *sum, unsigned *notes)
{
	if (d->n == 1)
		histogram_sum_set(sum, d->h[0]);
	else if (!add(sum, d->h[0], notes)) {
		*notes |= RANGE_MIXED_SCHEMAS;
		return false;
	}
	return true;
}

void rate_of_histograms(const struct range_series *s, struct histogram_sum *sum, struct row *out, uint32_t i,
	bool is_counter, bool is_rate)
{
	uint32_t lo = s->h.lo[i];
	struct difference d = {
		.h = s->h.h + lo,
		.t = s->h.t + lo,
		.start = s->h.start ? s->h.start + lo : NULL,
		.n = range_n_histograms(s, i),
	};
	int64_t since = is_counter ? start_within(range_started(d.t, d.start, 0), s->start[i]) : 0;
	int64_t last_t = d.t[d.n - 1];
	unsigned notes = 0;
	if (d.n < 2 && !since)
		return;
	bool has_one = (d.n < 2 || find_difference(&d, sum, is_counter, &notes)) &&
		       (!since || add_first(&d, sum, &notes));
	range_say(s, notes);
	if (!has_one)
		return;
	double factor = since ? extrapolate_since(since, d.t[0], last_t, d.n, s->end[i])
			      : extrapolate(d.t[0], last_t, d.n, s->start[i], s->end[i], d.h[0]->count,
					sum->value.count, is_counter);
	if (is_rate)
		factor /= (double)s->input->range_ms / 1000;
	histogram_sum_mul(sum, factor);
	row_set_histogram(s->w, out, i, float_histogram_copy(&sum->value));
}
