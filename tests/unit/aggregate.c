/* SPDX-License-Identifier: Apache-2.0 */
/* lib/promql/aggregate*.c, fold*.c */
#include "lib/base/buf.h"
#include "tests/support/rows_table.h"

static const char rows[] = "a{g=\"1\",i=\"x\"} 1 _ NaN 4\n"
			   "a{g=\"2\",i=\"x\"} 10 _ 30 Inf\n"
			   "a{g=\"1\",i=\"y\"} 3 _ 5 -2\n"
			   "a{i=\"z\"} 7 _ 8 9";

TEST(groups_are_made_of_labels)
{
	static const struct query queries[] = {
		{ "sum(a)", "{} 21 _ NaN +Inf\n" },
		{ "sum by (g) (a)", "{g=\"1\"} 4 _ NaN 2\n{g=\"2\"} 10 _ 30 +Inf\n{} 7 _ 8 9\n" },
		{ "sum without (g) (a)", "{i=\"x\"} 11 _ NaN +Inf\n{i=\"y\"} 3 _ 5 -2\n{i=\"z\"} 7 _ 8 9\n" },
		{ "sum by (__name__, none) (a)", "a 21 _ NaN +Inf\n" },
		{ "sum without () (a{i=\"z\"})", "{i=\"z\"} 7 _ 8 9\n" },
		{ "sum(none)", "" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(each_aggregation_gives_what_it_should)
{
	static const struct query queries[] = {
		{ "avg by (g) (a)", "{g=\"1\"} 2 _ NaN 1\n{g=\"2\"} 10 _ 30 +Inf\n{} 7 _ 8 9\n" },
		{ "count(a)", "{} 4 _ 4 4\n" },
		{ "group by (g) (a)", "{g=\"1\"} 1 _ 1 1\n{g=\"2\"} 1 _ 1 1\n{} 1 _ 1 1\n" },
		{ "min(a)", "{} 1 _ 5 -2\n" },
		{ "max(a)", "{} 10 _ 30 +Inf\n" },
		{ "max by (i) (a)", "{i=\"x\"} 10 _ 30 +Inf\n{i=\"y\"} 3 _ 5 -2\n{i=\"z\"} 7 _ 8 9\n" },
		{ "stdvar by (g) (a)", "{g=\"1\"} 1 _ NaN 9\n{g=\"2\"} 0 _ 0 NaN\n{} 0 _ 0 0\n" },
		{ "stddev by (g) (a)", "{g=\"1\"} 1 _ NaN 3\n{g=\"2\"} 0 _ 0 NaN\n{} 0 _ 0 0\n" },
	};
	CHECK_QUERIES(rows, queries);
	CHECK_STR(rows_query("b{i=\"1\"} NaN\nb{i=\"2\"} NaN", "max(b)"), "{} NaN\n");
}

TEST(sums_lose_nothing_to_rounding)
{
	static const char large[] = "a{i=\"1\"} 1 NaN 1e308 Inf\n"
				    "a{i=\"2\"} 1e100 1 1e308 1\n"
				    "a{i=\"3\"} 1 1 1e308 2\n"
				    "a{i=\"4\"} -1e100 1 1e308 3\n";
	CHECK_STR(rows_query(large, "sum(a)"), "{} 2 NaN +Inf +Inf\n");
	CHECK_STR(rows_query(large, "avg(a)"), "{} 0.5 NaN 1e+308 +Inf\n");
}

TEST(histograms_are_aggregated)
{
	static const char mixed[] = "h{i=\"1\"} h1 h1 h1 h1r _ h4\n"
				    "h{i=\"2\"} h3 2 c3 h3n _ _\n"
				    "h{i=\"3\"} h5 h5 h5 h5 7 _\n";
	static const struct query queries[] = {
		{ "sum(h)", "{} {count:9, sum:9, (0.5,1]:9} _ _ {count:9, sum:9, (0.5,1]:9} 7 {count:4, "
			    "sum:4, (0.5,1]:4}\n"
			    "warning: PromQL warning: conflicting counter resets during histogram "
			    "aggregation (1:5)\n"
			    "warning: PromQL warning: encountered a mix of histograms and floats for "
			    "aggregation (1:5)\n"
			    "warning: PromQL warning: vector contains a mix of histograms with exponential "
			    "and custom buckets "
			    "schemas for metric name \"h\" (1:5)\n" },
		{ "avg(h)", "{} {count:3, sum:3, (0.5,1]:3} _ _ {count:3, sum:3, (0.5,1]:3} 7 {count:4, "
			    "sum:4, (0.5,1]:4}\n"
			    "warning: PromQL warning: conflicting counter resets during histogram "
			    "aggregation (1:5)\n"
			    "warning: PromQL warning: encountered a mix of histograms and floats for "
			    "aggregation (1:5)\n"
			    "warning: PromQL warning: vector contains a mix of histograms with exponential "
			    "and custom buckets "
			    "schemas for metric name \"h\" (1:5)\n" },
		{ "count(h)", "{} 3 3 3 3 1 1\n" },
		{ "group(h)", "{} 1 1 1 1 1 1\n" },
		{ "min(h)",
			"{} _ 2 _ _ 7 _\ninfo: PromQL info: ignored histogram in min aggregation (1:5)\n" },
		{ "max(h)",
			"{} _ 2 _ _ 7 _\ninfo: PromQL info: ignored histogram in max aggregation (1:5)\n" },
		{ "stddev(h)", "{} _ 0 _ _ 0 _\ninfo: PromQL info: ignored histogram in stddev aggregation "
			       "(1:8)\n" },
		{ "stdvar(h)", "{} _ 0 _ _ 0 _\ninfo: PromQL info: ignored histogram in stdvar aggregation "
			       "(1:8)\n" },
	};
	CHECK_QUERIES(mixed, queries);
	CHECK_STR(rows_query("h{i=\"1\"} c2\nh{i=\"2\"} C3", "sum(h)"),
		"{} {count:5, sum:5, [-Inf,+Inf]:5}\n"
		"info: PromQL info: mismatched custom buckets were reconciled during aggregation (1:5)\n");
}

/* A thousand rows are folded in runs, which must give the same as one after the other. */
TEST(large_groups_are_put_together)
{
	struct buf text = { 0 };
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&text, "a{i=\"%04u\",g=\"%s\"} %u %s %s h%u %s\n", i, i % 10 ? "large" : "small",
			i + 1, i % 2 ? "_" : "2",
			i == 999   ? "NaN"
			: i == 500 ? "-5"
				   : "1",
			i % 3, i % 100 ? "5" : "_");
	static const struct query queries[] = {
		{ "sum(a)", "{} 500500 1000 NaN {count:999, sum:999, (0.5,1]:999} 4950\n" },
		{ "avg(a)", "{} 500.5 2 NaN {count:0.999, sum:0.999, (0.5,1]:0.999} 5\n" },
		{ "count(a)", "{} 1000 500 1000 1000 990\n" },
		{ "max(a)", "{} 1000 2 1 _ 5\ninfo: PromQL info: ignored histogram in max aggregation "
			    "(1:5)\n" },
		{ "min(a)", "{} 1 2 -5 _ 5\ninfo: PromQL info: ignored histogram in min aggregation "
			    "(1:5)\n" },
		{ "count by (g) (a)",
			"{g=\"small\"} 100 100 100 100 90\n{g=\"large\"} 900 400 900 900 900\n" },
		{ "quantile(0.5, a)", "{} 500.5 2 1 _ 5\ninfo: PromQL info: ignored histogram in "
				      "quantile aggregation (1:15)\n" },
	};
	CHECK_QUERIES(buf_str(&text), queries);
	const char *variance = rows_query(buf_str(&text), "stdvar(a)");
	double got = strtod(variance + strlen("{} "), NULL);
	CHECK(got > 83333.2499999 && got < 83333.2500001);
	buf_fini(&text);
}

TEST(means_of_large_groups_do_not_overflow)
{
	struct buf text = { 0 };
	for (unsigned i = 0; i < 100; i++)
		buf_printf(&text, "a{i=\"%u\"} 1e308\n", i);
	double got = strtod(rows_query(buf_str(&text), "avg(a)") + strlen("{} "), NULL);
	CHECK(got > 1e308 * (1 - 1e-14) && got < 1e308 * (1 + 1e-14));
	buf_fini(&text);
}

TEST(quantiles_of_groups)
{
	static const char few[] = "a{g=\"1\",i=\"x\"} 1 _ NaN h4\n"
				  "a{g=\"1\",i=\"y\"} 3 _ 5 -2\n"
				  "a{g=\"1\",i=\"z\"} 7 _ 8 9\n"
				  "a{g=\"2\"} 4 _ Inf 0";
	static const struct query queries[] = {
		{ "quantile(0.5, a)", "{} 3.5 _ 6.5 0\ninfo: PromQL info: ignored histogram in quantile "
				      "aggregation (1:15)\n" },
		{ "quantile by (g) (0.25, a{g=\"2\"})", "{g=\"2\"} 4 _ NaN 0\n" },
		{ "quantile(2, a{i!=\"x\"})", "{} +Inf _ +Inf +Inf\nwarning: PromQL warning: quantile value "
					      "should be between 0 and 1, got 2 "
					      "(1:10)\n" },
		{ "quantile(-1, a{i!=\"x\"})", "{} -Inf _ -Inf -Inf\nwarning: PromQL warning: quantile value "
					       "should be between 0 and 1, got -1 "
					       "(1:10)\n" },
		{ "quantile(NaN, a{i!=\"x\"})", "{} NaN _ NaN NaN\nwarning: PromQL warning: quantile value "
						"should be between 0 and 1, got NaN "
						"(1:10)\n" },
		{ "quantile(time() / 180, a{i!=\"x\"})", "{} 3 _ +Inf 9\n" },
		{ "quantile(0.5, none)", "" },
	};
	CHECK_QUERIES(few, queries);
}

TEST(names_go_with_those_of_the_rows)
{
	static const char named[] = "a{x=\"1\"} 1\n"
				    "b{x=\"1\"} 2";
	CHECK_STR(rows_query_delayed(named, "sum by (__name__) ({__name__=~\"a|b\"})"), "a 1\nb 2\n");
	CHECK_STR(rows_query_delayed(named, "sum by (__name__) ({__name__=~\"a|b\"} + 1)"), "a 2!\nb 3!\n");
	CHECK_STR(rows_query_delayed(named, "topk(1, a * 2)"), "a{x=\"1\"} 2!\n");
	CHECK_STR(rows_query_delayed(named, "quantile by (__name__) (0, a * 2)"), "a 2!\n");
	CHECK_STR(rows_query_delayed(named, "count_values(\"v\", a * 2)"), "{v=\"2\"} 1\n");
}

/* Wherever the row stands, and whether there are histograms to be let go of. */
TEST(a_row_that_cannot_be_read_fails_what_is_made_of_it)
{
	static const char *const queries[] = { "sum(a)", "avg by (g) (a)", "max(a)", "stddev(a)",
		"quantile(0.5, a)", "quantile by (g) (0.5, a)", "topk(3, a)", "bottomk by (g) (3, a)",
		"limitk(1000, a)", "limit_ratio(1, a)", "count_values(\"v\", a)", "a + a",
		"a + on(g) group_left b", "b * on(g) group_right a", "a and on(g) b", "b or a",
		"b unless on(g) a", "a * 2", "a > bool 2", "a + on() group_left() c", "sum(a) + on() c",
		"a + fill(2) b" };
	for (unsigned bad = 0; bad < 100; bad += 33) {
		auto_buf struct buf text = { 0 };
		for (unsigned i = 0; i < 100; i++)
			buf_printf(
				&text, "a{i=\"%u\",g=\"%u\"} h2 %s c%u\n", i, i % 3, i == bad ? "!" : "1", i);
		buf_add_str(&text, "b{g=\"0\"} h1 2 _\nb{g=\"1\"} _ 2 c1\nb{g=\"2\"} 1 2 c1\nc{x=\"1\"} h5 _ "
				   "_\nc{x=\"2\"} _ 1 _");
		for (size_t k = 0; k < ARRAY_LEN(queries); k++)
			CHECK_HAS(rows_query(buf_str(&text), queries[k]), "error: a row can't be read\n");
	}
}

TEST_MAIN()
