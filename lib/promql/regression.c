/* SPDX-License-Identifier: Apache-2.0 */
/* Lines through the floats of a window, and its smoothed continuation. */
#include "lib/promql/range_kernels.h"

#include "lib/base/interrupt.h"
#include "lib/base/kahan.h"

#include <errno.h>
#include <math.h>

struct line {
	double slope, intercept; /* the intercept is where it is at the time that was asked for */
};

#define STRETCH 65536u /* of a long window, between two questions whether to go on */

/* Least squares; times in seconds from t0, so that they stay small. Compensated as upstream does it. */
static struct line fit(const int64_t *t, const double *v, size_t n, int64_t t0)
{
	double x_sum = 0, x_lost = 0, y_sum = 0, y_lost = 0, xy_sum = 0, xy_lost = 0, xx_sum = 0, xx_lost = 0;
	bool is_flat = true;
	for (size_t k = 0; k < n; k++) {
		double x = (double)(t[k] - t0) / 1e3, y = v[k];
		if (k && y != v[0])
			is_flat = false;
		kahan_add(&x_sum, &x_lost, x);
		kahan_add(&y_sum, &y_lost, y);
		kahan_add(&xy_sum, &xy_lost, x * y);
		kahan_add(&xx_sum, &xx_lost, x * x);
		if (k % STRETCH == STRETCH - 1 && interrupt_after(8 * STRETCH) < 0)
			break;
	}
	if (is_flat)
		return isinf(v[0]) ? (struct line){ NAN, NAN } : (struct line){ 0, v[0] };
	double count = (double)n, sx = x_sum + x_lost, sy = y_sum + y_lost;
	double covariance = xy_sum + xy_lost - sx * sy / count, variance = xx_sum + xx_lost - sx * sx / count;
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
