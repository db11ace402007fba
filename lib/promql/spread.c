/* SPDX-License-Identifier: Apache-2.0 */
/* How the floats of a window lie: deviation, quantiles. Histograms among them are left out, and said to be. */
#include "lib/promql/range_kernels.h"

#include "lib/base/go_float.h"
#include "lib/base/kahan.h"
#include "lib/promql/quantile.h"

/* Welford's, with compensation. */
static double variance_of(const double *v, size_t n)
{
	double mean = 0, mean_lost = 0, squares = 0, squares_lost = 0;
	for (size_t k = 0; k < n; k++) {
		double delta = v[k] - (mean + mean_lost);
		kahan_add(&mean, &mean_lost, delta / (double)(k + 1));
		kahan_add(&squares, &squares_lost, delta * (v[k] - (mean + mean_lost)));
	}
	return (squares + squares_lost) / (double)n;
}

int range_stdvar(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t n = range_n_floats(s, i);
		if (!n)
			continue;
		if (range_n_histograms(s, i))
			range_say(s, RANGE_IGNORED);
		row_set(out, i, variance_of(s->f.v + s->f.lo[i], n));
	}
	return 0;
}

int range_stddev(const struct range_series *s, struct row *out)
{
	range_stdvar(s, out);
	for (uint32_t i = 0; i < s->n; i++)
		out->v[i] = out->kind[i] ? sqrt(out->v[i]) : 0;
	return 0;
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
	}
	return 0;
}
