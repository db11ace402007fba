/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums that remember what rounding took: Kahan's summation with Neumaier's improvement, step for step as Prometheus does it
 * (util/kahansum), so that sums come out the same to the last bit. The sum is *sum + *lost.
 */
#ifndef BASE_KAHAN_H
#define BASE_KAHAN_H

#include <math.h>

static inline void kahan_add(double *sum, double *lost, double x)
{
	double s = *sum, t = s + x, took = fabs(s) >= fabs(x) ? (s - t) + x : (x - t) + s;
	/* What is lost of an infinite sum isn't a number, and would spoil it. */
	*lost = isinf(t) ? 0 : *lost + took;
	*sum = t;
}

#endif
