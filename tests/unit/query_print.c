/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/query_print.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>

typedef int printer(const struct json_at *data, struct buf *out, struct err *e);

static int print(printer *fn, const char *json, struct buf *out, struct err *e)
{
	auto_of(json_doc) struct json_doc *doc = NULL;
	CHECK_OK(json_doc_parse("the answer", json, strlen(json), &doc, e), e);
	struct json_at root = json_root(doc);
	buf_reset(out);
	return fn(&root, out, e);
}

TEST(values_are_printed_as_promtool_prints_them)
{
	static const struct {
		const char *json, *text;
	} table[] = {
		{ "{\"resultType\":\"scalar\",\"result\":[1.5,\"1e+21\"]}",
			"scalar: 1000000000000000000000 @[1.5]\n" },
		{ "{\"resultType\":\"string\",\"result\":[1,\"a b\"]}", "string: a b @[1]\n" },
		{ "{\"resultType\":\"vector\",\"result\":[]}", "" },
		{ "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"b\":\"x\\\"y\",\"__name__\":\"up\","
		  "\"a\":\"1\"},\"value\":[1.500,"
		  "\"NaN\"]},{\"metric\":{},\"value\":[2,\"+Inf\"]},{\"metric\":{\"__name__\":\"down\"},"
		  "\"value\":[2,\"0.1\"]}]}",
			"up{a=\"1\", b=\"x\\\"y\"} => NaN @[1.5]\n{} => +Inf @[2]\ndown => 0.1 @[2]\n" },
		{ "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"a\":\"1\"},\"values\":[[1,\"1\"],[2,"
		  "\"2\"]]}]}",
			"{a=\"1\"} =>\n1 @[1]\n2 @[2]\n" },
		{ "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"a\":\"1\"},\"histogram\":[1,{"
		  "\"count\":\"3\",\"sum\":\"4.5\","
		  "\"buckets\":[[3,\"-1\",\"1\",\"1\"],[0,\"1\",\"2\",\"2\"]]}]}]}",
			"{a=\"1\"} => Count: 3.000000, Sum: 4.500000, Buckets: [[-1,1]:1 (1,2]:2] @[1]\n" },
	};
	auto_buf struct buf out = { 0 };
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		CHECK_OK(print(query_print_value, table[i].json, &out, &e), &e);
		CHECK_STR(buf_str(&out), table[i].text);
	}
}

TEST(series_and_words_are_a_line_each)
{
	auto_buf struct buf out = { 0 };
	struct err e;
	CHECK_OK(print(query_print_series, "[{\"job\":\"a\",\"__name__\":\"up\"},{}]", &out, &e), &e);
	CHECK_STR(buf_str(&out), "{__name__=\"up\", job=\"a\"}\n{}\n");
	CHECK_OK(print(query_print_words, "[\"a\",\"b c\"]", &out, &e), &e);
	CHECK_STR(buf_str(&out), "a\nb c\n");
}

TEST(what_is_no_answer_is_refused)
{
	static const char *const table[] = { "{}", "[]", "{\"resultType\":\"vector\"}",
		"{\"resultType\":\"vector\",\"result\":[1]}",
		"{\"resultType\":\"vector\",\"result\":[{\"value\":[1,\"1\"]}]}",
		"{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"a\":1},\"value\":[1,\"1\"]}]}",
		"{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[\"1\",\"1\"]}]}",
		"{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"histogram\":[1,{}]}]}",
		"{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[1]}]}",
		"{\"resultType\":\"scalar\",\"result\":[]}" };
	auto_buf struct buf out = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct err e = { .msg = "" };
		if (print(query_print_value, table[i], &out, &e) != -EBADMSG)
			test_fail(__FILE__, __LINE__, "%s is taken for an answer", table[i]);
		CHECK_HAS(e.msg, "the answer");
	}
}

TEST_MAIN()
