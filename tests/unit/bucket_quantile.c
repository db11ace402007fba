/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/bucket_quantile.h"

#include "lib/base/almost.h"
#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <math.h>

#define MOST 5

struct fixture {
	struct classic_bucket b[MOST];
	size_t n;
};

static const struct fixture plain = { { { 1, 2 }, { 2, 6 }, { 4, 8 }, { INFINITY, 10 } }, 4 };
static const struct fixture negative = { { { -1, 2 }, { 1, 4 }, { INFINITY, 4 } }, 3 };
static const struct fixture endless = { { { 1, 2 }, { 2, 6 } }, 2 };
static const struct fixture single = { { { INFINITY, 10 } }, 1 };
static const struct fixture empty = { { { 1, 0 }, { INFINITY, 0 } }, 2 };
static const struct fixture twice = { { { 1, 2 }, { 1, 2 }, { 2, 6 }, { INFINITY, 6 } }, 4 };
static const struct fixture falling = { { { 1, 4 }, { 2, 2 }, { 3, 6 }, { 4, 3 }, { INFINITY, 8 } }, 5 };
static const struct fixture rounded = { { { 1, 4 }, { 2, 4 - 1e-13 }, { INFINITY, 4 + 1e-13 } }, 3 };

static void check_near(size_t i, double got, double want)
{
	if (!is_almost(got, want, 1e-12))
		test_fail(__FILE__, __LINE__, "case %zu gives %.17g, not %.17g", i, got, want);
}

TEST(a_quantile_lies_on_the_line_through_its_bucket)
{
	static const struct {
		const struct fixture *f;
		double q, want;
	} cases[] = { { &plain, 0.1, 0.5 }, { &plain, 0, 0 }, { &plain, 0.4, 1.5 }, { &plain, 0.7, 3 },
		{ &plain, 0.95, 4 }, { &plain, 1, 4 }, { &plain, NAN, NAN }, { &plain, -1, -INFINITY },
		{ &plain, 1.5, INFINITY }, { &negative, 0.25, -1 }, { &negative, 0.75, 0 },
		{ &endless, 0.5, NAN }, { &single, 0.5, NAN }, { &empty, 0.5, NAN }, { &twice, 0.5, 0.75 },
		{ &falling, 0.25, 0.5 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f = *cases[i].f;
		struct bucket_fix fix;
		check_near(i, bucket_quantile(cases[i].q, f.b, f.n, &fix), cases[i].want);
		CHECK_INT(fix.is_forced, cases[i].f == &falling);
	}
}

TEST(counts_that_fall_are_raised_and_what_rounding_explains_is_not_told)
{
	struct fixture f = falling;
	struct bucket_fix fix;
	bucket_quantile(0.5, f.b, f.n, &fix);
	CHECK(fix.is_forced && fix.lowest == 2 && fix.highest == 4 && fix.difference == 3);
	CHECK(f.b[1].count == 4 && f.b[3].count == 6);
	f = rounded;
	check_near(0, bucket_quantile(0.5, f.b, f.n, &fix), 0.5);
	CHECK(!fix.is_forced);
	CHECK(f.b[1].count == 4 && f.b[2].count == 4);
	/* Where nothing is looked for nothing is repaired. */
	f = falling;
	bucket_quantile(2, f.b, f.n, &fix);
	CHECK(!fix.is_forced && f.b[1].count == 2);
}

TEST(a_fraction_is_what_lies_between_two_values)
{
	static const struct {
		const struct fixture *f;
		double lower, upper, want;
	} cases[] = { { &plain, 0, 1, 0.2 }, { &plain, 0.5, 2, 0.5 }, { &plain, -INFINITY, INFINITY, 1 },
		{ &plain, 3, INFINITY, 0.3 }, { &plain, 5, INFINITY, 0.2 }, { &plain, 2, 1, 0 },
		{ &plain, NAN, 1, NAN }, { &plain, 1, NAN, NAN }, { &endless, 0, 1, NAN },
		{ &empty, 0, 1, NAN }, { &negative, -INFINITY, -1, 0.5 }, { &negative, -2, -1, 0 },
		{ &negative, -1, 0, 0.25 }, { &twice, 0, 1, 2.0 / 3 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f = *cases[i].f;
		check_near(i, bucket_fraction(cases[i].lower, cases[i].upper, f.b, f.n), cases[i].want);
	}
}

TEST_MAIN()
