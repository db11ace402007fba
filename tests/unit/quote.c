/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/quote.h"

#include "tests/support/test.h"

#include <string.h>

static void check(const char *text, const char *want)
{
	auto_buf struct buf out = { 0 };
	quote_add(&out, text, strlen(text));
	CHECK_STR(buf_str(&out), want);
}

TEST(text_is_quoted_as_go_does)
{
	check("", "\"\"");
	check("a'b", "\"a'b\"");
	check("\a\b\f\n\r\t\v\\\"", "\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"");
	check("\x01\x7f", "\"\\x01\\x7f\"");
	check("\xff"
	      "a\xc3",
		"\"\\xffa\\xc3\"");
	check("\xc3\xa9\xe2\x82\xac", "\"\xc3\xa9\xe2\x82\xac\"");
	check("\xc2\x80\xe2\x80\x8b\xef\xbb\xbf", "\"\\u0080\\u200b\\ufeff\"");
}

TEST(a_character_is_quoted_as_go_does)
{
	static const struct {
		uint32_t c;
		const char *want;
	} t[] = { { 'a', "'a'" }, { '\'', "'\\''" }, { '"', "'\"'" }, { '\\', "'\\\\'" }, { '\n', "'\\n'" },
		{ 1, "'\\x01'" }, { 0xe9, "'\xc3\xa9'" }, { 0x200b, "'\\u200b'" } };
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		auto_buf struct buf out = { 0 };
		quote_add_char(&out, t[i].c);
		CHECK_STR(buf_str(&out), t[i].want);
	}
}

TEST_MAIN()
