/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/quantile.h"
#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <math.h>

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;
	return isnan(a) ? -!isnan(b) : isnan(b) ? 1 : (a > b) - (a < b);
}

/* As its definition says: sorted, and between two. */
static double naive(double q, const double *v, size_t n)
{
	double sorted[64];
	memcpy(sorted, v, n * sizeof *v);
	qsort(sorted, n, sizeof sorted[0], by_value);
	double rank = q * (double)(n - 1), weight = rank - floor(rank);
	size_t lower = (size_t)rank, upper = lower + 1 < n ? lower + 1 : n - 1;
	return sorted[lower] * (1 - weight) + sorted[upper] * weight;
}

TEST(it_is_what_sorting_would_give)
{
	uint64_t seed = 42;
	for (unsigned round = 0; round < 20000; round++) {
		double v[64], q = (double)(test_random(&seed) % 101) / 100;
		size_t n = 1 + test_random(&seed) % ARRAY_LEN(v), kinds = 1 + test_random(&seed) % 20;
		for (size_t i = 0; i < n; i++) {
			uint64_t kind = test_random(&seed) % (kinds + 2);
			v[i] = kind == kinds ? NAN : kind > kinds ? INFINITY : (double)kind;
		}
		double want = naive(q, v, n), got = quantile_of(q, v, n);
		if (!(got == want || (isnan(got) && isnan(want))))
			test_fail(__FILE__, __LINE__, "round %u: %g is %g, want %g", round, q, got, want);
	}
}

TEST(ranks_that_do_not_exist_are_infinite)
{
	double v[] = { 3, 1, 2 };
	CHECK(quantile_of(-0.1, v, 3) == -INFINITY);
	CHECK(quantile_of(1.1, v, 3) == INFINITY);
	CHECK(isnan(quantile_of(NAN, v, 3)));
	CHECK(isnan(quantile_of(0.5, v, 0)));
	CHECK(quantile_of(0, v, 3) == 1);
	CHECK(quantile_of(1, v, 3) == 3);
	CHECK(quantile_of(0.25, v, 3) == 1.5);
}

TEST_MAIN()
