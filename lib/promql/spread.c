/* SPDX-License-Identifier: Apache-2.0 */
/* How the floats of a window lie: deviation, quantiles. Histograms among them are left out, and said to be. */
#include "lib/promql/range_kernels.h"

#include "lib/base/go_float.h"
#include "lib/base/interrupt.h"
#include "lib/base/kahan.h"
#include "lib/promql/quantile.h"

/* Four windows are gone through side by side: one alone would wait for each sample's division before the next. */
#define SIDE_BY_SIDE 4u

/* Welford's, with compensation. */
struct welford {
	double mean[SIDE_BY_SIDE], mean_lost[SIDE_BY_SIDE], squares[SIDE_BY_SIDE], squares_lost[SIDE_BY_SIDE];
};

static inline void take_in(struct welford *w, uint32_t j, double v, double count)
{
	double delta = v - (w->mean[j] + w->mean_lost[j]);
	kahan_add(&w->mean[j], &w->mean_lost[j], delta / count);
	kahan_add(&w->squares[j], &w->squares_lost[j], delta * (v - (w->mean[j] + w->mean_lost[j])));
}

#define STRETCH 65536u /* of a long window, between two questions whether to go on */

static int take_in_windows(struct welford *w, const double *v, const uint32_t *lo, const uint32_t *hi)
{
	uint32_t least = UINT32_MAX;
	for (uint32_t j = 0; j < SIDE_BY_SIDE; j++)
		least = MIN_OF(least, hi[j] - lo[j]);
	for (uint32_t from = 0, to; from < least; from = to) {
		to = MIN_OF(from + STRETCH, least);
		for (uint32_t k = from; k < to; k++)
			for (uint32_t j = 0; j < SIDE_BY_SIDE; j++)
				take_in(w, j, v[lo[j] + k], k + 1.0);
		int r = interrupt_after(SIDE_BY_SIDE * 4ul * (to - from));
		if (r < 0)
			return r;
	}
	for (uint32_t j = 0; j < SIDE_BY_SIDE; j++)
		for (uint32_t k = least; k < hi[j] - lo[j]; k++) {
			take_in(w, j, v[lo[j] + k], k + 1.0);
			int r = interrupt_after(8);
			if (r < 0)
				return r;
		}
	return 0;
}

int range_stdvar(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i += SIDE_BY_SIDE) {
		uint32_t lo[SIDE_BY_SIDE] = { 0 }, hi[SIDE_BY_SIDE] = { 0 },
			 n = MIN_OF(SIDE_BY_SIDE, s->n - i);
		struct welford w = { 0 };
		memcpy(lo, s->f.lo + i, n * sizeof lo[0]);
		memcpy(hi, s->f.hi + i, n * sizeof hi[0]);
		int r = take_in_windows(&w, s->f.v, lo, hi);
		if (r < 0)
			return r;
		for (uint32_t j = 0; j < n; j++) {
			if (lo[j] == hi[j])
				continue;
			if (range_n_histograms(s, i + j))
				range_say(s, RANGE_IGNORED);
			row_set(out, i + j, (w.squares[j] + w.squares_lost[j]) / (hi[j] - lo[j]));
		}
	}
	return 0;
}

int range_stddev(const struct range_series *s, struct row *out)
{
	int r = range_stdvar(s, out);
	for (uint32_t i = 0; i < s->n; i++)
		out->v[i] = out->kind[i] ? sqrt(out->v[i]) : 0;
	return r;
}

static double *copy_window(const struct range_series *s, uint32_t i, double *room)
{
	return memcpy(room, s->f.v + s->f.lo[i], range_n_floats(s, i) * sizeof *room);
}

static void warn_of_quantile(const struct range_series *s, double q)
{
	char text[GO_FLOAT_BYTES];
	int n = (int)go_float_format(text, q, 'g');
	annotations_add(s->w->exec->annotations, ANNOTATION_WARNING, range_place(s),
		"quantile value should be between 0 and 1, got %.*s", n, text);
}

int range_quantile(const struct range_series *s, struct row *out)
{
	double *room = arena_alloc(s->w->scratch, (s->f.n + 1) * sizeof *room);
	bool has_said = false;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t n = range_n_floats(s, i);
		double q = s->params[0][i];
		if (!n)
			continue;
		if (!(q >= 0 && q <= 1) && !(has_said && q == s->params[0][i - 1]))
			warn_of_quantile(s, q);
		has_said = !(q >= 0 && q <= 1);
		if (range_n_histograms(s, i))
			range_say(s, RANGE_IGNORED);
		row_set(out, i, quantile_of(q, copy_window(s, i, room), n));
		int r = interrupt_after(n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The median of how far values lie from their median. */
static double mad_of(double *v, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (isnan(v[k]))
			return NAN;
	double median = quantile_of(0.5, v, n);
	for (size_t k = 0; k < n; k++)
		v[k] = fabs(v[k] - median);
	return quantile_of(0.5, v, n);
}

int range_mad(const struct range_series *s, struct row *out)
{
	double *room = arena_alloc(s->w->scratch, (s->f.n + 1) * sizeof *room);
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t n = range_n_floats(s, i);
		if (!n)
			continue;
		if (range_n_histograms(s, i))
			range_say(s, RANGE_IGNORED);
		row_set(out, i, mad_of(copy_window(s, i, room), n));
		int r = interrupt_after(4ul * n);
		if (r < 0)
			return r;
	}
	return 0;
}
