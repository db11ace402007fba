/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/query.h"
#include "tests/support/test.h"

static const struct query_env minutes = { .start = 0, .end = 180, .step = 60 };

TEST(a_label_is_replaced_where_the_expression_matches)
{
	static const struct query_case cases[] = {
		{ "label_replace(m, \"dst\", \"<$1>\", \"job\", \"(.*)\")",
			"{__name__=\"m\", dst=\"<a>\", job=\"a\", n=\"10\"} 0 1e+09 4 -0.5\n"
			"{__name__=\"m\", dst=\"<a>\", job=\"a\", n=\"2\"} -1.5 2.5 NaN 100\n" },
		{ "label_replace(m, \"n\", \"\", \"n\", \"2\")",
			"{__name__=\"m\", job=\"a\"} -1.5 2.5 NaN 100\n"
			"{__name__=\"m\", job=\"a\", n=\"10\"} 0 1e+09 4 -0.5\n" },
		{ "label_replace(m, \"n\", \"x\", \"n\", \"1\")",
			"{__name__=\"m\", job=\"a\", n=\"10\"} 0 1e+09 4 -0.5\n"
			"{__name__=\"m\", job=\"a\", n=\"2\"} -1.5 2.5 NaN 100\n" },
		{ "label_replace(m, \"__name__\", \"${1}_x\", \"job\", \"(.*)\")",
			"{__name__=\"a_x\", job=\"a\", n=\"10\"} 0 1e+09 4 -0.5\n"
			"{__name__=\"a_x\", job=\"a\", n=\"2\"} -1.5 2.5 NaN 100\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(what_cant_be_replaced_is_said_in_upstreams_words)
{
	static const struct query_case cases[] = {
		{ "label_replace(m, \"dst\", \"x\", \"job\", \"(\")",
			"error: invalid regular expression in label_replace(): (\n" },
		{ "label_replace(m, \"\", \"x\", \"job\", \"\")",
			"error: invalid destination label name in label_replace(): \n" },
		{ "label_join(m, \"\", \"-\", \"job\")",
			"error: invalid destination label name in label_join(): \n" },
		{ "label_join(m, \"dst\", \"-\", \"\")",
			"error: invalid source label name in label_join(): \n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(labels_are_joined_missing_ones_too)
{
	static const struct query_case cases[] = {
		{ "label_join(m, \"dst\", \"-\", \"job\", \"n\", \"nothing\")",
			"{__name__=\"m\", dst=\"a-10-\", job=\"a\", n=\"10\"} 0 1e+09 4 -0.5\n"
			"{__name__=\"m\", dst=\"a-2-\", job=\"a\", n=\"2\"} -1.5 2.5 NaN 100\n" },
		{ "label_join(m, \"dst\", \"-\")",
			"{__name__=\"m\", job=\"a\", n=\"10\"} 0 1e+09 4 -0.5\n"
			"{__name__=\"m\", job=\"a\", n=\"2\"} -1.5 2.5 NaN 100\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(rows_that_become_one_must_not_have_samples_at_one_step)
{
	static const struct query_case cases[] = {
		{ "label_join(m, \"n\", \"-\", \"job\")",
			"error: vector cannot contain metrics with the same labelset\n" },
		{ "label_replace(x, \"a\", \"\", \"a\", \".*\")", "{__name__=\"x\"} 1 2 3 4\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_load(m, 60, "x{a=\"1\"}", "1 stale 3 stale");
	query_load(m, 60, "x{a=\"2\"}", "stale 2 stale 4");
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST_MAIN()
