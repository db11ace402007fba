/* SPDX-License-Identifier: Apache-2.0 */
/* lib/promql/aggregate_k.c, top_rows.c, top_heap.c, pick.c, aggregate_ratio.c, aggregate_param.c */
#include "lib/base/buf.h"
#include "tests/support/rows_table.h"

static const char rows[] = "a{i=\"1\"} 1 5 NaN h1\n"
			   "a{i=\"2\"} 2 4 NaN 3\n"
			   "a{i=\"3\"} 3 _ 2 4\n"
			   "a{i=\"4\",g=\"x\"} 4 2 1 5";

TEST(the_best_are_picked_at_each_step)
{
	static const struct query queries[] = {
		{ "topk(2, a)", "a{i=\"1\"} _ 5 _ _\na{i=\"2\"} _ 4 _ _\na{i=\"3\"} 3 _ 2 4\na{g=\"x\", "
				"i=\"4\"} 4 _ 1 5\n"
				"info: PromQL info: ignored histogram in topk aggregation (1:1)\n" },
		{ "bottomk(2, a)", "a{i=\"1\"} 1 _ _ _\na{i=\"2\"} 2 4 _ 3\na{i=\"3\"} _ _ 2 4\na{g=\"x\", "
				   "i=\"4\"} _ 2 1 _\n"
				   "info: PromQL info: ignored histogram in bottomk aggregation (1:1)\n" },
		{ "topk by (g) (1, a{i!=\"1\"})",
			"a{i=\"2\"} _ 4 _ _\na{i=\"3\"} 3 _ 2 4\na{g=\"x\", i=\"4\"} 4 2 1 5\n" },
		{ "topk(time() / 60, a{i!=\"1\"})",
			"a{i=\"2\"} _ 4 _ 3\na{i=\"3\"} _ _ 2 4\na{g=\"x\", i=\"4\"} _ _ 1 5\n" },
		{ "topk(100, a{g=\"x\"})", "a{g=\"x\", i=\"4\"} 4 2 1 5\n" },
		{ "topk(0, a)", "" },
		{ "topk(-5, a)", "" },
		{ "topk(0.9, a)", "" },
		{ "bottomk(1, none)", "" },
		{ "topk(NaN, a)", "error: Parameter value is NaN\n" },
		{ "topk(1e100, a)", "error: Scalar value 1e+100 overflows int64\n" },
		{ "bottomk(Inf, a)", "error: Scalar value +Inf overflows int64\n" },
		{ "topk(3 - 1e30 * (time() > bool 0), a)", "error: Scalar value -1e+30 underflows int64\n" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(an_instant_query_has_the_best_first)
{
	static const char once[] =
		"a{i=\"1\"} 5\na{i=\"2\"} NaN\na{i=\"3\"} 7\na{i=\"4\",g=\"x\"} 6\na{i=\"5\",g=\"x\"} 9";
	static const struct query queries[] = {
		{ "topk(3, a)", "a{g=\"x\", i=\"5\"} 9\na{i=\"3\"} 7\na{g=\"x\", i=\"4\"} 6\n" },
		{ "topk(9, a)", "a{g=\"x\", i=\"5\"} 9\na{i=\"3\"} 7\na{g=\"x\", i=\"4\"} 6\na{i=\"1\"} "
				"5\na{i=\"2\"} NaN\n" },
		{ "bottomk by (g) (2, a)",
			"a{i=\"1\"} 5\na{i=\"3\"} 7\na{g=\"x\", i=\"4\"} 6\na{g=\"x\", i=\"5\"} 9\n" },
		{ "topk(3, a) * 2", "{g=\"x\", i=\"5\"} 18\n{i=\"3\"} 14\n{g=\"x\", i=\"4\"} 12\n" },
		{ "sum(topk(2, a))", "{} 16\n" },
		{ "topk(1, none)", "" },
	};
	CHECK_QUERIES(once, queries);
}

TEST(the_best_of_many_rows_are_found_in_runs)
{
	struct buf text = { 0 };
	for (unsigned i = 0; i < 3000; i++)
		buf_printf(&text, "a{i=\"%04u\"} %u %s\n", i, i * 7919 % 3000, i % 1000 == 3 ? "1" : "_");
	CHECK_STR(rows_query(buf_str(&text), "topk(2, a)"),
		"a{i=\"0003\"} _ 1\na{i=\"1003\"} _ 1\na{i=\"1321\"} 2999 _\na{i=\"2642\"} 2998 _\n");
	CHECK_STR(rows_query(buf_str(&text), "count(topk(2500, a))"), "{} 2500 3\n");
	CHECK_STR(rows_query(buf_str(&text), "max(bottomk(2500, a))"), "{} 2499 1\n");
	buf_fini(&text);
}

TEST(limitk_takes_the_first)
{
	static const struct query queries[] = {
		{ "limitk(2, a)", "a{i=\"1\"} 1 5 NaN {count:1, sum:1, (0.5,1]:1}\na{i=\"2\"} 2 4 NaN 3\n" },
		{ "limitk(3, a)", "a{i=\"1\"} 1 5 NaN {count:1, sum:1, (0.5,1]:1}\na{i=\"2\"} 2 4 NaN "
				  "3\na{i=\"3\"} 3 _ 2 4\n"
				  "a{g=\"x\", i=\"4\"} _ 2 _ _\n" },
		{ "limitk by (g) (1, a)",
			"a{i=\"1\"} 1 5 NaN {count:1, sum:1, (0.5,1]:1}\na{g=\"x\", i=\"4\"} 4 2 1 5\n" },
		{ "limitk(time() / 60, a)", "a{i=\"1\"} _ 5 NaN {count:1, sum:1, (0.5,1]:1}\n"
					    "a{i=\"2\"} _ _ NaN 3\na{i=\"3\"} _ _ _ 4\n" },
		{ "limitk(0, a)", "" },
		{ "limitk(NaN, a)", "error: Parameter value is NaN\n" },
	};
	CHECK_QUERIES(rows, queries);
	CHECK_STR(rows_query("a{i=\"1\"} h1\na{i=\"2\"} 2\na{i=\"3\"} 3", "limitk(2, a)"),
		"a{i=\"1\"} {count:1, sum:1, (0.5,1]:1}\na{i=\"2\"} 2\n");
}

TEST(limit_ratio_and_its_complement_are_everything)
{
	struct buf text = { 0 };
	for (unsigned i = 0; i < 200; i++)
		buf_printf(&text, "a{i=\"%u\"} 1\n", i);
	const char *all = buf_str(&text);
	CHECK_STR(rows_query(all, "count(limit_ratio(1, a))"), "{} 200\n");
	CHECK_STR(rows_query(all, "count(limit_ratio(-1, a))"), "{} 200\n");
	CHECK_STR(rows_query(all, "limit_ratio(0, a)"), "");
	CHECK_STR(rows_query(all, "count(limit_ratio(0.3, a) or limit_ratio(-0.7, a))"), "{} 200\n");
	CHECK_STR(rows_query(all, "limit_ratio(0.3, a) and limit_ratio(-0.7, a)"), "");
	CHECK_STR(rows_query(all, "count(limit_ratio(1.5, a))"),
		"{} 200\nwarning: PromQL warning: ratio value should be between -1 and 1, got 1.5, capping "
		"to 1 (1:19)\n");
	CHECK_STR(rows_query(all, "count(limit_ratio(-2, a))"),
		"{} 200\nwarning: PromQL warning: ratio value should be between -1 and 1, got -2, capping to "
		"-1 (1:19)\n");
	CHECK_STR(rows_query(all, "limit_ratio(NaN, a)"), "error: Ratio value is NaN\n");
	buf_fini(&text);
}

TEST_MAIN()
