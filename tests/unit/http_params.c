/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_params.h"

#include "tests/support/test.h"

#include <errno.h>

static const char *listed(const struct http_params *p, struct buf *out)
{
	for (size_t i = 0; i < p->len; i++)
		buf_printf(out, "%s%s=%s", i ? "|" : "", p->data[i].name, p->data[i].value);
	return buf_str(out);
}

TEST(parameters_are_read_as_go_reads_them)
{
	static const struct {
		const char *text, *list, *error;
	} table[] = {
		{ "", "", NULL },
		{ "a=1&b=2", "a=1|b=2", NULL },
		{ "a=1&a=2&a=", "a=1|a=2|a=", NULL },
		{ "a", "a=", NULL },
		{ "=x", "=x", NULL },
		{ "&&a=1&&", "a=1", NULL },
		{ "a=b=c", "a=b=c", NULL },
		{ "match%5B%5D=up%7Bjob%3D%22a+b%22%7D", "match[]=up{job=\"a b\"}", NULL },
		{ "a=%2B+%20", "a=+  ", NULL },
		{ "a=%e2%82%AC", "a=\xe2\x82\xac", NULL },
		{ "a=%zz&b=2", "b=2", "invalid URL escape \"%zz\"" },
		{ "a=1&b=%2", "a=1", "invalid URL escape \"%2\"" },
		{ "a%=1", "", "invalid URL escape \"%\"" },
		{ "a=1;b=2&c=3", "c=3", "invalid semicolon separator in query" },
		{ "a=%q1&b=%q2", "", "invalid URL escape \"%q1\"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct http_params p = { 0 };
		struct err e = { .msg = "" };
		auto_buf struct buf b = { 0 };
		int r = http_params_parse(&p, table[i].text, strlen(table[i].text), &e);
		CHECK_INT(r, table[i].error ? -EINVAL : 0);
		CHECK_STR(listed(&p, &b), table[i].list);
		if (table[i].error)
			CHECK_STR(e.msg, table[i].error);
		http_params_fini(&p);
	}
}

TEST(a_nul_is_a_byte_as_any_other)
{
	struct http_params p = { 0 };
	struct err e;
	CHECK_OK(http_params_parse(&p, "a=x%00y&a%00b=1", 15, &e), &e);
	CHECK_INT(p.len, 2);
	CHECK_INT(http_params_get(&p, "a")->value_len, 3);
	CHECK(memcmp(p.data[0].value, "x\0y", 4) == 0);
	CHECK(!http_params_next(&p, "a", &p.data[0])); /* the other name only begins like this */
	http_params_fini(&p);
}

TEST(each_of_a_name_is_found_in_order)
{
	struct http_params p = { 0 };
	struct err e;
	CHECK_OK(http_params_parse(&p, "m=1&x=0&m=2&m=3", 15, &e), &e);
	const struct http_param *m = http_params_next(&p, "m", NULL);
	CHECK_STR(m->value, "1");
	m = http_params_next(&p, "m", m);
	CHECK_STR(m->value, "2");
	m = http_params_next(&p, "m", m);
	CHECK_STR(m->value, "3");
	CHECK(!http_params_next(&p, "m", m));
	CHECK(!http_params_get(&p, "y"));
	http_params_fini(&p);
}

TEST(more_parameters_than_anybody_needs_are_refused)
{
	auto_buf struct buf b = { 0 };
	struct http_params p = { 0 };
	struct err e;
	for (int i = 0; i <= HTTP_PARAMS_MAX; i++)
		buf_add_str(&b, "a=1&");
	CHECK_INT(http_params_parse(&p, (char *)b.data, b.len, &e), -EINVAL);
	CHECK_INT(p.len, HTTP_PARAMS_MAX);
	CHECK_HAS(e.msg, "exceeded limit");
	http_params_fini(&p);
}

TEST(a_path_keeps_its_plus_and_takes_no_nul)
{
	auto_buf struct buf b = { 0 };
	CHECK_INT(http_unescape_path("", 0, &b), 0);
	CHECK_INT(http_unescape_path("/a+b%20c%2Fd", 12, &b), 0);
	CHECK_STR(buf_str(&b), "/a+b c/d");
	CHECK_INT(http_unescape_path("/a%00", 5, &b), -EINVAL);
	CHECK_INT(http_unescape_path("/a%4", 4, &b), -EINVAL);
	CHECK_INT(http_unescape_path("%", 1, &b), -EINVAL);
}

TEST_MAIN()
