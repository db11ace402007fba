/* SPDX-License-Identifier: Apache-2.0 */
/* math.Min and math.Max of Go: an infinity before everything, then NaN, -0 below 0. (C's fmin and fmax pass NaNs over.) */
#ifndef PROMQL_GO_MATH_H
#define PROMQL_GO_MATH_H

#include <math.h>

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

#endif
