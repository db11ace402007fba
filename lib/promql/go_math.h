/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of Go's math that answer otherwise than C's.
 *
 * math.Min and math.Max: an infinity before everything, then NaN, -0 below 0. (C's fmin and fmax pass NaNs over.)
 *
 * math.Exp on amd64 (src/math/exp_amd64.s) scales by a power of two that is rounded from x / ln 2, and is infinite once that is 2^1024, though the
 * result would be a number up to x = 709.78; so are math.Sinh and math.Cosh, which are half of it there.
 */
#ifndef PROMQL_GO_MATH_H
#define PROMQL_GO_MATH_H

#include <math.h>
#include <stdbool.h>

static inline double go_min(double a, double b)
{
	if (a == -INFINITY || b == -INFINITY)
		return -INFINITY;
	if (isnan(a) || isnan(b))
		return NAN;
	if (a == 0 && b == 0)
		return signbit(a) ? a : b;
	return a < b ? a : b;
}

static inline double go_max(double a, double b)
{
	return -go_min(-a, -b);
}

static inline bool go_exp_overflows(double x)
{
	return rint(x * M_LOG2E) >= 1024;
}

static inline double go_exp(double x)
{
	return go_exp_overflows(x) ? INFINITY : exp(x);
}

static inline double go_sinh(double x)
{
	return go_exp_overflows(fabs(x)) ? copysign(INFINITY, x) : sinh(x);
}

static inline double go_cosh(double x)
{
	return go_exp_overflows(fabs(x)) ? INFINITY : cosh(x);
}

#endif
