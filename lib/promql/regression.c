/* SPDX-License-Identifier: Apache-2.0 */
/* Lines through the floats of a window, and its smoothed continuation. */
#include "lib/promql/range_kernels.h"

#include "lib/base/interrupt.h"

#include <errno.h>
#include <math.h>

struct line {
	double slope, intercept; /* the intercept is where it is at the time that was asked for */
};

#define STRETCH 65536u /* of a long window, between two questions whether to go on */

/* Two numbers that the same is done to. */
typedef double pair __attribute__((vector_size(2 * sizeof(double))));

struct sums {
	pair x_y, x_y_lost;     /* of x, of y */
	pair xx_xy, xx_xy_lost; /* of their products */
	bool differs;           /* some y isn't the first one */
};

/*
 * What kahan_add does, without a branch: Knuth's way to what rounding took gives the same bits, but for a sum that became infinite, which
 * settle() mends.
 */
static inline void add_pair(pair *sum, pair *lost, pair x)
{
	pair s = *sum, t = s + x, of_x = t - s, of_s = t - of_x;
	*lost += (s - of_s) + (x - of_x);
	*sum = t;
}

static void add(struct sums *out, const int64_t *t, const double *v, size_t n, int64_t t0, double first)
{
	struct sums all = *out;
	for (size_t k = 0; k < n; k++) {
		double x = (double)(t[k] - t0) / 1e3, y = v[k];
		add_pair(&all.x_y, &all.x_y_lost, (pair){ x, y });
		add_pair(&all.xx_xy, &all.xx_xy_lost, (pair){ x, x } * (pair){ x, y });
		all.differs |= y != first;
	}
	*out = all;
}

static double settle(pair sum, pair lost, unsigned i)
{
	return isinf(sum[i]) ? sum[i] : sum[i] + lost[i];
}

/* Least squares, n >= 2; times in seconds from t0, so that they stay small. Compensated as upstream does it. */
static struct line fit(const int64_t *t, const double *v, size_t n, int64_t t0)
{
	struct sums all = { 0 };
	for (size_t k = 0; k < n; k += STRETCH) {
		add(&all, t + k, v + k, MIN_OF(n - k, STRETCH), t0, v[0]);
		if (n - k > STRETCH && interrupt_after(8 * STRETCH) < 0)
			break;
	}
	if (!all.differs)
		return isinf(v[0]) ? (struct line){ NAN, NAN } : (struct line){ 0, v[0] };
	double count = (double)n, sx = settle(all.x_y, all.x_y_lost, 0),
	       sy = settle(all.x_y, all.x_y_lost, 1);
	double covariance = settle(all.xx_xy, all.xx_xy_lost, 1) - sx * sy / count;
	double variance = settle(all.xx_xy, all.xx_xy_lost, 0) - sx * sx / count;
	double slope = covariance / variance;
	return (struct line){ slope, sy / count - slope * sx / count };
}

/* Two floats at least; a single one among histograms is said to be that. */
static bool has_line(const struct range_series *s, uint32_t i)
{
	uint32_t n = range_n_floats(s, i);
	if (n && range_n_histograms(s, i))
		range_say(s, RANGE_IGNORED);
	return n >= 2;
}

int range_deriv(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t lo = s->f.lo[i];
		if (has_line(s, i))
			row_set(out, i,
				fit(s->f.t + lo, s->f.v + lo, range_n_floats(s, i), s->f.t[lo]).slope);
		int r = interrupt_after(8ul * range_n_floats(s, i));
		if (r < 0)
			return r;
	}
	return 0;
}

int range_predict_linear(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t lo = s->f.lo[i];
		if (!has_line(s, i))
			continue;
		struct line l = fit(s->f.t + lo, s->f.v + lo, range_n_floats(s, i), s->step_t[i]);
		row_set(out, i, l.slope * s->params[0][i] + l.intercept);
		int r = interrupt_after(8ul * range_n_floats(s, i));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Double exponential smoothing (Holt's linear method): the level after the last sample. n >= 2 */
static double smooth(const double *v, size_t n, double factor, double trend_factor)
{
	double before = 0, level = v[0], trend = v[1] - v[0];
	for (size_t k = 1; k < n; k++) {
		double new_part = factor * v[k];
		if (k > 1)
			trend = trend_factor * (level - before) + (1 - trend_factor) * trend;
		double old_part = (1 - factor) * (level + trend);
		before = level;
		level = new_part + old_part;
		if (k % STRETCH == STRETCH - 1 && interrupt_after(8 * STRETCH) < 0)
			break;
	}
	return level;
}

int range_smoothing(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++) {
		double factor = s->params[0][i], trend = s->params[1][i];
		if (!(range_n_floats(s, i) + range_n_histograms(s, i)))
			continue;
		if (factor <= 0 || factor >= 1)
			return exec_fail(s->w->exec, -EINVAL,
				"invalid smoothing factor. Expected: 0 < sf < 1, got: %f", factor);
		if (trend <= 0 || trend >= 1)
			return exec_fail(s->w->exec, -EINVAL,
				"invalid trend factor. Expected: 0 < tf < 1, got: %f", trend);
		if (has_line(s, i))
			row_set(out, i, smooth(s->f.v + s->f.lo[i], range_n_floats(s, i), factor, trend));
		int r = interrupt_after(8ul * range_n_floats(s, i));
		if (r < 0)
			return r;
	}
	return 0;
}
