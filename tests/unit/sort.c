/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/sort.h"
#include "tests/support/query.h"
#include "tests/support/test.h"

static const struct query_env at_once = { .start = 0, .end = 0, .step = 0 };

static struct memory_source *loaded(void)
{
	struct memory_source *m = memory_source_new();
	query_load(m, 60, "v{n=\"1\"}", "3");
	query_load(m, 60, "v{n=\"2\"}", "NaN");
	query_load(m, 60, "v{n=\"10\"}", "1");
	query_load(m, 60, "v{n=\"11\"}", "2");
	query_load(m, 60, "w{n=\"3\"}", "2");
	return m;
}

TEST(runs_of_digits_compare_as_numbers)
{
	static const struct {
		const char *a, *b;
		bool is_less;
	} cases[] = { { "a2", "a10", true }, { "a10", "a2", false }, { "a", "a", true }, { "a", "a1", true },
		{ "a1", "a", false }, { "1a", "01b", true }, { "x", "10", false }, { "10", "x", true },
		{ "99999999999999999999", "100000000000000000000", false } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_INT(natural_is_less(text_of(cases[i].a), text_of(cases[i].b)), cases[i].is_less);
}

TEST(an_instant_query_is_answered_in_the_order_of_values)
{
	static const struct query_case cases[] = {
		{ "sort(v)", "{__name__=\"v\", n=\"10\"} 1@0\n"
			     "{__name__=\"v\", n=\"11\"} 2@0\n"
			     "{__name__=\"v\", n=\"1\"} 3@0\n"
			     "{__name__=\"v\", n=\"2\"} NaN@0\n" },
		{ "sort_desc(v)", "{__name__=\"v\", n=\"1\"} 3@0\n"
				  "{__name__=\"v\", n=\"11\"} 2@0\n"
				  "{__name__=\"v\", n=\"10\"} 1@0\n"
				  "{__name__=\"v\", n=\"2\"} NaN@0\n" },
		{ "-sort(v)", "{n=\"10\"} -1@0\n"
			      "{n=\"11\"} -2@0\n"
			      "{n=\"1\"} -3@0\n"
			      "{n=\"2\"} NaN@0\n" },
		{ "sort(nothing)", "" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &at_once, cases, ARRAY_LEN(cases));
}

TEST(an_instant_query_is_answered_in_the_natural_order_of_labels)
{
	static const struct query_case cases[] = {
		{ "sort_by_label(v, \"n\")", "{__name__=\"v\", n=\"1\"} 3@0\n"
					     "{__name__=\"v\", n=\"2\"} NaN@0\n"
					     "{__name__=\"v\", n=\"10\"} 1@0\n"
					     "{__name__=\"v\", n=\"11\"} 2@0\n" },
		{ "sort_by_label_desc(v, \"n\")", "{__name__=\"v\", n=\"11\"} 2@0\n"
						  "{__name__=\"v\", n=\"10\"} 1@0\n"
						  "{__name__=\"v\", n=\"2\"} NaN@0\n"
						  "{__name__=\"v\", n=\"1\"} 3@0\n" },
		{ "sort_by_label({__name__=~\"v|w\"}, \"__name__\", \"n\")",
			"{__name__=\"v\", n=\"1\"} 3@0\n"
			"{__name__=\"v\", n=\"2\"} NaN@0\n"
			"{__name__=\"v\", n=\"10\"} 1@0\n"
			"{__name__=\"v\", n=\"11\"} 2@0\n"
			"{__name__=\"w\", n=\"3\"} 2@0\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &at_once, cases, ARRAY_LEN(cases));
}

TEST(a_range_query_says_that_sorting_is_of_no_use)
{
	static const struct query_case cases[] = {
		{ "sort(v)", "{__name__=\"v\", n=\"1\"} 3 3\n"
			     "{__name__=\"v\", n=\"10\"} 1 1\n"
			     "{__name__=\"v\", n=\"11\"} 2 2\n"
			     "{__name__=\"v\", n=\"2\"} NaN NaN\n"
			     "warning: sort is ineffective for range queries since results are always "
			     "ordered by labels (1:1)\n" },
		{ "sort_by_label(v, \"n\")", "{__name__=\"v\", n=\"1\"} 3 3\n"
					     "{__name__=\"v\", n=\"10\"} 1 1\n"
					     "{__name__=\"v\", n=\"11\"} 2 2\n"
					     "{__name__=\"v\", n=\"2\"} NaN NaN\n"
					     "warning: sort is ineffective for range queries since results "
					     "are always ordered by labels (1:1)\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	struct query_env env = { .start = 0, .end = 60, .step = 60 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST_MAIN()
