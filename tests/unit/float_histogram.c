/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/float_histogram.h"

#include "lib/tsdb/bucket_bound.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/histogram_text.h"
#include "tests/support/hex.h"
#include "tests/support/histograms.h"
#include "tests/support/test.h"

#include <errno.h>
#include <float.h>
#include <math.h>

static void check_text(const struct float_histogram *h, const char *want)
{
	auto_buf struct buf text = { 0 };
	histogram_print_test(h, &text);
	CHECK_STR(buf_str(&text), want);
}

static struct histogram_chunk chunk_of(
	struct histogram_layout layout, uint8_t header, bool is_float, uint64_t *cells, size_t n)
{
	size_t width = layout.positive_buckets + layout.negative_buckets;
	(void)width;
	return (struct histogram_chunk){ .is_float = is_float,
		.header = header,
		.layout = layout,
		.n = n,
		.sum = cells,
		.count = cells + n,
		.zero_count = cells + 2 * n,
		.buckets = cells + 3 * n };
}

static uint64_t bits_of(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

TEST(samples_of_an_integer_chunk_have_float_counts)
{
	struct histogram_span positive[] = { { -1, 2 } }, negative[] = { { 2, 1 } };
	struct histogram_layout layout = { .schema = 3,
		.zero_threshold = 0.5,
		.positive = positive,
		.negative = negative,
		.n_positive = 1,
		.n_negative = 1,
		.positive_buckets = 2,
		.negative_buckets = 1 };
	uint64_t cells[] = { bits_of(1.5), bits_of(2.5), STALE_NAN_BITS, 6, 9, 0, 1, 2, 0, 1, 2, 3, 2, 2, 3,
		0, 0, 0 };
	struct histogram_chunk c = chunk_of(layout, HISTOGRAM_RESET, false, cells, 3);
	auto_free struct float_histogram *first = float_histogram_of_chunk(&c, 0),
					 *second = float_histogram_of_chunk(&c, 1),
					 *stale = float_histogram_of_chunk(&c, 2);
	check_text(first,
		"{{schema:3 count:6 sum:1.5 z_bucket:1 z_bucket_w:0.5 offset:-1 buckets:[1 2] n_offset:2 "
		"n_buckets:[3]}}");
	check_text(second,
		"{{schema:3 count:9 sum:2.5 z_bucket:2 z_bucket_w:0.5 counter_reset_hint:not_reset "
		"offset:-1 buckets:[2 2] n_offset:2 n_buckets:[3]}}");
	CHECK(!float_histogram_is_stale(first));
	CHECK(float_histogram_is_stale(stale));
	CHECK_INT(stale->n_positive + stale->n_negative, 0);
	c.header = HISTOGRAM_GAUGE;
	auto_free struct float_histogram *gauge = float_histogram_of_chunk(&c, 0);
	CHECK_INT(gauge->reset_hint, RESET_GAUGE);
}

TEST(samples_of_a_float_chunk_may_have_custom_bounds)
{
	struct histogram_span positive[] = { { 0, 1 }, { 1, 1 } };
	double custom[] = { 0.1, 10 };
	struct histogram_layout layout = { .schema = -53,
		.positive = positive,
		.n_positive = 2,
		.positive_buckets = 2,
		.custom = custom,
		.n_custom = 2 };
	uint64_t cells[] = { bits_of(-1), bits_of(1.5), 0, bits_of(0.25), bits_of(1.25) };
	struct histogram_chunk c = chunk_of(layout, HISTOGRAM_NOT_RESET, true, cells, 1);
	auto_free struct float_histogram *h = float_histogram_of_chunk(&c, 0);
	check_text(h, "{{schema:-53 count:1.5 sum:-1 custom_values:[0.1 10] buckets:[0.25 0 1.25]}}");
	CHECK_OK(float_histogram_check(h, NULL), &(struct err){ 0 });
}

TEST(schemas_above_8_are_reduced_to_8)
{
	struct histogram_span positive[] = { { 1, 5 } };
	struct histogram_layout layout = {
		.schema = 10, .positive = positive, .n_positive = 1, .positive_buckets = 5
	};
	uint64_t cells[] = { bits_of(1), 15, 0, 1, 2, 3, 4, 5 };
	struct histogram_chunk c = chunk_of(layout, HISTOGRAM_NOT_RESET, false, cells, 1);
	auto_free struct float_histogram *h = float_histogram_of_chunk(&c, 0);
	check_text(h, "{{schema:8 count:15 sum:1 offset:1 buckets:[10 5]}}");
}

TEST(bounds_are_those_that_exporters_count_by)
{
	CHECK(bucket_bound(0, 0) == 1);
	CHECK(bucket_bound(0, 10) == 1024);
	CHECK(bucket_bound(0, -1) == 0.5);
	CHECK(bucket_bound(1, 1) == 2 * 0.7071067811865475);
	CHECK(bucket_bound(1, -1) == 0.7071067811865475);
	CHECK(bucket_bound(2, 3) == 2 * 0.8408964152537144);
	CHECK(bucket_bound(8, 256) == 2);
	CHECK(bucket_bound(8, -256) == 0.5);
	CHECK(bucket_bound(-4, 1) == 65536);
	CHECK(bucket_bound(-2, -1) == 0.0625);
	CHECK(bucket_bound(0, 1024) == DBL_MAX);
	CHECK(bucket_bound(-1, 512) == DBL_MAX);
	CHECK(bucket_bound(3, 8192) == DBL_MAX);
	CHECK(isinf(bucket_bound(3, 8193)));
	CHECK(isinf(bucket_bound(0, 1025)));
	CHECK(bucket_bound(8, -(1 << 30)) == 0);
	CHECK(isinf(bucket_bound(-9, 1 << 30)));
	for (int32_t schema = 0; schema <= 8; schema++)
		for (int32_t i = -300; i < 300; i++)
			CHECK(bucket_bound(schema, i) < bucket_bound(schema, i + 1));
}

TEST(equality_is_of_bits_and_buckets)
{
	static const struct {
		const char *a, *b;
		bool is_equal, is_near;
	} cases[] = {
		{ "{{count:1 buckets:[1]}}", "{{count:1 buckets:[1]}}", true, true },
		{ "{{count:1 buckets:[1] counter_reset_hint:reset}}", "{{count:1 buckets:[1]}}", true, true },
		{ "{{count:1 buckets:[1]}}", "{{count:1 buckets:[1.0000001]}}", false, true },
		{ "{{count:1 sum:NaN}}", "{{count:1 sum:NaN}}", true, true },
		{ "{{count:1 buckets:[1]}}", "{{count:1 buckets:[1 0]}}", false, false },
		{ "{{count:1 buckets:[1]}}", "{{count:1 offset:1 buckets:[1]}}", false, false },
		{ "{{count:1 buckets:[1]}}", "{{count:1 n_buckets:[1]}}", false, false },
		{ "{{count:1 buckets:[1]}}", "{{schema:1 count:1 buckets:[1]}}", false, false },
		{ "{{z_bucket:1 z_bucket_w:1}}", "{{z_bucket:1 z_bucket_w:1.0000001}}", false, false },
		{ "{{schema:-53 custom_values:[1 2]}}", "{{schema:-53 custom_values:[1 3]}}", false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free struct float_histogram *a = histogram_of(cases[i].a), *b = histogram_of(cases[i].b);
		CHECK_INT(float_histogram_is_equal(a, b), cases[i].is_equal);
		CHECK_INT(float_histogram_is_near(a, b, 1e-6), cases[i].is_near);
	}
}

TEST(a_reset_is_what_a_growing_counter_cannot_do)
{
	static const struct {
		const char *before, *after;
		bool is_reset;
	} cases[] = {
		{ "{{count:1 buckets:[1]}}", "{{count:2 buckets:[1 1]}}", false },
		{ "{{count:2 buckets:[1 1]}}", "{{count:1 buckets:[1]}}", true },
		{ "{{count:2 buckets:[1 1]}}", "{{count:3 buckets:[3]}}", true },
		{ "{{count:2 buckets:[1 1]}}", "{{count:3 buckets:[0 3]}}", true },
		{ "{{count:2 buckets:[0 2]}}", "{{count:3 offset:1 buckets:[3]}}", false },
		{ "{{count:2 n_buckets:[2]}}", "{{count:3 n_buckets:[1 2]}}", true },
		{ "{{count:2 z_bucket:2}}", "{{count:3 z_bucket:1 buckets:[2]}}", true },
		{ "{{count:2 buckets:[1 1]}}", "{{count:1 buckets:[1] counter_reset_hint:not_reset}}",
			false },
		{ "{{count:1 buckets:[1]}}", "{{count:1 buckets:[1] counter_reset_hint:reset}}", true },
		{ "{{count:2 buckets:[1 1]}}", "{{count:1 buckets:[1] counter_reset_hint:gauge}}", true },
		/* Resolution may fall, not rise. */
		{ "{{schema:1 count:2 offset:1 buckets:[1 1]}}", "{{count:2 offset:1 buckets:[2]}}", false },
		{ "{{schema:1 count:2 offset:1 buckets:[1 1]}}", "{{count:3 offset:1 buckets:[1 2]}}", true },
		{ "{{count:2 offset:1 buckets:[2]}}", "{{schema:1 count:2 offset:1 buckets:[1 1]}}", true },
		/* The zero bucket may grow, over whole buckets. */
		{ "{{count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 1]}}",
			"{{count:3 z_bucket:2 z_bucket_w:1 offset:1 buckets:[1]}}", false },
		{ "{{count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 1]}}",
			"{{count:3 z_bucket:1 z_bucket_w:1 offset:1 buckets:[2]}}", true },
		{ "{{count:3 z_bucket:1 z_bucket_w:0.5 buckets:[1 1]}}",
			"{{count:3 z_bucket:2 z_bucket_w:0.75 offset:1 buckets:[1]}}", true },
		{ "{{count:1 z_bucket:1 z_bucket_w:0.5}}", "{{count:1 z_bucket:1 z_bucket_w:0.25}}", true },
		/* Custom bounds are compared by those in common. */
		{ "{{schema:-53 count:4 custom_values:[1 2 3] buckets:[1 1 1 1]}}",
			"{{schema:-53 count:4 custom_values:[2] buckets:[2 2]}}", false },
		{ "{{schema:-53 count:4 custom_values:[1 2 3] buckets:[1 1 1 1]}}",
			"{{schema:-53 count:5 custom_values:[2] buckets:[1 4]}}", true },
		{ "{{schema:-53 count:4 custom_values:[1 2] buckets:[1 1 2]}}",
			"{{schema:-53 count:4 custom_values:[1 2] buckets:[2 0 2]}}", true },
		{ "{{count:1 buckets:[1]}}", "{{schema:-53 count:1 custom_values:[1] buckets:[1]}}", true },
		{ "{{schema:-53 count:1 custom_values:[1] buckets:[1]}}", "{{count:1 buckets:[1]}}", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free struct float_histogram *before = histogram_of(cases[i].before),
						 *after = histogram_of(cases[i].after);
		if (float_histogram_is_reset(after, before) != cases[i].is_reset)
			test_fail(__FILE__, __LINE__, "case %zu: %s then %s", i, cases[i].before,
				cases[i].after);
	}
}

TEST(histograms_that_do_not_fit_together_are_refused)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "{{count:1 buckets:[1] n_buckets:[1]}}", NULL },
		{ "{{schema:-53 count:1 custom_values:[1] buckets:[1 1]}}", NULL },
		{ "{{schema:9}}",
			"histogram has an invalid schema, which must be between -4 and 8 for exponential "
			"buckets, or -53 for custom buckets, got schema 9" },
		{ "{{count:-1}}", "observation count is  -1: histogram's observation count is negative" },
		{ "{{n_buckets:[1 -2]}}",
			"negative side: bucket number 2 has observation count of -2: histogram has "
			"a bucket whose observation count is negative" },
		{ "{{z_bucket:-1}}", "zero bucket has observation count of -1: histogram has a bucket whose "
				     "observation count is negative" },
		{ "{{custom_values:[1]}}", "histogram with exponential schema must not have custom bounds" },
		{ "{{schema:-53 custom_values:[2 1]}}",
			"custom buckets: previous bound is 2.000000 and current is "
			"1.000000: histogram custom bounds must be in strictly increasing order" },
		{ "{{schema:-53 custom_values:[2 +Inf]}}",
			"custom buckets: last +Inf bound must not be explicitly "
			"defined: histogram custom bounds must be finite" },
		{ "{{schema:-53 custom_values:[NaN]}}",
			"custom buckets: histogram custom bounds must not be NaN" },
		{ "{{schema:-53 custom_values:[1] buckets:[1 1 1]}}",
			"custom buckets: only 1 custom bounds defined "
			"which is insufficient to cover total span length of 3: "
			"histogram custom bounds are too few" },
		{ "{{schema:-53 z_bucket:1}}", "custom buckets: must have zero count of 0" },
		{ "{{schema:-53 n_buckets:[1]}}", "custom buckets: must not have negative spans" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free struct float_histogram *h = histogram_of(cases[i].text);
		struct err e = { 0 };
		CHECK_INT(float_histogram_check(h, &e), cases[i].why ? -EINVAL : 0);
		CHECK_STR(e.msg, cases[i].why ? cases[i].why : "");
	}
}

TEST_MAIN()
