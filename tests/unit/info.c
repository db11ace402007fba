/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/query.h"
#include "tests/support/test.h"

static void load(struct memory_source *m)
{
	query_load(m, 60, "up{instance=\"1\",job=\"a\"}", "0 1 2 3");
	query_load(m, 60, "up{instance=\"2\",job=\"a\"}", "4 5 6 7");
	query_load(m, 60, "up{job=\"b\",version=\"own\"}", "8 9 10 11");
	query_load(m, 60, "lonely", "1 1 1 1");
	query_load(m, 60, "target_info{instance=\"1\",job=\"a\",version=\"x\"}", "1 1 stale");
	query_load(m, 60, "target_info{instance=\"1\",job=\"a\",version=\"y\"}", "_ _ 1 1");
	query_load(m, 60, "target_info{job=\"b\",version=\"z\",os=\"c\"}", "1 1 1 1");
	query_load(m, 60, "build_info{instance=\"1\",job=\"a\",rev=\"7\"}", "1 1 1 1");
	query_load(m, 60, "odd_info{instance=\"1\",job=\"a\",rev=\"8\"}", "_ _ _ 1");
}

TEST(rows_get_the_labels_of_their_targets_newest_info_series)
{
	static const struct query_case cases[] = {
		{ "info(up)", "{__name__=\"up\", instance=\"1\", job=\"a\", version=\"x\"} 0 1 _ _\n"
			      "{__name__=\"up\", instance=\"1\", job=\"a\", version=\"y\"} _ _ 2 3\n"
			      "{__name__=\"up\", instance=\"2\", job=\"a\"} 4 5 6 7\n"
			      "{__name__=\"up\", job=\"b\", version=\"own\"} 8 9 10 11\n" },
		{ "info(up{job=\"b\"})",
			"{__name__=\"up\", job=\"b\", os=\"c\", version=\"own\"} 8 9 10 11\n" },
		{ "info(up{job=\"a\"}, {version=~\".+\"})",
			"{__name__=\"up\", instance=\"1\", job=\"a\", version=\"x\"} 0 1 _ _\n"
			"{__name__=\"up\", instance=\"1\", job=\"a\", version=\"y\"} _ _ 2 3\n" },
		{ "info(up{instance=\"1\"} @ 60)",
			"{__name__=\"up\", instance=\"1\", job=\"a\", version=\"x\"} 1 1 1 1\n" },
		{ "info(up{instance=\"1\"}, {__name__=\"build_info\"})",
			"{__name__=\"up\", instance=\"1\", job=\"a\", rev=\"7\"} 0 1 2 3\n" },
		{ "info(up{instance=\"1\"}, {__name__=~\".*_info\",rev=~\".+\"})",
			"error: conflicting label: rev\n" },
		{ "info(lonely)", "{__name__=\"lonely\"} 1 1 1 1\n" },
		{ "info(lonely, {version=\"x\"})", "" },
		{ "info(target_info{job=\"b\"})",
			"{__name__=\"target_info\", job=\"b\", os=\"c\", version=\"z\"} 1 1 1 1\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	load(m);
	struct query_env env = { .end = 180, .step = 60 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST(two_info_series_of_one_time_are_a_conflict)
{
	static const struct query_case cases[] = {
		{ "info(up{instance=\"1\"})",
			"error: found duplicate series for info metric: existing {__name__=\"target_info\", "
			"instance=\"1\", job=\"a\", version=\"w\"} @ 0, new {__name__=\"target_info\", "
			"instance=\"1\", job=\"a\", version=\"x\"} @ 0\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	load(m);
	query_load(m, 60, "target_info{instance=\"1\",job=\"a\",version=\"w\"}", "1 1 1 1");
	struct query_env env = { .end = 180, .step = 60 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST_MAIN()
