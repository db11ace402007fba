/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate, increase, delta: the difference between a window's ends, corrected by what resets took, extrapolated towards the window's
 * bounds as Prometheus does (promql/functions.go: extrapolatedRate). Of floats, resets are looked for once a series: a window then
 * costs what resets it has, not what samples.
 */
#include "lib/promql/extended_range.h"
#include "lib/promql/extrapolate.h"
#include "lib/promql/range_kernels.h"
#include "lib/promql/rate_histogram.h"

struct rate_kind {
	bool is_counter, is_rate;
};

/* Indices of the samples that are lower than the one before. */
static size_t find_resets(const struct range_floats *f, uint32_t *out)
{
	size_t n = 0;
	for (size_t k = 1; k < f->n; k++) {
		out[n] = (uint32_t)k;
		n += f->v[k] < f->v[k - 1];
	}
	return n;
}

static void rate_of_floats(const struct range_series *s, struct row *out, struct rate_kind kind, uint32_t i,
	const uint32_t *resets, size_t n_resets, size_t *next)
{
	const struct range_floats *f = &s->f;
	uint32_t lo = f->lo[i], hi = f->hi[i];
	if (hi - lo < 2)
		return;
	double change = f->v[hi - 1] - f->v[lo];
	if (kind.is_counter) {
		while (*next < n_resets && resets[*next] <= lo)
			++*next;
		for (size_t k = *next; k < n_resets && resets[k] < hi; k++)
			change += f->v[resets[k] - 1];
	}
	double factor = extrapolate(
		f->t[lo], f->t[hi - 1], hi - lo, s->start[i], s->end[i], f->v[lo], change, kind.is_counter);
	if (kind.is_rate)
		factor /= (double)s->input->range_ms / 1000;
	row_set(out, i, change * factor);
}

static int rate(const struct range_series *s, struct row *out, struct rate_kind kind)
{
	if (s->input->is_anchored || s->input->is_smoothed)
		return extended_rate(s, out, kind.is_counter, kind.is_rate);
	struct histogram_sum sum = { 0 };
	uint32_t *resets = NULL;
	size_t n_resets = 0, next = 0;
	if (kind.is_counter) {
		resets = arena_alloc(s->w->scratch, (s->f.n + 1) * sizeof *resets);
		n_resets = find_resets(&s->f, resets);
	}
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t floats = range_n_floats(s, i), histograms = range_n_histograms(s, i);
		if (floats && histograms)
			range_say(s, RANGE_MIXED);
		else if (histograms)
			rate_of_histograms(s, &sum, out, i, kind.is_counter, kind.is_rate);
		else
			rate_of_floats(s, out, kind, i, resets, n_resets, &next);
	}
	histogram_sum_fini(&sum);
	return 0;
}

int range_rate(const struct range_series *s, struct row *out)
{
	return rate(s, out, (struct rate_kind){ .is_counter = true, .is_rate = true });
}

int range_increase(const struct range_series *s, struct row *out)
{
	return rate(s, out, (struct rate_kind){ .is_counter = true });
}

int range_delta(const struct range_series *s, struct row *out)
{
	return rate(s, out, (struct rate_kind){ 0 });
}
