/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/pattern.h"

#include "lib/base/buf.h"
#include "tests/support/test.h"

#include <errno.h>

/* The pattern in words: "set a b", "prefix a 2", "regex a". */
static void describe(const struct pattern *p, struct buf *out)
{
	static const char *const names[] = { "set", "prefix", "regex" };
	buf_add_str(out, names[p->kind]);
	for (size_t i = 0; p->kind == PATTERN_SET && i < p->n_set; i++)
		buf_printf(out, " <%.*s>", (int)p->set[i].len, p->set[i].p);
	if (p->kind != PATTERN_SET)
		buf_printf(out, " <%.*s>", (int)p->prefix.len, p->prefix.len ? p->prefix.p : "");
	if (p->kind == PATTERN_PREFIX)
		buf_printf(out, " %u", p->min_len);
}

static const struct {
	const char *re, *want;
} cases[] = {
	{ "", "set <>" },
	{ "abc", "set <abc>" },
	{ "^abc$", "set <abc>" },
	{ "b|a|b", "set <a> <b>" },
	{ "a|", "set <> <a>" },
	{ "|", "set <>" },
	{ "10\\.0\\.0\\.1:9100|x\\|y", "set <10.0.0.1:9100> <x|y>" },
	{ "a\\$", "set <a$>" },
	{ "a\\\\$", "set <a\\>" },
	{ "ä|ö", "set <ä> <ö>" },
	{ ".*", "prefix <> 0" },
	{ ".+", "prefix <> 1" },
	{ "^.*$", "prefix <> 0" },
	{ "ab.*", "prefix <ab> 2" },
	{ "ab.+", "prefix <ab> 3" },
	{ "a\\.b.+", "prefix <a.b> 4" },
	{ "ab*", "regex <a>" },
	{ "ab?.*", "regex <a>" },
	{ "aä?", "regex <a>" },
	{ "a{2}", "regex <>" },
	{ "+", "" },
	{ "ab(c|d)", "regex <>" },
	{ "ab(c)", "regex <ab>" },
	{ "ab[cd].*", "regex <ab>" },
	{ "a|b.*", "regex <>" },
	{ "a.*|b", "regex <>" },
	{ "ab\\d+", "regex <ab>" },
	{ "(?i)abc", "regex <>" },
	{ "a.*b", "regex <a>" },
	{ "a.*?", "regex <a>" },
	{ "a.", "regex <a>" },
	{ "\\Qa|b\\E", "regex <>" },
	{ "^*", "" },
	{ "a^b", "regex <a>" },
};

TEST(plain_expressions_are_sets_and_prefixes)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		struct matcher m;
		auto_of(arena) struct arena *a = arena_new(NULL);
		auto_buf struct buf got = { 0 };
		if (matcher_init(&m, MATCH_REGEX, TEXT("l"), text_of(cases[i].re), &e) < 0)
			continue; /* RE2 takes none of it */
		struct pattern p = pattern_of(&m, a);
		describe(&p, &got);
		if (*cases[i].want)
			CHECK_STR(buf_str(&got), cases[i].want);
		matcher_fini(&m);
	}
}

/* Random text of the letters that patterns are about. */
static struct text any_text(uint64_t *seed, char *room, const char *const *parts, size_t n_parts, size_t most)
{
	room[0] = 0;
	for (size_t n = test_random(seed) % (most + 1); n; n--)
		strcat(room, parts[test_random(seed) % n_parts]);
	return text_of(room);
}

TEST(a_pattern_fits_what_its_matcher_accepts)
{
	static const char *const operators[] = { "a", "b", "ä", "\\.", "\\|", ".", "*", "+", "?", "|", "(",
		")", "^", "$", "[ab]", ".*", ".+", "a{2}", "\\\\", "(?i)" },
				 *const letters[] = { "a", "b", "A", "ä", ".", "|", "^", "$", "\\", "\n" };
	uint64_t seed = 7;
	unsigned compiled = 0;
	for (unsigned round = 0; round < 20000; round++) {
		struct err e;
		struct matcher m;
		char re[64], word[64];
		struct text expression = any_text(&seed, re, operators, ARRAY_LEN(operators), 5);
		if (matcher_init(&m, MATCH_REGEX, TEXT("l"), expression, &e) < 0)
			continue;
		compiled++;
		auto_of(arena) struct arena *a = arena_new(NULL);
		struct pattern p = pattern_of(&m, a);
		for (unsigned k = 0; k < 20; k++) {
			struct text value = any_text(&seed, word, letters, ARRAY_LEN(letters), 5);
			bool fits = pattern_fits(&p, value);
			if (fits != matcher_accepts(&m, value))
				test_fail(__FILE__, __LINE__, "/%s/ and \"%s\"", re, word);
			/* What fits has the prefix: other values aren't even tried. */
			bool has_prefix = value.len >= p.prefix.len &&
					  (!p.prefix.len || !memcmp(value.p, p.prefix.p, p.prefix.len));
			if (fits && p.kind != PATTERN_SET && !has_prefix)
				test_fail(__FILE__, __LINE__, "/%s/ and \"%s\"", re, word);
		}
		matcher_fini(&m);
	}
	CHECK(compiled > 5000);
}

TEST(a_matcher_without_an_expression_is_a_set_of_one)
{
	struct err e;
	struct matcher m;
	auto_of(arena) struct arena *a = arena_new(NULL);
	CHECK_OK(matcher_init(&m, MATCH_NOT_EQUAL, TEXT("l"), TEXT("a.*"), &e), &e);
	struct pattern p = pattern_of(&m, a);
	CHECK(pattern_fits(&p, TEXT("a.*")));
	CHECK(!pattern_fits(&p, TEXT("ab")));
}

TEST_MAIN()
