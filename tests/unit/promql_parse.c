/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/parse.h"

#include "tests/support/test.h"

#include <errno.h>

static const struct promql_features all = { true, true, true, true };

static int parse(const char *query, size_t n, const struct promql_features *f, struct buf *error)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct expr *e;
	int r = promql_parse(query, n, f, a, &e, error);
	CHECK((r == 0) == (e != NULL));
	if (r == 0)
		promql_free(e);
	return r;
}

struct refusal {
	const char *query, *error;
};

static void check_refusals(const struct refusal *r, size_t n, const struct promql_features *f)
{
	for (size_t i = 0; i < n; i++) {
		auto_buf struct buf error = { 0 };
		CHECK_INT(parse(r[i].query, strlen(r[i].query), f, &error), -EINVAL);
		CHECK_STR(buf_str(&error), r[i].error);
	}
}

#define CHECK_REFUSALS(table, features) check_refusals(table, ARRAY_LEN(table), features)

TEST(syntax_errors_say_where_and_what)
{
	static const struct refusal t[] = {
		{ "", "unknown position: parse error: no expression found in input" },
		{ " # nothing", "1:1: parse error: no expression found in input" },
		{ "1+", "1:3: parse error: unexpected end of input" },
		{ "\n\n a b", "3:4: parse error: unexpected identifier \"b\"" },
		{ "(1", "1:3: parse error: unclosed left parenthesis" },
		{ "1)", "1:3: parse error: unexpected right parenthesis ')'" },
		{ "*1", "1:1: parse error: unexpected <op:*>" },
		{ "a[5m", "1:5: parse error: unclosed left bracket" },
		{ "a[.5m]", "1:3: parse error: not a valid duration string: \".5m\"" },
		{ "a offset 5m5d", "1:10: parse error: not a valid duration string: \"5m5d\"" },
		{ "a offset 300y", "1:10: parse error: duration out of range" },
		{ "a offset -nan", "1:10: parse error: duration out of range" },
		{ "a[9223372036.854775808]", "1:3: parse error: duration out of range" },
		{ "a offset 5hs", "1:10: parse error: unknown unit \"hs\" in duration \"5hs\"" },
		{ "1_ + 1", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"1_\": "
			    "invalid syntax" },
		{ "1e999", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"1e999\": "
			   "value out of range" },
		{ "0xae", "1:1: parse error: bad number or duration syntax: \"0xae\"" },
		{ "a + on(b) group_left * c",
			"1:22: parse error: unexpected <op:*> in grouping opts, expected \"(\"" },
		{ "sum by (\"\") (a)", "1:9: parse error: invalid label name for grouping: \"\"" },
		{ "a[step():5m]",
			"1:10: parse error: unexpected colon before duration in duration expression" },
		{ "a[b]", "1:3: parse error: unexpected character in duration expression: 'b'" },
		{ "a[5m]]", "1:6: parse error: unexpected right bracket ']'" },
		{ "a[5m 5m]", "1:6: parse error: unexpected duration \"5m\" in subquery or range, expected "
			      "\":\" or \"]\"" },
		{ "a[5m:5m 5m]",
			"1:9: parse error: unexpected duration \"5m\" in subquery selector, expected \"]\"" },
		{ "a{b}", "1:4: parse error: unexpected \"}\" in label matching, expected label matching "
			  "operator" },
		{ "a{b=c}",
			"1:5: parse error: unexpected identifier \"c\" in label matching, expected string" },
		{ "a{b=\"c\" d}", "1:9: parse error: unexpected identifier \"d\" in label matching, expected "
				  "\",\" or \"}\"" },
		{ "a{,}", "1:3: parse error: unexpected \",\" in label matching, expected identifier or "
			  "\"}\"" },
		{ "sum(a b)", "1:7: parse error: unexpected identifier \"b\" in aggregation" },
		{ "sum by a (b)",
			"1:8: parse error: unexpected identifier \"a\" in grouping opts, expected \"(\"" },
		{ "sum(a) by (b c)", "1:14: parse error: unexpected identifier \"c\" in grouping opts, "
				     "expected \",\" or \")\"" },
		{ "sum a", "1:5: parse error: unexpected identifier \"a\"" },
		{ "a offset", "1:9: parse error: unexpected end of input in offset, expected number, "
			      "duration, step(), or range()" },
		{ "a @ b", "1:5: parse error: unexpected identifier \"b\" in @, expected timestamp" },
		{ "rate(a[5m],)", "1:11: parse error: trailing commas not allowed in function call args" },
		{ "!", "1:1: parse error: unexpected character after '!': '\xef\xbf\xbd'" },
		{ "\"\\g\"", "1:1: parse error: unknown escape sequence U+0067 'g'" },
		{ "\"a", "1:1: parse error: unterminated quoted string" },
		{ "100..", "1:1: parse error: bad number or duration syntax: \"100..\"" },
		{ "nope(a)", "1:1: parse error: unknown function with name \"nope\"" },
		{ "a{b=~\"(\"}", "1:3: parse error: error parsing regexp: missing closing ): `(`" },
		{ "a{b=~\"x**\"}",
			"1:3: parse error: error parsing regexp: invalid nested repetition operator: `**`" },
	};
	CHECK_REFUSALS(t, &all);
}

