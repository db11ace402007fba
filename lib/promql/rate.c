/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate, increase, delta: the difference between a window's ends, corrected by what resets took, extrapolated towards the window's
 * bounds as Prometheus does (promql/functions.go: extrapolatedRate). Of floats, resets are looked for once a series: a window then
 * costs what resets it has, not what samples.
 */
#include "lib/base/interrupt.h"
#include "lib/promql/extended_range.h"
#include "lib/promql/extrapolate.h"
#include "lib/promql/range_kernels.h"
#include "lib/promql/rate_batch.h"
#include "lib/promql/rate_histogram.h"

struct rate_kind {
	bool is_counter, is_rate;
};

/* Samples of a series, by index, that differ from the one before; windows come in the order of time. */
struct places {
	uint32_t *k;
	size_t n, next;
};

static struct places places_new(const struct range_series *s)
{
	return (struct places){ .k = arena_alloc(s->w->scratch, (s->f.n + 1) * sizeof(uint32_t)) };
}

/* The first one behind `lo`; windows that ask next begin no earlier. */
static size_t places_from(struct places *p, uint32_t lo)
{
	while (p->next < p->n && p->k[p->next] <= lo)
		p->next++;
	return p->next;
}

#define STRETCH 256u

/* Whether some sample of a stretch is lower than the one before: rarely, so all are looked at together, and the answer is a double for vectors of them. */
static bool has_reset(const double *restrict v, size_t n)
{
	double falls = 0;
	for (size_t k = 0; k < n; k++)
		falls = v[k + 1] < v[k] ? 1 : falls;
	return falls != 0;
}

/* Lower than the one before, or counted anew since then. */
static void find_resets(const struct range_floats *f, struct places *out)
{
	size_t n = 0;
	for (size_t from = 1; from < f->n; from += STRETCH) {
		size_t to = MIN_OF(from + STRETCH, f->n);
		if (!has_reset(f->v + from - 1, to - from))
			continue;
		for (size_t k = from; k < to; k++) {
			out->k[n] = (uint32_t)k;
			n += f->v[k] < f->v[k - 1];
		}
	}
	out->n = n;
}

static void find_resets_by_start(const struct range_floats *f, struct places *resets, struct places *overlaps)
{
	for (size_t k = 1; k < f->n; k++) {
		struct started before = range_started(f->t, f->start, k - 1),
			       now = range_started(f->t, f->start, k);
		resets->k[resets->n] = overlaps->k[overlaps->n] = (uint32_t)k;
		resets->n += f->v[k] < f->v[k - 1] || start_is_reset(before, now);
		overlaps->n += start_overlaps(before, now);
	}
}

static void rate_of_floats(const struct range_series *s, struct row *out, struct rate_kind kind, uint32_t i,
	struct places *resets, struct places *overlaps)
{
	const struct range_floats *f = &s->f;
	uint32_t lo = f->lo[i], hi = f->hi[i];
	if (lo == hi)
		return;
	int64_t since = kind.is_counter ? start_within(range_started(f->t, f->start, lo), s->start[i]) : 0;
	if (hi - lo < 2 && !since)
		return;
	double change = f->v[hi - 1] - f->v[lo], factor;
	for (size_t k = places_from(resets, lo); k < resets->n && resets->k[k] < hi; k++)
		change += f->v[resets->k[k] - 1];
	if (overlaps->n) {
		size_t k = places_from(overlaps, lo);
		if (k < overlaps->n && overlaps->k[k] < hi)
			range_say(s, RANGE_STARTS_OVERLAP);
	}
	if (since) {
		change += f->v[lo];
		factor = extrapolate_since(since, f->t[lo], f->t[hi - 1], hi - lo, s->end[i]);
	} else {
		factor = extrapolate(f->t[lo], f->t[hi - 1], hi - lo, s->start[i], s->end[i], f->v[lo],
			change, kind.is_counter);
	}
	if (kind.is_rate)
		factor /= (double)s->input->range_ms / 1000;
	row_set(out, i, change * factor);
}

static int rate(const struct range_series *s, struct row *out, struct rate_kind kind)
{
	if (s->input->is_anchored || s->input->is_smoothed)
		return extended_rate(s, out, kind.is_counter, kind.is_rate);
	struct histogram_sum sum = { 0 };
	struct places resets = { 0 }, overlaps = { 0 };
	if (kind.is_counter)
		resets = places_new(s);
	if (kind.is_counter && s->f.start) {
		overlaps = places_new(s);
		find_resets_by_start(&s->f, &resets, &overlaps);
	} else if (kind.is_counter) {
		find_resets(&s->f, &resets);
	}
	if (rate_batch_can(s)) {
		rate_batch(s, resets.k, resets.n, kind.is_counter, kind.is_rate, out);
		return 0;
	}
	int r = 0;
	for (uint32_t i = 0; i < s->n && r == 0; i++) {
		uint32_t floats = range_n_floats(s, i), histograms = range_n_histograms(s, i);
		if (floats && histograms) {
			range_say(s, RANGE_MIXED);
		} else if (histograms) {
			rate_of_histograms(s, &sum, out, i, kind.is_counter, kind.is_rate);
			r = interrupt_after(RANGE_HISTOGRAM_WORK * (uint64_t)histograms);
		} else {
			rate_of_floats(s, out, kind, i, &resets, &overlaps);
		}
	}
	histogram_sum_fini(&sum);
	return r;
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
