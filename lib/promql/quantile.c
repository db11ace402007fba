/* SPDX-License-Identifier: Apache-2.0 */
/* Only the two values that are wanted are brought to their places, which takes linear time (Hoare's selection). */
#include "lib/promql/quantile.h"

#include "lib/base/interrupt.h"

#include <math.h>

static inline void swap(double *a, double *b)
{
	double t = *a;
	*a = *b;
	*b = t;
}

static double middle_of(double a, double b, double c)
{
	if (a > b)
		swap(&a, &b);
	return c < a ? a : c > b ? b : c;
}

/* v[k] becomes what it would be in order, with nothing greater before and nothing smaller behind, unless the run is over. No NaNs. */
static void bring(double *v, size_t n, size_t k)
{
	ptrdiff_t lo = 0, hi = (ptrdiff_t)n - 1, want = (ptrdiff_t)k;
	while (lo < hi && interrupt_after((uint64_t)(hi - lo)) == 0) {
		double pivot = middle_of(v[lo], v[lo + (hi - lo) / 2], v[hi]);
		ptrdiff_t i = lo, j = hi;
		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i <= j)
				swap(&v[i++], &v[j--]);
		}
		/* v[lo .. j] <= pivot <= v[i .. hi], and what lies between is the pivot. */
		if (want <= j)
			hi = j;
		else if (want >= i)
			lo = i;
		else
			return;
	}
}

double quantile_of(double q, double *v, size_t n)
{
	if (n == 0 || isnan(q))
		return NAN;
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	size_t nans = 0;
	for (size_t i = 0; i < n; i++)
		if (isnan(v[i]))
			swap(&v[nans++], &v[i]);
	double rank = q * (double)(n - 1), whole = floor(rank), weight = rank - whole;
	size_t lower = (size_t)whole, upper = lower + 1 < n ? lower + 1 : n - 1;
	if (lower >= nans)
		bring(v + nans, n - nans, lower - nans);
	double at = v[lower], next = at;
	if (upper > lower) {
		/* The least of what lies behind. */
		size_t k = upper < nans ? upper : lower + 1;
		next = v[k];
		for (k++; upper >= nans && k < n; k++)
			if (v[k] < next)
				next = v[k];
	}
	return at * (1 - weight) + next * weight;
}
