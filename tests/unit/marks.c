/* SPDX-License-Identifier: Apache-2.0 */
#include "store/marks.h"

#include "tests/support/test.h"

#include <errno.h>

#define ID "01ARZ3NDEKTSV4RRFFQ69G5FAV"

/* As Thanos' Go code writes them. */
static const struct {
	enum mark_kind kind;
	const char *json, *details, *reason;
	int64_t time_s;
} written[] = {
	{ MARK_DELETION, "{\"id\":\"" ID "\",\"version\":1,\"deletion_time\":1600000000}", NULL, NULL,
		1600000000 },
	{ MARK_DELETION,
		"{\"id\":\"" ID
		"\",\"version\":1,\"details\":\"source of compacted block\",\"deletion_time\":7}",
		"source of compacted block", NULL, 7 },
	{ MARK_DELETION,
		"{\"id\":\"" ID
		"\",\"version\":1,\"details\":\"a \\\"b\\\" \\u003cc\\u003e\",\"deletion_time\":-1}",
		"a \"b\" <c>", NULL, -1 },
	{ MARK_NO_COMPACT,
		"{\"id\":\"" ID "\",\"version\":1,\"details\":\"d\",\"no_compact_time\":1600000001,"
		"\"reason\":\"index-size-exceeding\"}",
		"d", "index-size-exceeding", 1600000001 },
	{ MARK_NO_DOWNSAMPLE,
		"{\"id\":\"" ID "\",\"version\":1,\"no_downsample_time\":1600000002,\"reason\":\"manual\"}",
		NULL, "manual", 1600000002 },
};

static void check_same(const char *got, const char *want)
{
	CHECK_INT(got != NULL, want != NULL);
	if (want)
		CHECK_STR(got, want);
}

TEST(marks_are_read_as_thanos_writes_them)
{
	for (size_t i = 0; i < ARRAY_LEN(written); i++) {
		struct err e;
		auto_of(mark) struct mark *m = NULL;
		CHECK_OK(mark_parse("x", written[i].kind, written[i].json, strlen(written[i].json), &m, &e),
			&e);

		char id[ULID_CHARS + 1];
		ulid_format(&m->id, id);
		CHECK_STR(id, ID);
		CHECK_INT(m->kind, written[i].kind);
		CHECK_INT(m->time_s, written[i].time_s);
		check_same(m->details, written[i].details);
		check_same(m->reason, written[i].reason);
	}
}

TEST(a_mark_that_is_read_and_written_again_is_the_same_bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(written); i++) {
		struct err e;
		auto_of(mark) struct mark *m = NULL;
		auto_buf struct buf again = { 0 };
		CHECK_OK(mark_parse("x", written[i].kind, written[i].json, strlen(written[i].json), &m, &e),
			&e);
		mark_write(m, &again);
		CHECK_STR(buf_str(&again), written[i].json);
	}
}

TEST(a_mark_without_id_or_reason_is_one_all_the_same)
{
	static const char json[] = " {\"version\": 1, \"no_compact_time\": 5, \"future\": [1, {}]}\n";
	struct err e;
	auto_of(mark) struct mark *m = NULL;
	CHECK_OK(mark_parse("x", MARK_NO_COMPACT, json, sizeof json - 1, &m, &e), &e);
	CHECK_INT(m->time_s, 5);
	CHECK(!m->reason);
}

TEST(malformed_marks_are_refused_with_the_file_and_what_is_wrong)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
		{ "", "" },
		{ "{", "" },
		{ "{\"id\":\"" ID "\",\"version\":1,\"deletion_ti", "" },
		{ "[]", "not a JSON object" },
		{ "7", "" },
		{ "null", "" },
		{ "{}", "version 0" },
		{ "{\"version\":2,\"deletion_time\":1}", "version 2" },
		{ "{\"version\":\"1\",\"deletion_time\":1}", "version" },
		{ "{\"version\":1}", "deletion_time" },
		{ "{\"version\":1,\"no_compact_time\":1}", "deletion_time" },
		{ "{\"version\":1,\"deletion_time\":null}", "deletion_time" },
		{ "{\"version\":1,\"deletion_time\":1.5}", "deletion_time" },
		{ "{\"version\":1,\"deletion_time\":\"now\"}", "deletion_time" },
		{ "{\"version\":1,\"deletion_time\":99999999999999999999}", "" },
		{ "{\"version\":1,\"deletion_time\":1,\"id\":\"short\"}", "short" },
		{ "{\"version\":1,\"deletion_time\":1,\"id\":4}", "id" },
		{ "{\"version\":1,\"deletion_time\":1,\"details\":{}}", "details" },
		{ "{\"version\":1,\"deletion_time\":1} trailing", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		struct mark *m = NULL;
		int r = mark_parse("01X/deletion-mark.json", MARK_DELETION, cases[i].json,
			strlen(cases[i].json), &m, &e);
		if (r != -EBADMSG)
			test_fail(__FILE__, __LINE__, "%s gave %d", cases[i].json, r);
		CHECK_HAS(e.msg, "01X/deletion-mark.json");
		CHECK_HAS(e.msg, cases[i].words);
	}
}

TEST(the_files_have_the_names_that_thanos_knows)
{
	CHECK_STR(mark_file_name(MARK_DELETION), "deletion-mark.json");
	CHECK_STR(mark_file_name(MARK_NO_COMPACT), "no-compact-mark.json");
	CHECK_STR(mark_file_name(MARK_NO_DOWNSAMPLE), "no-downsample-mark.json");
}

TEST_MAIN()