TEST(what_makes_no_sense_is_refused)
{
	static const struct refusal t[] = {
		{ "1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier" },
		{ "1 or a", "1:1: parse error: set operator \"or\" not allowed in binary scalar expression" },
		{ "a or on(b) group_left c", "1:1: parse error: no grouping allowed for \"or\" operation" },
		{ "a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators" },
		{ "a * on(b) group_left(b) c",
			"1:3: parse error: label \"b\" must not occur in ON and GROUP clause at once" },
		{ "a * on(b) 1", "1:1: parse error: vector matching only allowed between instant vectors" },
		{ "a[5m] + 1", "1:1: parse error: binary expression must contain only scalar and instant "
			       "vector types" },
		{ "rate(a)", "1:6: parse error: expected type range vector in call to function \"rate\", got "
			     "instant vector" },
		{ "floor()", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 0" },
		{ "round(a, 1, 2)",
			"1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3" },
		{ "label_join()", "1:1: parse error: expected at least 3 argument(s) in call to "
				  "\"label_join\", got 0" },
		{ "topk(a)", "1:1: parse error: wrong number of arguments for aggregate expression provided, "
			     "expected 2, got 1" },
		{ "sum()", "1:1: parse error: no arguments for aggregate expression provided" },
		{ "{a=~\".*\"}",
			"1:1: parse error: vector selector must contain at least one non-empty matcher" },
		{ "a{__name__=\"b\"}",
			"1:1: parse error: metric name must not be set twice: \"a\" or \"b\"" },
		{ "a[0]", "1:3: parse error: duration must be greater than 0" },
		{ "1[5m]", "1:2: parse error: ranges only allowed for vector selectors" },
		{ "a offset 1m[5m]", "1:12: parse error: no offset modifiers allowed before range" },
		{ "a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times" },
		{ "1[5m:]",
			"1:1: parse error: subquery is only allowed on instant vector, got scalar instead" },
		{ "-\"a\"", "1:1: parse error: unary expression only allowed on expressions of type scalar "
			    "or instant vector, got \"string\"" },
	};
	CHECK_REFUSALS(t, &all);
}

TEST(what_is_behind_a_feature_is_refused_without_it)
{
	static const struct promql_features none = { 0 };
	static const struct refusal t[] = {
		{ "limitk(1, a)", "1:1: parse error: limitk() is experimental and must be enabled with "
				  "--enable-feature=promql-experimental-functions" },
		{ "info(a)", "1:1: parse error: function \"info\" is not enabled" },
		{ "a[5m * 2]", "1:3: parse error: experimental duration expression is not enabled" },
		{ "a anchored", "1:1: parse error: anchored modifier is experimental and not enabled" },
		{ "a + fill(0) b",
			"1:1: parse error: binop fill modifiers are experimental and not enabled" },
	};
	CHECK_REFUSALS(t, &none);
}

/* n times `piece`. */
static int parse_many(const char *before, const char *piece, size_t n, struct buf *error)
{
	auto_buf struct buf b = { 0 };
	buf_add_str(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_add_str(&b, piece);
	return parse((const char *)b.data, b.len, &all, error);
}

TEST(what_is_nested_too_deep_is_refused)
{
	static const struct {
		const char *before, *piece;
	} t[] = { { "", "(" }, { "", "-(" }, { "", "sum(" }, { "a[", "(" }, { "a", "^a" }, { "", "--" },
		{ "a offset ", "-(" }, { "a", "+b" }, { "a", "[5m:]" } };
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		auto_buf struct buf error = { 0 };
		CHECK_INT(parse_many(t[i].before, t[i].piece, 100000, &error), -E2BIG);
		CHECK_HAS(buf_str(&error), ": parse error: expressions are nested more than 1000 deep");
	}
	auto_buf struct buf error = { 0 };
	CHECK_INT(parse_many("a", "+a", 900, &error), 0);
}

TEST(what_is_too_long_is_refused)
{
	auto_buf struct buf error = { 0 };
	CHECK_INT(parse_many("a", " ", 10 << 20, &error), -E2BIG);
	CHECK_STR(buf_str(&error), "1:1: parse error: the query is longer than 1048576 bytes");
}

TEST(what_has_too_many_parts_is_refused)
{
	auto_buf struct buf error = { 0 };
	CHECK_INT(parse_many("label_join(a", ",a", 200000, &error), -E2BIG);
	CHECK_HAS(buf_str(&error), ": parse error: more than 131072 expressions");
	auto_buf struct buf other = { 0 };
	CHECK_INT(parse_many("a{", "b=~\"c\",", 5000, &other), -E2BIG);
	CHECK_HAS(buf_str(&other), ": parse error: more than 4096 regular expressions");
	auto_buf struct buf large = { 0 };
	CHECK_INT(parse_many("a{", "b=~\"\\\\pL{200}\",", 1000, &large), -E2BIG);
	CHECK_HAS(buf_str(&large), ": parse error: regular expressions take more than 33554432 bytes");
}

TEST(a_selector_alone_gives_its_matchers)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	auto_buf struct buf error = { 0 };
	struct matcher *m;
	size_t n;
	const char *text = "up{\"a b\"!~\"x|y\", c='d'}";
	CHECK_INT(promql_parse_selector(text, strlen(text), a, &m, &n, &error), 0);
	CHECK_INT(n, 3);
	CHECK(text_is(m[0].name, TEXT("a b")) && m[0].kind == MATCH_NOT_REGEX && m[0].regex);
	CHECK(text_is(m[2].name, LABEL_NAME) && text_is(m[2].value, TEXT("up")));
	matcher_fini(&m[0]);
	CHECK_INT(promql_parse_selector("rate(a[5m])", 11, a, &m, &n, &error), -EINVAL);
	CHECK_STR(buf_str(&error), "1:5: parse error: unexpected \"(\"");
}

TEST_MAIN()
