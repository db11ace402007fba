/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/regex.h"

#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>

static struct regex *compiled(const char *pattern)
{
	struct regex *r;
	struct err e;
	CHECK_OK(regex_compile(pattern, strlen(pattern), &r, &e), &e);
	return r;
}

TEST(an_expression_matches_the_whole_text)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} table[] = {
		{ "foo", "foo", true },
		{ "foo", "xfoo", false },
		{ "foo", "foox", false },
		{ "", "", true },
		{ "", "x", false },
		{ "(.*)", "", true },
		{ "a|bc", "bc", true },
		{ "a|bc", "abc", false }, /* the anchors stand around the alternatives */
		{ "^foo$", "foo", true },
		{ ".*", "two\nlines", true },
		{ "a.b", "a\nb", true },
		{ "(?-s)a.b", "a\nb", false },
		{ "(?i)FOO", "fOo", true },
		{ "FOO", "foo", false },
		{ "\\d+", "123", true },
		{ "h.llo", "h\xc3\xa4llo", true }, /* '.' is a character, not a byte */
		{ "[\\p{L}]+", "\xc3\xa4\xc3\xb6", true },
		{ "(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_of(regex) struct regex *r = compiled(table[i].pattern);
		CHECK_INT(regex_matches(r, table[i].text, strlen(table[i].text)), table[i].matches);
	}
}

TEST(a_bad_expression_is_refused_and_quoted)
{
	static const char *const table[] = { "(", ")", "a)(b", "[", "*", "a**", "(?P<x", "\\", "(?=a)", "\\1",
		"a{1001}", "\xff", "((((((((((a{100}){100}){100}){100}))))))" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct regex *r = NULL;
		struct err e = { .msg = "" };
		CHECK_INT(regex_compile(table[i], strlen(table[i]), &r, &e), -EINVAL);
		CHECK_HAS(e.msg, table[i]);
		CHECK(!r);
	}
}

TEST(length_and_groups_are_bounded)
{
	struct regex *r = NULL;
	struct err e;
	auto_buf struct buf groups = { 0 }, longer = { 0 };
	for (int i = 0; i < REGEX_MAX_GROUPS; i++)
		buf_add_str(&groups, "()");
	CHECK_INT(regex_compile(buf_str(&groups), groups.len, &r, &e), -EINVAL);
	CHECK_HAS(e.msg, "has 32 groups; at most 31 are allowed");
	CHECK_OK(regex_compile(buf_str(&groups), groups.len - 2, &r, &e), &e);
	regex_free(r);
	memset(buf_reserve(&longer, REGEX_MAX_BYTES + 1), 'a', REGEX_MAX_BYTES + 1);
	CHECK_INT(regex_compile((char *)longer.data, REGEX_MAX_BYTES + 1, &r, &e), -EINVAL);
	CHECK_OK(regex_compile((char *)longer.data, REGEX_MAX_BYTES, &r, &e), &e);
	CHECK(regex_matches(r, (char *)longer.data, REGEX_MAX_BYTES));
	regex_free(r);
}

static bool matches(const char *pattern, const char *text)
{
	struct err e;
	auto_of(regex) struct regex *r = NULL;
	CHECK_OK(regex_compile(pattern, strlen(pattern), &r, &e), &e);
	return regex_matches(r, text, strlen(text));
}

TEST(groups_may_be_named_as_go_names_them)
{
	struct err e;
	auto_of(regex) struct regex *r = NULL;
	auto_buf struct buf out = { 0 };
	struct regex_match m;
	CHECK_OK(regex_compile("(?<a>x+)(?P<b>y)", 16, &r, &e), &e);
	CHECK(regex_find(r, "xxy", 3, &m));
	regex_expand(r, "${b}${a}", 8, &m, &out);
	CHECK_STR(buf_str(&out), "yxx");
}

TEST(what_looks_like_a_named_group_may_be_text)
{
	CHECK(matches("\\(?<", "<") && matches("\\(?<", "(<"));
	CHECK(matches("[(?<n>]+", "(?<n>") && !matches("[(?<n>]+", "P"));
	CHECK(matches("[](?<n>]+", "]<n") && !matches("[](?<n>]+", "P"));
	CHECK(matches("[^](?<n>]", "P") && !matches("[^](?<n>]", "<"));
	CHECK(matches("[[:digit:](?<n>]+", "(1<") && !matches("[[:digit:](?<n>]+", "P"));
	CHECK(matches("[\\](?<n>]+", "](") && !matches("[\\](?<n>]+", "P"));
	CHECK(matches("\\Q(?<n>[\\E(?<n>a)", "(?<n>[a"));
}

