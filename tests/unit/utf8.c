/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/utf8.h"

#include "tests/support/test.h"

TEST(every_character_encodes_and_decodes)
{
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		auto_buf struct buf b = { 0 };
		uint32_t got;
		bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
		utf8_add(&b, c);
		CHECK_INT(utf8_is_valid(b.data, b.len), !is_surrogate);
		if (!is_surrogate) {
			CHECK_INT(utf8_decode(b.data, b.len, &got), b.len);
			CHECK_INT(got, c);
		}
	}
}

TEST(what_is_not_utf8_is_refused)
{
	static const char *const table[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x20",
		"\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xff", "ok\xff" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		CHECK(!utf8_is_valid(table[i], strlen(table[i])));
	CHECK(utf8_is_valid("", 0));
}

TEST(cases_change_beyond_ascii)
{
	static const struct {
		const char *text, *lower, *upper;
	} table[] = {
		{ "Hello, World 1", "hello, world 1", "HELLO, WORLD 1" },
		{ "\xc3\x84\xc3\xb6", "\xc3\xa4\xc3\xb6", "\xc3\x84\xc3\x96" }, /* Ä ö */
		{ "\xc3\x9f", "\xc3\x9f", "\xc3\x9f" }, /* ß has no upper case of one character */
		{ "\xd0\x96\xce\xa9", "\xd0\xb6\xcf\x89", "\xd0\x96\xce\xa9" }, /* Ж Ω */
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "a\xff", "a\xef\xbf\xbd", "A\xef\xbf\xbd" },
		{ "", "", "" },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		auto_buf struct buf lower = { 0 }, upper = { 0 };
		utf8_add_lower(&lower, table[i].text, strlen(table[i].text));
		utf8_add_upper(&upper, table[i].text, strlen(table[i].text));
		CHECK_STR(buf_str(&lower), table[i].lower);
		CHECK_STR(buf_str(&upper), table[i].upper);
	}
}

TEST(letters_and_digits_are_those_of_unicode)
{
	static const uint32_t yes[] = { 'a', 'Z', '0', 0xe9, 0x436, 0x4e2d, 0x661 },
			      no[] = { '_', '-', '$', ' ', 0x20ac, 0 };
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		CHECK(utf8_is_letter_or_digit(yes[i]));
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		CHECK(!utf8_is_letter_or_digit(no[i]));
}

TEST_MAIN()
