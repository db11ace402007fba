/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/json.h"

#include "tests/support/test.h"

#include <errno.h>
#include <math.h>

static void write_sample(struct json_writer *w)
{
	json_write_object(w);
	json_write_key_i64(w, "version", 1);
	json_write_key(w, "stats");
	json_write_object(w);
	json_write_object_end(w);
	json_write_key(w, "sources");
	json_write_array(w);
	json_write_str(w, "a");
	json_write_u64(w, UINT64_MAX);
	json_write_array(w);
	json_write_array_end(w);
	json_write_object(w);
	json_write_key_bool(w, "deep", true);
	json_write_object_end(w);
	json_write_array_end(w);
	json_write_key_str(w, "none", NULL);
	json_write_key(w, "raw");
	json_write_raw(w, "[1]", 3);
	json_write_object_end(w);
}

TEST(a_compact_document_has_no_spaces)
{
	auto_buf struct buf b = { 0 };
	struct json_writer w;
	json_writer_init(&w, &b, 0);
	write_sample(&w);
	CHECK_STR(buf_str(&b),
		"{\"version\":1,\"stats\":{},\"sources\":[\"a\",18446744073709551615,[],{\"deep\":true}],"
		"\"none\":null,\"raw\":[1]}");
}

TEST(an_indented_document_is_as_go_writes_it)
{
	auto_buf struct buf b = { 0 };
	struct json_writer w;
	json_writer_init(&w, &b, JSON_INDENT);
	write_sample(&w);
	CHECK_STR(buf_str(&b),
		"{\n\t\"version\": 1,\n\t\"stats\": {},\n\t\"sources\": [\n\t\t\"a\",\n"
		"\t\t18446744073709551615,\n\t\t[],\n\t\t{\n\t\t\t\"deep\": true\n\t\t}\n\t],\n"
		"\t\"none\": null,\n\t\"raw\": [1]\n}");
}

TEST(strings_are_escaped)
{
	static const struct {
		const char *text;
		size_t n;
		const char *plain, *html;
	} table[] = {
		{ "", 0, "\"\"", "\"\"" },
		{ "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"", "\"a\\\"b\\\\c/\"" },
		{ "\b\t\n\v\f\r", 6, "\"\\b\\t\\n\\u000b\\f\\r\"", "\"\\b\\t\\n\\u000b\\f\\r\"" },
		{ "\0\x1f\x7f", 3, "\"\\u0000\\u001f\x7f\"", "\"\\u0000\\u001f\x7f\"" },
		{ "<&>", 3, "\"<&>\"", "\"\\u003c\\u0026\\u003e\"" },
		{ "\xe2\x80\xa8\xe2\x80\xa9", 6, "\"\xe2\x80\xa8\xe2\x80\xa9\"", "\"\\u2028\\u2029\"" },
		{ "\xe2\x80\xaa", 3, "\"\xe2\x80\xaa\"", "\"\xe2\x80\xaa\"" },
		{ "h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10, "\"h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
			"\"h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		for (unsigned flags = 0; flags <= JSON_HTML; flags += JSON_HTML) {
			auto_buf struct buf b = { 0 };
			struct json_writer w;
			json_writer_init(&w, &b, flags);
			json_write_str_n(&w, table[i].text, table[i].n);
			CHECK_STR(buf_str(&b), flags ? table[i].html : table[i].plain);
		}
	}
}

TEST(bytes_that_are_not_utf8_are_replaced_one_by_one)
{
	static const struct {
		const char *text;
		int replaced;
	} table[] = {
		{ "\xff", 1 }, { "\x80", 1 }, { "\xc0\x80", 2 }, /* overlong */
		{ "\xc1\xbf", 2 },                               /* overlong */
		{ "\xe0\x9f\xbf", 3 },                           /* overlong */
		{ "\xf0\x8f\xbf\xbf", 4 },                       /* overlong */
		{ "\xed\xa0\x80", 3 },                           /* surrogate */
		{ "\xf4\x90\x80\x80", 4 },                       /* past U+10FFFF */
		{ "\xf5\x80\x80\x80", 4 },                       /* past U+10FFFF */
		{ "\xe2\x82", 2 },                               /* cut */
		{ "\xf0\x9f\x98", 3 },                           /* cut */
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_buf struct buf b = { 0 }, want = { 0 };
		struct json_writer w;
		json_writer_init(&w, &b, 0);
		json_write_str(&w, table[i].text);
		buf_add_u8(&want, '"');
		for (int k = 0; k < table[i].replaced; k++)
			buf_add_str(&want, "\\ufffd");
		buf_add_u8(&want, '"');
		CHECK_STR(buf_str(&b), buf_str(&want));
	}
}

