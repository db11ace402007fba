/* SPDX-License-Identifier: Apache-2.0 */
#include "query/result_json.h"

#include "tests/support/test.h"

#include <errno.h>

#include <math.h>

TEST(times_are_seconds_with_three_decimals_or_none)
{
	static const struct {
		int64_t t;
		double v;
		const char *text;
	} table[] = {
		{ 0, 0, "[0,\"0\"]" },
		{ 1435781430781, 1, "[1435781430.781,\"1\"]" },
		{ 1435781430000, 1.5, "[1435781430,\"1.5\"]" },
		{ 1435781430500, 1, "[1435781430.500,\"1\"]" },
		{ 1435781430007, 1, "[1435781430.007,\"1\"]" },
		{ 1, 1, "[0.001,\"1\"]" },
		{ -1, 1, "[-0.001,\"1\"]" },
		{ -1500, 1, "[-1.500,\"1\"]" },
		{ INT64_MAX, 1, "[9223372036854775.807,\"1\"]" },
		{ INT64_MIN, 1, "[-9223372036854775.808,\"1\"]" },
		{ 0, NAN, "[0,\"NaN\"]" },
		{ 0, INFINITY, "[0,\"+Inf\"]" },
		{ 0, -INFINITY, "[0,\"-Inf\"]" },
		{ 0, 1e20, "[0,\"100000000000000000000\"]" },
		{ 0, 1e21, "[0,\"1e+21\"]" },
		{ 0, 1e-6, "[0,\"0.000001\"]" },
		{ 0, 9e-7, "[0,\"9e-07\"]" },
		{ 0, 0.1, "[0,\"0.1\"]" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_buf struct buf b = { 0 };
		result_json_point(&b, table[i].t, table[i].v);
		CHECK_STR(buf_str(&b), table[i].text);
	}
}

TEST(scalars_and_strings_have_no_zeros_behind_their_times)
{
	auto_buf struct buf b = { 0 };
	result_json_scalar(&b, 1500, 1e21);
	result_json_string(&b, -500, TEXT("a<\"b"));
	CHECK_STR(buf_str(&b), "[1.5,\"1000000000000000000000\"][-0.5,\"a\\u003c\\\"b\"]");
}

static unsigned flushes;
static int flush_says;

static int count_flush(void *arg)
{
	++*(unsigned *)arg;
	return flush_says;
}

TEST(a_long_series_is_handed_over_in_parts)
{
	enum { N = 100000 };
	static int64_t t[N];
	static double v[N];
	auto_buf struct buf b = { 0 };
	struct promql_series s = { .n = N, .t = t, .v = v };
	flushes = 0;
	CHECK_INT(result_json_points(&b, &s, count_flush, &flushes), 0);
	CHECK(flushes >= 50);
	buf_reset(&b);
	flush_says = -ECANCELED;
	CHECK_INT(result_json_points(&b, &s, count_flush, &flushes), -ECANCELED);
	CHECK(b.len < 100000);
	flush_says = 0;
}

TEST(floats_and_histograms_of_a_series_stand_apart)
{
	struct float_histogram one = { .count = 2, .sum = 3 };
	const struct float_histogram *const h[] = { NULL, &one, NULL, &one };
	const int64_t t[] = { 1000, 2000, 3000, 4000 };
	const double v[] = { 1, 3, 2, 3 };
	auto_buf struct buf b = { 0 };
	struct promql_series s = { .n = 4, .t = t, .v = v, .h = h };
	CHECK_INT(result_json_points(&b, &s, count_flush, &flushes), 0);
	CHECK_STR(buf_str(&b), ",\"values\":[[1,\"1\"],[3,\"2\"]],\"histograms\":[[2,{\"count\":\"2\","
			       "\"sum\":\"3\"}],[4,{\"count\":"
			       "\"2\",\"sum\":\"3\"}]]");
	buf_reset(&b);
	s.h = h + 1;
	s.n = 1;
	CHECK_INT(result_json_points(&b, &s, count_flush, &flushes), 0);
	CHECK_STR(buf_str(&b), ",\"histograms\":[[1,{\"count\":\"2\",\"sum\":\"3\"}]]");
	buf_reset(&b);
	result_json_sample(&b, &s);
	CHECK_STR(buf_str(&b), ",\"histogram\":[1,{\"count\":\"2\",\"sum\":\"3\"}]");
	buf_reset(&b);
	s.h = NULL;
	result_json_sample(&b, &s);
	CHECK_STR(buf_str(&b), ",\"value\":[1,\"1\"]");
}

TEST_MAIN()