TEST(a_single_byte_has_no_expression)
{
	struct err e;
	struct regex *r = NULL;
	CHECK_INT(regex_compile("a\\C", 3, &r, &e), -EINVAL);
	CHECK_HAS(e.msg, ": invalid escape sequence: \\C");
	CHECK(matches("\\\\C", "\\C"));
}

TEST(an_expression_may_take_much_more_than_its_text)
{
	struct err e;
	auto_of(regex) struct regex *small = NULL, *large = NULL;
	CHECK_OK(regex_compile("a", 1, &small, &e), &e);
	CHECK_OK(regex_compile("\\pL{50}", 7, &large, &e), &e);
	CHECK(regex_bytes(small) < 1000 && regex_bytes(large) > 100000);
}

TEST(templates_expand_as_those_of_go)
{
	static const struct {
		const char *pattern, *text, *template_text, *want;
	} table[] = {
		{ "(.*)", "x", "$1", "x" },
		{ "(.*)", "x", "${1}", "x" },
		{ "(.*)", "x", "a${1}b$1", "axbx" },
		{ "(.*)", "x", "$0", "x" },
		{ "(.)(.)", "xy", "$2$1", "yx" },
		{ "(.)(.)", "xy", "$12", "" },          /* group twelve */
		{ "(.)(.)", "xy", "$1a", "" },          /* a group named 1a */
		{ "(.)(.)", "xy", "$1_", "" },          /* 1_ */
		{ "(.)(.)", "xy", "$1\xc3\xa9!", "!" }, /* a letter is a letter */
		{ "(.)(.)", "xy", "$1-", "x-" },
		{ "(.)(.)", "xy", "${1}a", "xa" },
		{ "(.)(.)", "xy", "$01", "" }, /* no zero in front */
		{ "(.)(.)", "xy", "$99999999999999999999", "" },
		{ "(?P<first>.)(?P<n2>.)", "xy", "$first", "x" },
		{ "(?P<first>.)(?P<n2>.)", "xy", "${n2}-$first_", "y-" },
		{ "(?P<first>.)(?P<n2>.)", "xy", "$second", "" },
		{ "(a)|(b)", "b", "[$1][$2]", "[][b]" },
		{ "(a*)b", "b", "[$1]", "[]" },
		{ "(.*)", "", "[$1]", "[]" },
		{ "(.*)", "x", "$$", "$" },
		{ "(.*)", "x", "$$1", "$1" },
		{ "(.*)", "x", "$$$1", "$x" },
		{ "(.*)", "x", "$", "$" },
		{ "(.*)", "x", "a$", "a$" },
		{ "(.*)", "x", "$-", "$-" },
		{ "(.*)", "x", "$ 1", "$ 1" },
		{ "(.*)", "x", "${", "${" },
		{ "(.*)", "x", "${}", "${}" },
		{ "(.*)", "x", "${1", "${1" },
		{ "(.*)", "x", "${1-}", "${1-}" },
		{ "(.*)", "x", "${${1}", "${x" },
		{ "(.*)", "x", "", "" },
		{ "(.*)", "x", "plain", "plain" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_of(regex) struct regex *r = compiled(table[i].pattern);
		auto_buf struct buf b = { 0 };
		struct regex_match m;
		CHECK(regex_find(r, table[i].text, strlen(table[i].text), &m));
		regex_expand(r, table[i].template_text, strlen(table[i].template_text), &m, &b);
		CHECK_STR(buf_str(&b), table[i].want);
	}
}

TEST(a_group_that_took_no_part_has_no_place)
{
	auto_of(regex) struct regex *r = compiled("(a)?(b*)c");
	struct regex_match m;
	CHECK(regex_find(r, "c", 1, &m));
	CHECK_INT(m.groups, 3);
	CHECK(!m.group[1].begin);
	CHECK(m.group[2].begin);
	CHECK_INT(m.group[2].len, 0);
	CHECK(!regex_find(r, "x", 1, &m));
}

static void *match_often(void *r)
{
	for (int i = 0; i < 2000; i++) {
		struct regex_match m;
		if (!regex_find(r, "abc-123", 7, &m) || m.group[2].len != 3 || regex_matches(r, "abc", 3))
			return r;
	}
	return NULL;
}

TEST(threads_share_an_expression)
{
	auto_of(regex) struct regex *r = compiled("([a-z]+)-([0-9]+)");
	pthread_t threads[4];
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, match_often, r), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		CHECK(!failed);
	}
}

TEST_MAIN()