TEST(doubles_are_as_short_as_go_writes_them)
{
	static const struct {
		double v;
		const char *text;
	} table[] = {
		{ 0, "0" },
		{ -0.0, "-0" },
		{ 1, "1" },
		{ -1.5, "-1.5" },
		{ 0.1, "0.1" },
		{ 0.3, "0.3" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 100, "100" },
		{ 123456789, "123456789" },
		{ 1e20, "100000000000000000000" },
		{ -1.2e20, "-120000000000000000000" },
		{ 1e21, "1e+21" },
		{ 1.5e300, "1.5e+300" },
		{ 0.000001, "0.000001" },
		{ 0.0000001, "1e-7" },
		{ 1.25e-9, "1.25e-9" },
		{ 5e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 9007199254740992.0, "9007199254740992" },
		{ 123456789012345680000.0, "123456789012345680000" },
		{ NAN, "null" },
		{ INFINITY, "null" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_buf struct buf b = { 0 };
		struct json_writer w;
		json_writer_init(&w, &b, 0);
		json_write_double(&w, table[i].v);
		CHECK_STR(buf_str(&b), table[i].text);
	}
}

TEST(a_written_double_reads_back)
{
	uint64_t seed = 3;
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = test_random(&seed), back;
		double v, got;
		memcpy(&v, &bits, sizeof v);
		if (i % 2)
			v = (double)(int64_t)bits / 1024;
		if (!isfinite(v))
			continue;
		auto_buf struct buf b = { 0 };
		struct json_writer w;
		json_writer_init(&w, &b, 0);
		json_write_double(&w, v);
		got = strtod(buf_str(&b), NULL);
		memcpy(&bits, &v, sizeof bits);
		memcpy(&back, &got, sizeof back);
		CHECK(bits == back);
	}
}

static struct json_doc *parsed(const char *text)
{
	struct json_doc *d;
	struct err e;
	CHECK_OK(json_doc_parse("x.json", text, strlen(text), &d, &e), &e);
	return d;
}

TEST(values_are_read_by_key)
{
	auto_of(json_doc) struct json_doc *d = parsed("{\"s\":\"h\\u00e4\",\"i\":-9223372036854775808,\"b\":"
						      "true,\"d\":2.5,\"a\":[1,null,{}],\"n\":null}");
	struct json_at root = json_root(d), a, at;
	struct err e;
	const char *s = NULL;
	int64_t i = 0;
	bool b = false;
	double v = 0;
	size_t len = 0;

	CHECK_INT(json_get_str(&root, "s", &s, &e), 1);
	CHECK_STR(s, "h\xc3\xa4");
	CHECK_INT(json_get_i64(&root, "i", INT64_MIN, INT64_MAX, &i, &e), 1);
	CHECK(i == INT64_MIN);
	CHECK_INT(json_get_bool(&root, "b", &b, &e), 1);
	CHECK(b);
	CHECK_INT(json_get(&root, "d", &at, &e), 1);
	CHECK_OK(json_read_double(&at, &v, &e), &e);
	CHECK(v == 2.5);
	CHECK_INT(json_get_array(&root, "a", &a, &len, &e), 1);
	CHECK_INT(len, 3);
	at = json_item(&a, 0);
	CHECK(json_at_is_integer(&at));
	at = json_item(&a, 1);
	CHECK(!at.node);
	at = json_item(&a, 2);
	CHECK(json_at_is_object(&at));
	at = json_item(&a, 3);
	CHECK(!at.node);
}

TEST(what_is_absent_or_null_leaves_the_value_alone)
{
	auto_of(json_doc) struct json_doc *d = parsed("{\"n\":null}");
	struct json_at root = json_root(d);
	struct err e;
	const char *s = "before";
	CHECK_INT(json_get_str(&root, "n", &s, &e), 0);
	CHECK_INT(json_get_str(&root, "absent", &s, &e), 0);
	CHECK_STR(s, "before");
}

