/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/date.h"
#include "tests/support/test.h"

#include <math.h>
#include <time.h>

/* Against the C library, at random times from year -999 to 9999. */
TEST(parts_are_those_of_the_c_library)
{
	uint64_t seed = 7;
	for (unsigned round = 0; round < 100000; round++) {
		int64_t s = (int64_t)(test_random(&seed) % 347000000000ull) - 93700000000ll;
		time_t t = s;
		struct tm tm;
		gmtime_r(&t, &tm);
		double v = (double)s;
		CHECK_INT(date_year(v), tm.tm_year + 1900);
		CHECK_INT(date_month(v), tm.tm_mon + 1);
		CHECK_INT(date_day_of_month(v), tm.tm_mday);
		CHECK_INT(date_day_of_week(v), tm.tm_wday);
		CHECK_INT(date_day_of_year(v), tm.tm_yday + 1);
		CHECK_INT(date_hour(v), tm.tm_hour);
		CHECK_INT(date_minute(v), tm.tm_min);
	}
}

TEST(months_have_their_days)
{
	CHECK_INT(date_days_in_month(951782400), 29);   /* 2000-02-29 */
	CHECK_INT(date_days_in_month(-2203977600), 28); /* 1900-02-28 */
	CHECK_INT(date_days_in_month(1677628800), 31);  /* 2023-03-01 */
}

/* As Go has them, on machines where what doesn't fit becomes the lowest number. */
TEST(what_is_no_time_has_the_parts_that_go_gives_it)
{
	static const double none[] = { NAN, INFINITY, -INFINITY, 1e300, -0x1p63 };
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		CHECK_INT(date_year(none[i]), 292277026596);
		CHECK_INT(date_month(none[i]), 12);
		CHECK_INT(date_day_of_month(none[i]), 4);
		CHECK_INT(date_day_of_week(none[i]), 0);
		CHECK_INT(date_day_of_year(none[i]), 339);
		CHECK_INT(date_hour(none[i]), 15);
		CHECK_INT(date_minute(none[i]), 30);
	}
	CHECK_INT(date_year(-9e18), -285198644592);
}

TEST_MAIN()
