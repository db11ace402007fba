/* SPDX-License-Identifier: Apache-2.0 */
/* irate and idelta: of the last two samples of a window (promql/functions.go: instantValue). */
#include "lib/base/interrupt.h"
#include "lib/promql/range_kernels.h"
#include "lib/tsdb/histogram_sum.h"

/* The last two of floats and histograms together, the older one first. */
struct last_two {
	struct started s[2];
	double v[2];
	const struct float_histogram *h[2]; /* NULL: a float */
};

static double seconds_between(const struct last_two *p)
{
	return (double)(p->s[1].t - p->s[0].t) / 1000;
}

static bool find_last_two(const struct range_series *s, uint32_t i, struct last_two *out)
{
	uint32_t nf = range_n_floats(s, i), nh = range_n_histograms(s, i);
	uint32_t f = s->f.hi[i], h = nh ? s->h.hi[i] : 0;
	*out = (struct last_two){ 0 };
	if (nf + nh < 2)
		return false;
	for (int k = 1; k >= 0; k--) {
		bool is_histogram = nh && (!nf || s->h.t[h - 1] > s->f.t[f - 1]);
		if (is_histogram) {
			h--;
			nh--;
			out->s[k] = range_started(s->h.t, s->h.start, h);
			out->h[k] = s->h.h[h];
		} else {
			f--;
			nf--;
			out->s[k] = range_started(s->f.t, s->f.start, f);
			out->v[k] = s->f.v[f];
			out->h[k] = NULL;
		}
	}
	return true;
}

static void of_histograms(const struct range_series *s, struct histogram_sum *sum, struct row *out,
	uint32_t i, const struct last_two *p, bool is_rate)
{
	const struct float_histogram *before = p->h[0], *last = p->h[1];
	bool has_gauge = before->reset_hint == RESET_GAUGE || last->reset_hint == RESET_GAUGE;
	bool are_gauges = before->reset_hint == RESET_GAUGE && last->reset_hint == RESET_GAUGE;
	unsigned notes = is_rate && has_gauge      ? RANGE_NOT_COUNTER
			 : !is_rate && !are_gauges ? RANGE_NOT_GAUGE
						   : 0;
	histogram_sum_set(sum, last);
	if (!is_rate || !(start_is_reset(p->s[0], p->s[1]) || float_histogram_is_reset(last, before))) {
		int r = histogram_sum_sub(sum, before);
		if (r < 0) {
			range_say(s, notes | RANGE_MIXED_SCHEMAS);
			return;
		}
		if (r & HISTOGRAM_BOUNDS_RECONCILED)
			notes |= RANGE_SUB_RECONCILED;
	}
	range_say(s, notes);
	sum->value.reset_hint = RESET_GAUGE;
	histogram_sum_compact(sum);
	if (is_rate)
		histogram_sum_div(sum, seconds_between(p));
	row_set_histogram(s->w, out, i, float_histogram_copy(&sum->value));
}

static int of_last_two(const struct range_series *s, struct row *out, bool is_rate)
{
	struct histogram_sum sum = { 0 };
	int r = 0;
	for (uint32_t i = 0; i < s->n && r == 0; i++) {
		struct last_two p;
		if (!find_last_two(s, i, &p))
			continue;
		if (!p.h[0] != !p.h[1]) {
			range_say(s, RANGE_MIXED);
		} else if (p.h[0]) {
			of_histograms(s, &sum, out, i, &p, is_rate);
			r = interrupt_after(2 * RANGE_HISTOGRAM_WORK);
		} else {
			/* A counter that fell began at zero. */
			bool is_reset = is_rate && (p.v[1] < p.v[0] || start_is_reset(p.s[0], p.s[1]));
			double change = is_reset ? p.v[1] : p.v[1] - p.v[0];
			row_set(out, i, is_rate ? change / seconds_between(&p) : change);
		}
	}
	histogram_sum_fini(&sum);
	return r;
}

int range_irate(const struct range_series *s, struct row *out)
{
	return of_last_two(s, out, true);
}

int range_idelta(const struct range_series *s, struct row *out)
{
	return of_last_two(s, out, false);
}
