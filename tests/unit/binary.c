/* SPDX-License-Identifier: Apache-2.0 */
/* lib/promql/binary*.c, join_plan.c, one_side.c, match.c: what meets what, and what comes of it. */
#include "tests/support/rows_table.h"

TEST(two_scalars_give_a_scalar)
{
	static const struct query queries[] = {
		{ "1 + 2 * time()", "{} 1 121 241\n" },
		{ "7 % 4 - time() ^ 0", "{} 2 2 2\n" },
		{ "time() > bool 60", "{} 0 0 1\n" },
		{ "time() != bool 60", "{} 1 0 1\n" },
		{ "1 / 0", "{} +Inf +Inf +Inf\n" },
		{ "1 atan2 0", "{} 1.5707963267948966 1.5707963267948966 1.5707963267948966\n" },
	};
	CHECK_QUERIES("a 1 2 3", queries);
}

TEST(a_vector_meets_a_scalar)
{
	static const char rows[] = "a{x=\"1\"} 1 _ -3\n"
				   "a{x=\"2\"} NaN 5 Inf";
	static const struct query queries[] = {
		{ "a + time()", "{x=\"1\"} 1 _ 117\n{x=\"2\"} NaN 65 +Inf\n" },
		{ "10 - a", "{x=\"1\"} 9 _ 13\n{x=\"2\"} NaN 5 -Inf\n" },
		{ "a > 1", "a{x=\"2\"} _ 5 +Inf\n" },
		{ "1 < a", "a{x=\"2\"} _ 5 +Inf\n" },
		{ "a != 1", "a{x=\"1\"} _ _ -3\na{x=\"2\"} NaN 5 +Inf\n" },
		{ "1 >= bool a", "{x=\"1\"} 1 _ 1\n{x=\"2\"} 0 0 0\n" },
		{ "a == bool 5", "{x=\"1\"} 0 _ 0\n{x=\"2\"} 0 1 0\n" },
		{ "none * 2", "" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(histograms_meet_scalars)
{
	static const char rows[] = "h h4 c6 2";
	static const struct query queries[] = {
		{ "h * 2", "{} {count:8, sum:8, (0.5,1]:8} {count:12, sum:12, [-Inf,1]:12} 4\n" },
		{ "2 * h", "{} {count:8, sum:8, (0.5,1]:8} {count:12, sum:12, [-Inf,1]:12} 4\n" },
		{ "h / 2", "{} {count:2, sum:2, (0.5,1]:2} {count:3, sum:3, [-Inf,1]:3} 1\n" },
		{ "2 / h", "{} _ _ 1\ninfo: PromQL info: incompatible sample types encountered for binary "
			   "operator "
			   "\"/\": float / histogram (1:1)\n" },
		{ "h > 1", "h _ _ 2\ninfo: PromQL info: incompatible sample types encountered for binary "
			   "operator "
			   "\">\": histogram > float (1:1)\n" },
		{ "h == bool 2", "{} _ _ 1\ninfo: PromQL info: incompatible sample types encountered for "
				 "binary operator "
				 "\"==\": histogram == float (1:1)\n" },
		{ "h </ 1", "h {count:4, sum:4, (0.5,1]:4} {count:6, sum:6, [-Inf,1]:6} _\ninfo: PromQL "
			    "info: incompatible "
			    "sample types encountered for binary operator \"</\": float </ float (1:1)\n" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(one_meets_one)
{
	static const char rows[] = "a{x=\"1\",y=\"p\"} 1 2 _ 4\n"
				   "a{x=\"2\",y=\"p\"} 5 6 7 8\n"
				   "b{x=\"1\",z=\"q\"} 10 _ 30 40\n"
				   "b{x=\"2\",z=\"q\"} 5 1 9 8\n"
				   "b{x=\"3\",z=\"q\"} 0 0 0 0";
	static const struct query queries[] = {
		{ "a + on(x) b", "{x=\"1\"} 11 _ _ 44\n{x=\"2\"} 10 7 16 16\n" },
		{ "a - ignoring(y, z) b", "{x=\"1\"} -9 _ _ -36\n{x=\"2\"} 0 5 -2 0\n" },
		{ "a + b", "" },
		{ "a == on(x) b", "{x=\"2\"} 5 _ _ 8\n" },
		{ "a >= ignoring(y, z) b", "a{x=\"2\"} 5 6 _ 8\n" },
		{ "a >= bool ignoring(y, z) b", "{x=\"1\"} 0 _ _ 0\n{x=\"2\"} 1 1 0 1\n" },
		{ "a / a", "{x=\"1\", y=\"p\"} 1 1 _ 1\n{x=\"2\", y=\"p\"} 1 1 1 1\n" },
		{ "a + on() none", "" },
	};
	CHECK_QUERIES(rows, queries);
}

/* Series that come one after the other are no duplicates, on neither side. */
TEST(rows_that_never_overlap_are_as_good_as_one)
{
	static const char rows[] = "a{x=\"1\",v=\"old\"} 1 2 _ _\n"
				   "a{x=\"1\",v=\"new\"} _ _ 3 4\n"
				   "b{x=\"1\",v=\"old\"} 10 _ _ _\n"
				   "b{x=\"1\",v=\"new\"} _ _ 30 40\n";
	static const struct query queries[] = {
		{ "a * on(x) b", "{x=\"1\"} 10 _ 90 160\n" },
		{ "b * on(x) a", "{x=\"1\"} 10 _ 90 160\n" },
		{ "a < on(x) b", "{x=\"1\"} 1 _ 3 4\n" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(names_that_are_kept_keep_rows_apart)
{
	static const char rows[] = "a{x=\"1\"} 1 _\n"
				   "b{x=\"1\"} _ 2\n"
				   "c{x=\"1\"} 0 0";
	CHECK_STR(rows_query(rows, "{__name__=~\"a|b\"} > c"), "a{x=\"1\"} 1 _\nb{x=\"1\"} _ 2\n");
	CHECK_STR(rows_query(rows, "{__name__=~\"a|b\"} + c"), "{x=\"1\"} 1 2\n");
}

TEST(duplicates_are_told_of_in_upstreams_words)
{
	static const char rows[] = "a{x=\"1\",y=\"p\"} 1 1\n"
				   "a{x=\"1\",y=\"q\"} _ 2\n"
				   "b{x=\"1\"} 3 3\n"
				   "c{x=\"1\"} 3 _";
	static const struct query queries[] = {
		{ "b + on(x) a", "error: found duplicate series for the match group {x=\"1\"} on the right "
				 "hand-side of the operation: "
				 "[{__name__=\"a\", x=\"1\", y=\"p\"}, {__name__=\"a\", x=\"1\", "
				 "y=\"q\"}];many-to-many matching not "
				 "allowed: matching labels must be unique on one side\n" },
		{ "a + on(x) group_right b", "error: found duplicate series for the match group {x=\"1\"} on "
					     "the left hand-side of the operation: "
					     "[{__name__=\"a\", x=\"1\", y=\"p\"}, {__name__=\"a\", x=\"1\", "
					     "y=\"q\"}];many-to-many matching not "
					     "allowed: matching labels must be unique on one side\n" },
		{ "a + on(x) b", "error: multiple matches for labels: many-to-one matching must be explicit "
				 "(group_left/group_right)\n" },
		{ "a + on() group_left b", "{x=\"1\", y=\"p\"} 4 4\n{x=\"1\", y=\"q\"} _ 5\n" },
		/* Where they overlap there is nothing to meet. */
		{ "c + on(x) a", "{x=\"1\"} 4 _\n" },
		{ "a + on(x) c", "{x=\"1\"} 4 _\n" },
	};
	CHECK_QUERIES(rows, queries);
}

/* Upstream looks at the whole side, not at whether the group has a partner. */
TEST(duplicates_are_an_error_without_a_partner_too)
{
	static const char rows[] = "a{x=\"1\"} 1 _\n"
				   "b{x=\"2\",y=\"p\"} 1 1\n"
				   "b{x=\"2\",y=\"q\"} 1 1\n"
				   "d{x=\"2\",y=\"p\"} _ 1\n"
				   "d{x=\"2\",y=\"q\"} _ 1";
	CHECK_HAS(rows_query(rows, "a + on(x) b"), "found duplicate series for the match group {x=\"2\"}");
	CHECK_STR(rows_query(rows, "a + on(x) d"), "");
	CHECK_HAS(rows_query(rows, "a + on(x) fill_right(0) d"), "found duplicate series");
}

TEST(many_meet_one)
{
	static const char rows[] = "use{host=\"a\",cpu=\"0\"} 1 2 3\n"
				   "use{host=\"a\",cpu=\"1\"} 4 _ 6\n"
				   "use{host=\"b\",cpu=\"0\"} 7 8 9\n"
				   "info{host=\"a\",os=\"x\",env=\"p\"} 1 1 _\n"
				   "info{host=\"a\",os=\"y\",env=\"p\"} _ _ 10\n"
				   "info{host=\"b\",env=\"p\"} 1 1 1";
	static const struct query queries[] = {
		{ "use * on(host) group_left info", "{cpu=\"0\", host=\"a\"} 1 2 30\n{cpu=\"1\", host=\"a\"} "
						    "4 _ 60\n{cpu=\"0\", host=\"b\"} 7 8 9\n" },
		{ "use * on(host) group_left(os) info",
			"{cpu=\"0\", host=\"a\", os=\"x\"} 1 2 _\n{cpu=\"0\", host=\"a\", os=\"y\"} _ _ 30\n"
			"{cpu=\"1\", host=\"a\", os=\"x\"} 4 _ _\n{cpu=\"1\", host=\"a\", os=\"y\"} _ _ 60\n"
			"{cpu=\"0\", host=\"b\"} 7 8 9\n" },
		{ "info - on(host) group_right(os, env) use",
			"{cpu=\"0\", env=\"p\", host=\"a\", os=\"x\"} 0 -1 _\n"
			"{cpu=\"0\", env=\"p\", host=\"a\", os=\"y\"} _ _ 7\n"
			"{cpu=\"1\", env=\"p\", host=\"a\", os=\"x\"} -3 _ _\n"
			"{cpu=\"1\", env=\"p\", host=\"a\", os=\"y\"} _ _ 4\n"
			"{cpu=\"0\", env=\"p\", host=\"b\"} -6 -7 -8\n" },
		{ "use > on(host) group_left info",
			"use{cpu=\"0\", host=\"a\"} _ 2 _\nuse{cpu=\"1\", host=\"a\"} 4 _ _\n"
			"use{cpu=\"0\", host=\"b\"} 7 8 9\n" },
		{ "info < on(host) group_right use",
			"use{cpu=\"0\", host=\"a\"} _ 1 _\nuse{cpu=\"1\", host=\"a\"} 1 _ _\n"
			"use{cpu=\"0\", host=\"b\"} 1 1 1\n" },
		{ "use * on(host) group_left none", "" },
		/* An included label that the one side lacks goes. */
		{ "use * on(host) group_left(cpu) info",
			"error: multiple matches for labels: grouping labels must ensure unique matches\n" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(rows_of_different_groups_must_not_become_the_same)
{
	static const char rows[] = "a{x=\"1\",k=\"p\"} 1 _ 3\n"
				   "a{x=\"1\",k=\"q\"} _ 2 4\n"
				   "b{k=\"p\",x=\"5\"} 1 1 _\n"
				   "b{k=\"q\",x=\"6\"} 1 1 1\n"
				   "c 10 20 30";
	CHECK_STR(rows_query(rows, "a + on(k) group_left(x) b"),
		"{k=\"p\", x=\"5\"} 2 _ _\n{k=\"q\", x=\"6\"} _ 3 5\n");
	CHECK_STR(rows_query(rows, "a * on() group_left(k) c"),
		"error: multiple matches for labels: grouping labels must ensure unique matches\n");
	/* In groups of their own they get the same labels. */
	CHECK_STR(rows_query("a{k=\"p\",l=\"1\"} 1 _\na{k=\"q\",l=\"2\"} _ 2\nb{k=\"p\"} 1 1\nb{k=\"q\"} 1 1",
			  "a + ignoring(l) group_left(l) b"),
		"{k=\"p\"} 2 _\n{k=\"q\"} _ 3\n");
}

TEST(series_that_lose_what_tells_them_apart_are_one_or_an_error)
{
	static const char rows[] = "a{x=\"1\"} 1 _\n"
				   "b{x=\"1\"} _ 2\n"
				   "c{x=\"1\"} 7 8";
	CHECK_STR(rows_query(rows, "{__name__=~\"a|b\"} * 2"), "{x=\"1\"} 2 4\n");
	CHECK_STR(rows_query(rows, "{__name__=~\"a|c\"} * 2"),
		"error: vector cannot contain metrics with the same labelset\n");
	CHECK_STR(rows_query(rows, "{__name__=~\"a|b\"} + on(__name__, x) group_left {__name__=~\"a|b\"}"),
		"{x=\"1\"} 2 4\n");
	CHECK_STR(rows_query(rows, "{__name__=~\"a|c\"} + on(__name__, x) group_left {__name__=~\"a|c\"}"),
		"error: vector cannot contain metrics with the same labelset\n");
}

TEST(missing_sides_are_filled)
{
	static const char rows[] = "a{x=\"1\"} 1 2 _\n"
				   "a{x=\"2\"} 5 _ 7\n"
				   "b{x=\"1\"} 10 _ 30\n"
				   "b{x=\"3\"} 4 4 _";
	static const struct query queries[] = {
		{ "a + fill(0) b", "{x=\"1\"} 11 2 30\n{x=\"2\"} 5 _ 7\n{x=\"3\"} 4 4 _\n" },
		{ "a + fill_right(100) b", "{x=\"1\"} 11 102 _\n{x=\"2\"} 105 _ 107\n" },
		{ "a - fill_left(100) b", "{x=\"1\"} -9 _ 70\n{x=\"3\"} 96 96 _\n" },
		{ "a > fill_right(3) b", "a{x=\"2\"} 5 _ 7\n" },
		{ "a > fill_left(50) b", "{x=\"1\"} _ _ 50\n{x=\"3\"} 50 50 _\n" },
		{ "a > bool fill(3) b", "{x=\"1\"} 0 0 0\n{x=\"2\"} 1 _ 1\n{x=\"3\"} 0 0 _\n" },
		{ "a + fill(1) none", "{x=\"1\"} 2 3 _\n{x=\"2\"} 6 _ 8\n" },
	};
	CHECK_QUERIES(rows, queries);
}

TEST(groups_are_filled)
{
	static const char rows[] = "req{m=\"g\",s=\"200\"} 100 _\n"
				   "req{m=\"p\",s=\"200\"} 200 300\n"
				   "req{m=\"p\",s=\"500\"} 10 10\n"
				   "lim{s=\"200\",o=\"t\"} 1000 _\n"
				   "lim{s=\"404\",o=\"u\"} 500 500";
	static const struct query queries[] = {
		{ "req + on(s) group_left fill_left(0) lim",
			"{m=\"g\", s=\"200\"} 1100 _\n{m=\"p\", s=\"200\"} 1200 _\n{s=\"404\"} 500 500\n" },
		{ "req + on(s) group_left(o) fill_right(0) lim",
			"{m=\"g\", o=\"t\", s=\"200\"} 1100 _\n{m=\"p\", o=\"t\", s=\"200\"} 1200 _\n"
			"{m=\"p\", s=\"200\"} _ 300\n{m=\"p\", s=\"500\"} 10 10\n" },
		/* fill_left is the many side's, though that is the right one. */
		{ "lim + on(s) group_right fill_left(1) req",
			"{m=\"g\", s=\"200\"} 1100 _\n{m=\"p\", s=\"200\"} 1200 _\n{s=\"404\"} 501 501\n" },
		{ "lim - on(s) group_right fill_right(1) req",
			"{m=\"g\", s=\"200\"} 900 _\n{m=\"p\", s=\"200\"} 800 -299\n{m=\"p\", s=\"500\"} -9 "
			"-9\n" },
	};
	CHECK_QUERIES(rows, queries);
}

/* Row {} is there twice, with {y="1"} in between. */
TEST(what_clashes_does_so_whatever_comes_between)
{
	static const char rows[] = "a 3\n"
				   "a{y=\"1\"} 4\n"
				   "a{x=\"2\"} 2\n"
				   "b{z=\"1\"} 5";
	CHECK_STR(rows_query(rows, "a + on() group_left(x) fill_left(2) b"),
		"error: multiple matches for labels: grouping labels must ensure unique matches\n");
}

TEST(histograms_meet_histograms)
{
	static const char rows[] = "a h4 h4 h4r h4 c4\n"
				   "b h2 h4 h2n 5 C2\n"
				   "c h2 c4 h2n 5 h2";
	static const struct query queries[] = {
		{ "a + b", "{} {count:6, sum:6, (0.5,1]:6} {count:8, sum:8, (0.5,1]:8} _ _ {count:6, sum:6, "
			   "[-Inf,+Inf]:6}\n"
			   "warning: PromQL warning: conflicting counter resets during histogram addition "
			   "(1:1)\n"
			   "info: PromQL info: incompatible sample types encountered for binary operator "
			   "\"+\": histogram + float "
			   "(1:1)\n"
			   "info: PromQL info: mismatched custom buckets were reconciled during addition "
			   "(1:1)\n" },
		{ "a == b", "a _ {count:4, sum:4, (0.5,1]:4} _ _ _\ninfo: PromQL info: incompatible sample "
			    "types encountered for binary "
			    "operator \"==\": histogram == float (1:1)\n" },
		{ "a != bool b", "{} 1 0 1 _ 1\ninfo: PromQL info: incompatible sample types encountered for "
				 "binary operator "
				 "\"!=\": histogram != float (1:1)\n" },
		{ "a - c", "{} {count:2, sum:2, (0.5,1]:2} _ _ _ _\n"
			   "warning: PromQL warning: conflicting counter resets during histogram subtraction "
			   "(1:1)\n"
			   "warning: PromQL warning: incompatible bucket layout encountered for binary "
			   "operator - (1:1)\n"
			   "info: PromQL info: incompatible sample types encountered for binary operator "
			   "\"-\": histogram - float "
			   "(1:1)\n" },
		{ "b * a", "{} _ _ _ {count:20, sum:20, (0.5,1]:20} _\ninfo: PromQL info: incompatible "
			   "sample types encountered for "
			   "binary operator \"*\": histogram * histogram (1:1)\n" },
	};
	CHECK_QUERIES(rows, queries);
}

/* What doesn't go together hasn't met, so it is no duplicate either. */
TEST(what_is_refused_does_not_clash)
{
	static const char rows[] = "a{y=\"1\"} 1\n"
				   "a{y=\"2\"} h3\n"
				   "b 5";
	CHECK_STR(rows_query(rows, "a + on() b"), "{} 6\ninfo: PromQL info: incompatible sample types "
						  "encountered for binary operator \"+\": histogram + "
						  "float (1:1)\n");
}

TEST(names_may_be_kept_until_the_end_of_the_query)
{
	static const char rows[] = "a{x=\"1\"} 1\n"
				   "b{x=\"1\"} 2";
	CHECK_STR(rows_query_delayed(rows, "a + 1"), "a{x=\"1\"} 2!\n");
	CHECK_STR(rows_query_delayed(rows, "a == bool 1"), "a{x=\"1\"} 1!\n");
	CHECK_STR(rows_query_delayed(rows, "a + b"), "{x=\"1\"} 3\n");
	CHECK_STR(rows_query_delayed(rows, "a < bool b"), "a{x=\"1\"} 1!\n");
	CHECK_STR(rows_query_delayed(rows, "(a + 1) or (b + 1)"), "a{x=\"1\"} 2!\n");
	CHECK_STR(rows_query_delayed(rows, "sum by (__name__) (a + 1)"), "a 2!\n");
}

TEST(what_describes_the_metric_goes_with_its_name)
{
	static const char rows[] = "a{__type__=\"counter\",__unit__=\"s\",x=\"1\"} 1\n"
				   "b{x=\"1\"} 2";
	CHECK_STR(rows_query(rows, "a * 2"), "{x=\"1\"} 2\n");
	CHECK_STR(rows_query(rows, "a * on(x) group_left b"), "{x=\"1\"} 2\n");
}

TEST_MAIN()