TEST(an_error_names_document_path_and_kinds)
{
	auto_of(json_doc) struct json_doc *d =
		parsed("{\"thanos\":{\"labels\":[{\"cluster\":5}],\"r\":1.5}}");
	struct json_at root = json_root(d), thanos, labels, first, at;
	struct err e;
	const char *s;
	int64_t i;
	size_t len;
	CHECK_INT(json_get_object(&root, "thanos", &thanos, &e), 1);
	CHECK_INT(json_get_array(&thanos, "labels", &labels, &len, &e), 1);
	first = json_item(&labels, 0);
	CHECK_INT(json_get_str(&first, "cluster", &s, &e), -EBADMSG);
	CHECK_STR(e.msg, "x.json: thanos.labels[0].cluster is a number, not a string");
	CHECK_INT(json_get_i64(&first, "cluster", 6, 7, &i, &e), -EBADMSG);
	CHECK_STR(e.msg, "x.json: thanos.labels[0].cluster is 5, not from 6 to 7");
	CHECK_INT(json_get_i64(&thanos, "r", 0, 7, &i, &e), -EBADMSG);
	CHECK_STR(e.msg, "x.json: thanos.r is a number with a fraction, not a whole number");
	CHECK_INT(json_get_object(&thanos, "labels", &at, &e), -EBADMSG);
	CHECK_STR(e.msg, "x.json: thanos.labels is a list, not an object");
	CHECK_INT(json_read_array(&labels, 0, &len, &e), -EBADMSG);
	CHECK_STR(e.msg, "x.json: thanos.labels has 1 elements; at most 0 are allowed");
	at = json_item(&labels, 1);
	CHECK_INT(json_read_str(&at, &s, &e), -EBADMSG);
	CHECK_STR(e.msg, "x.json: thanos.labels[1] is missing");
}

TEST(a_root_that_is_no_object_is_refused_when_asked_for_members)
{
	static const char *const table[] = { "[]", "1", "\"x\"", "null", "true" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_of(json_doc) struct json_doc *d = parsed(table[i]);
		struct json_at root = json_root(d);
		struct err e = { .msg = "" };
		const char *s;
		CHECK_INT(json_get_str(&root, "ulid", &s, &e), -EBADMSG);
		CHECK_HAS(e.msg, "x.json: the whole is ");
	}
}

TEST(members_come_in_the_order_of_the_text)
{
	auto_of(json_doc) struct json_doc *d = parsed("{\"z\":1,\"a\":null,\"m\":\"x\"}");
	struct json_at root = json_root(d), member;
	auto_buf struct buf keys = { 0 };
	void *iter = NULL;
	while (json_each(&root, &iter, &member))
		buf_printf(&keys, "%s%s ", member.key, member.node ? "" : "!");
	CHECK_STR(buf_str(&keys), "z a! m ");
}

TEST(a_value_can_be_kept_as_text)
{
	auto_of(json_doc) struct json_doc *d =
		parsed("{ \"x\" : { \"k\" : [ 1 , 2.5, \"q\\\"\" , null ] } }");
	struct json_at root = json_root(d), x;
	struct err e;
	auto_buf struct buf b = { 0 };
	CHECK_INT(json_get(&root, "x", &x, &e), 1);
	json_text(&x, &b);
	CHECK_STR(buf_str(&b), "{\"k\":[1,2.5,\"q\\\"\",null]}");
}

TEST(what_is_not_json_is_refused)
{
	static const char *const table[] = { "", " ", "{", "{}x", "{\"a\":}", "[1,]", "nul", "\"\\u0000\"",
		"\"\xff\"", "01", "1e999", "99999999999999999999", "<html>" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct json_doc *d = NULL;
		struct err e = { .msg = "" };
		CHECK_INT(json_doc_parse("x.json", table[i], strlen(table[i]), &d, &e), -EBADMSG);
		CHECK_HAS(e.msg, "x.json: line ");
		CHECK(!d);
	}
}

TEST(nesting_is_bounded)
{
	for (size_t depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
		auto_buf struct buf b = { 0 };
		struct json_doc *d = NULL;
		struct err e = { .msg = "" };
		buf_add_str(&b, "{\"a\\\"[[[\":");
		for (size_t i = 1; i < depth; i++)
			buf_add_u8(&b, '[');
		for (size_t i = 1; i < depth; i++)
			buf_add_u8(&b, ']');
		buf_add_u8(&b, '}');
		int r = json_doc_parse("x.json", b.data, b.len, &d, &e);
		json_doc_free(d);
		if (depth == JSON_MAX_DEPTH) {
			CHECK_OK(r, &e);
		} else {
			CHECK_INT(r, -EBADMSG);
			CHECK_HAS(e.msg, "nested");
		}
	}
}

TEST_MAIN()
