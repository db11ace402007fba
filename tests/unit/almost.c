/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/almost.h"

#include "tests/support/test.h"

#include <math.h>

static double stale(void)
{
	double v;
	memcpy(&v, &(uint64_t){ 0x7ff0000000000002ull }, sizeof v);
	return v;
}

TEST(numbers_are_almost_the_same_within_a_share_of_their_sizes)
{
	CHECK(is_almost(1, 1, 0));
	CHECK(is_almost(1, 1 + 1e-7, 1e-6));
	CHECK(!is_almost(1, 1 + 1e-5, 1e-6));
	CHECK(is_almost(1e300, 1e300 * (1 + 1e-7), 1e-6));
	CHECK(!is_almost(1, -1, 1e-6));
	CHECK(is_almost(INFINITY, INFINITY, 1e-6));
	CHECK(!is_almost(INFINITY, -INFINITY, 1e-6));
	CHECK(!is_almost(1, NAN, 1e-6));
}

TEST(near_zero_only_what_is_far_below_a_normal_number_is_almost_the_same)
{
	CHECK(is_almost(0, -0.0, 1e-6));
	CHECK(!is_almost(0, 1e-12, 1e-6));
	CHECK(is_almost(0, 5e-324, 1e-6));
}

TEST(the_stale_marker_is_like_no_other_nan)
{
	CHECK(is_almost(NAN, -NAN, 1e-6));
	CHECK(is_almost(stale(), stale(), 1e-6));
	CHECK(!is_almost(stale(), NAN, 1e-6));
	CHECK(!is_almost(1, stale(), 1e-6));
}

TEST_MAIN()
