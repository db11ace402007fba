/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/kahan.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

static double sum_of(const double *v, size_t n)
{
	double sum = 0, lost = 0;
	for (size_t i = 0; i < n; i++)
		kahan_add(&sum, &lost, v[i]);
	return sum + lost;
}

TEST(what_rounding_takes_comes_back)
{
	/* The second is Neumaier's: Kahan's own sum of it is 0. */
	double tenths[10], large[] = { 1, 1e100, 1, -1e100 };
	for (size_t i = 0; i < ARRAY_LEN(tenths); i++)
		tenths[i] = 0.1;
	CHECK(sum_of(tenths, ARRAY_LEN(tenths)) == 1.0);
	CHECK(sum_of(large, ARRAY_LEN(large)) == 2.0);
}

TEST(infinite_sums_stay_infinite)
{
	double up[] = { 1, INFINITY, 1 }, over[] = { 1.7e308, 1.7e308 }, both[] = { INFINITY, -INFINITY };
	CHECK(sum_of(up, ARRAY_LEN(up)) == INFINITY);
	CHECK(sum_of(over, ARRAY_LEN(over)) == INFINITY);
	CHECK(isnan(sum_of(both, ARRAY_LEN(both))));
}

TEST_MAIN()
