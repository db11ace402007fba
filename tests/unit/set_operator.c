/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rows_table.h"

static const char rows[] = "a{x=\"1\",y=\"p\"} 1 2 _ 4\n"
			   "a{x=\"1\",y=\"q\"} 5 _ 7 8\n"
			   "a{x=\"2\",y=\"p\"} h9 10 11 _\n"
			   "b{x=\"1\"} _ 1 _ _\n"
			   "b{x=\"1\",z=\"r\"} _ 1 1 _\n"
			   "b{x=\"3\"} 3 3 3 3\n"
			   "c 0 _ 0 h1";

TEST(and_keeps_what_the_other_side_has)
{
	static const struct query queries[] = {
		{ "a and on(x) b", "a{x=\"1\", y=\"p\"} _ 2 _ _\na{x=\"1\", y=\"q\"} _ _ 7 _\n" },
		{ "a and on() c", "a{x=\"1\", y=\"p\"} 1 _ _ 4\na{x=\"1\", y=\"q\"} 5 _ 7 8\n"
				  "a{x=\"2\", y=\"p\"} {count:9, sum:9, (0.5,1]:9} _ 11 _\n" },
		{ "b and ignoring(y, z) a", "b{x=\"1\"} _ 1 _ _\nb{x=\"1\", z=\"r\"} _ 1 1 _\n" },
		{ "a and b", "" },
		{ "a and none", "" },
		{ "c and on() a", "c 0 _ 0 {count:1, sum:1, (0.5,1]:1}\n" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(unless_keeps_the_rest)
{
	static const struct query queries[] = {
		{ "a unless on(x) b", "a{x=\"1\", y=\"p\"} 1 _ _ 4\na{x=\"1\", y=\"q\"} 5 _ _ 8\n"
				      "a{x=\"2\", y=\"p\"} {count:9, sum:9, (0.5,1]:9} 10 11 _\n" },
		{ "a unless on() c", "a{x=\"1\", y=\"p\"} _ 2 _ _\na{x=\"2\", y=\"p\"} _ 10 _ _\n" },
		{ "c unless none", "c 0 _ 0 {count:1, sum:1, (0.5,1]:1}\n" },
		{ "c unless c", "" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(or_adds_what_the_left_side_has_not)
{
	static const struct query queries[] = {
		{ "b or on(x) a", "b{x=\"1\"} _ 1 _ _\nb{x=\"1\", z=\"r\"} _ 1 1 _\nb{x=\"3\"} 3 3 3 3\n"
				  "a{x=\"1\", y=\"p\"} 1 _ _ 4\na{x=\"1\", y=\"q\"} 5 _ _ 8\n"
				  "a{x=\"2\", y=\"p\"} {count:9, sum:9, (0.5,1]:9} 10 11 _\n" },
		{ "c or vector(0)", "c 0 _ 0 {count:1, sum:1, (0.5,1]:1}\n{} _ 0 _ _\n" },
		{ "none or c", "c 0 _ 0 {count:1, sum:1, (0.5,1]:1}\n" },
		{ "c or none", "c 0 _ 0 {count:1, sum:1, (0.5,1]:1}\n" },
		{ "none or none", "" },
	};
	CHECK_QUERIES(rows, queries);
}

/* Both sides have the series: the left one's samples, and where there are none the right one's. */
TEST(or_makes_one_series_of_equal_ones)
{
	static const struct query queries[] = {
		{ "(c * 2) or (c + 1) or vector(time())", "{} 0 60 0 {count:2, sum:2, (0.5,1]:2}\n" },
		{ "(a > 4) or a", "a{x=\"1\", y=\"p\"} 1 2 _ 4\na{x=\"1\", y=\"q\"} 5 _ 7 8\n"
				  "a{x=\"2\", y=\"p\"} {count:9, sum:9, (0.5,1]:9} 10 11 _\n"
				  "info: PromQL info: incompatible sample types encountered for binary "
				  "operator \">\": histogram > "
				  "float (1:2)\n" },
	};
	CHECK_STR(rows_query(rows, queries[1].text), queries[1].want);
	CHECK_HAS(rows_query(rows, queries[0].text), queries[0].want);
}

TEST_MAIN()
