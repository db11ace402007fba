/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/json.h"
#include "lib/promql/parse.h"

#include "tests/support/test.h"

static const struct promql_features all = { true, true, true, true };

typedef void printer(const struct expr *e, struct buf *out);

static void print(printer *p, const char *query, struct buf *out)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	auto_buf struct buf error = { 0 };
	struct expr *e = NULL;
	if (promql_parse(query, strlen(query), &all, a, &e, &error) < 0)
		test_fail(__FILE__, __LINE__, "%s: %s", query, buf_str(&error));
	buf_reset(out);
	p(e, out);
	promql_free(e);
}

struct form {
	const char *query, *line; /* NULL: the same */
};

static void check_forms(const struct form *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_buf struct buf out = { 0 };
		const char *want = f[i].line ? f[i].line : f[i].query;
		print(promql_print, f[i].query, &out);
		CHECK_STR(buf_str(&out), want);
		/* What was printed means the same. */
		print(promql_print, want, &out);
		CHECK_STR(buf_str(&out), want);
	}
}

#define CHECK_FORMS(table) check_forms(table, ARRAY_LEN(table))

TEST(numbers_are_read_as_go_reads_them)
{
	static const struct form t[] = {
		{ "1e3", "1000" },
		{ ".5", "0.5" },
		{ "0x1F", "31" },
		{ "0X_ff", "255" },
		{ "017", "15" },
		{ "08", "8" },
		{ "1_000", "1000" },
		{ "1_000.5", "1000.5" },
		{ "9223372036854775808", "9223372036854776000" },
		{ "1e-7", "0.0000001" },
		{ "inf", "+Inf" },
		{ "-InF", "-Inf" },
		{ "nAN", "NaN" },
		{ "+-1", "-1" },
		{ "- -1", "1" },
		{ "-0", "-0" },
		{ "90s", "1m30s" },
		{ "-1h30m", NULL },
		{ "1s1ms", NULL },
		{ "1y2w3d4h5m6s7ms", "382d4h5m6s7ms" },
	};
	CHECK_FORMS(t);
}

TEST(strings_have_all_escapes)
{
	static const struct form t[] = {
		{ "\"a\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", NULL },
		{ "'\\'\"'", "\"'\\\"\"" },
		{ "`a\\b\nc`", "\"a\\\\b\\nc\"" },
		{ "\"\\101\\x41\\u0041\\U00000041\"", "\"AAAA\"" },
		{ "\"\\xff\\377\"", "\"\\xff\\xff\"" },
		{ "\"\\u00e4\\U0001F600\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "\"\"", NULL },
	};
	CHECK_FORMS(t);
}

TEST(operators_bind_as_upstreams_do)
{
	static const struct form t[] = {
		{ "1+2*3^2", "1 + 2 * 3 ^ 2" },
		{ "-a^2", "-a ^ 2" },
		{ "-1^2", "-1 ^ 2" },
		{ "a atan2 b % c", NULL },
		{ "a or b and c unless d", NULL },
		{ "a AND b", "a and b" },
		{ "1 > bool 2", NULL },
		{ "a </ 1", NULL },
		{ "a >/ b", NULL },
		{ "(a + b) * c # why", "(a + b) * c" },
		{ "# why\na", "a" },
	};
	CHECK_FORMS(t);
}

TEST(trees_show_how_operators_bind)
{
	static const struct {
		const char *query;
		enum binary_op root;
		bool left_is_binary, right_is_binary;
	} t[] = {
		{ "a - b - c", OP_SUB, true, false },
		{ "a ^ b ^ c", OP_POW, false, true },
		{ "a + b * c", OP_ADD, false, true },
		{ "a * b + c", OP_ADD, true, false },
		{ "a or b and c", OP_OR, false, true },
		{ "a and b == c", OP_AND, false, true },
		{ "a == b != c", OP_NE, true, false },
		{ "a % b atan2 c", OP_ATAN2, true, false },
		{ "a ^ -b * c", OP_MUL, true, false },
		{ "a + b offset 1m", OP_ADD, false, false },
		{ "a offset -2 ^ 2", OP_POW, false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		auto_of(arena) struct arena *a = arena_new(NULL);
		auto_buf struct buf error = { 0 };
		struct expr *e;
		CHECK_INT(promql_parse(t[i].query, strlen(t[i].query), &all, a, &e, &error), 0);
		CHECK_INT(e->kind, EXPR_BINARY);
		CHECK_STR(binary_op_text(e->binary.op), binary_op_text(t[i].root));
		CHECK_INT(e->binary.left->kind == EXPR_BINARY, t[i].left_is_binary);
		CHECK_INT(e->binary.right->kind == EXPR_BINARY, t[i].right_is_binary);
	}
}

TEST(selectors_are_printed_with_their_matchers_sorted)
{
	static const struct form t[] = {
		{ "a{}", "a" },
		{ "a{c!=\"d\",b=~'x|y',}", "a{b=~\"x|y\",c!=\"d\"}" },
		{ "{\"my.metric\", \"label.name\"=\"x\"}", "{\"label.name\"=\"x\",__name__=\"my.metric\"}" },
		{ "{__name__=\"a\"}", NULL },
		{ "a:b", NULL },
		{ "sum", NULL },
		{ "offset offset 5m", NULL },
		{ "by + without - and", NULL },
		{ "step{on=\"by\"}", NULL },
		{ "fill + fill", NULL },
		{ "anchored anchored", NULL },
	};
	CHECK_FORMS(t);
}

TEST(modifiers_come_in_upstreams_order)
{
	static const struct form t[] = {
		{ "a offset -90s @ start()", "a @ start() offset -1m30s" },
		{ "a @ -1.5", "a @ -1.500" },
		{ "a[300]", "a[5m]" },
		{ "a[1.5] offset 1h @ end()", "a[1s500ms] @ end() offset 1h" },
		{ "a[5m] offset 5m anchored @ 1", "a[5m] anchored @ 1.000 offset 5m" },
		{ "a smoothed offset 5m", NULL },
		{ "rate(a[1h])[1d:] @ 0", "rate(a[1h])[1d:] @ 0.000" },
		{ "a[1h:5m] offset 1w", NULL },
	};
	CHECK_FORMS(t);
}

TEST(durations_may_be_expressions)
{
	static const struct form t[] = {
		{ "a[5m*2]", "a[5m * 2]" },
		{ "a[(5)]", NULL },
		{ "a[-(5-2*3)^2]", "a[-(5 - 2 * 3) ^ 2]" },
		{ "a[step() + range() / 2 % 3]", NULL },
		{ "a[min_of(step(),5m):max_of(1,step())]", "a[min_of(step(), 5m):max_of(1, step())]" },
		{ "a offset (1h - 5m)", NULL },
		{ "a offset -step()", NULL },
		{ "a offset 5m + b", NULL },
	};
	CHECK_FORMS(t);
}

TEST(calls_and_aggregations_are_printed_with_the_modifier_in_front)
{
	static const struct form t[] = {
		{ "sum(a) by (c,\"b c\",)", "sum by (c, \"b c\") (a)" },
		{ "SUM BY() (a)", "sum(a)" },
		{ "avg without () (a)", "avg without () (a)" },
		{ "topk(5,a)", "topk(5, a)" },
		{ "count_values(\"v\", a)", NULL },
		{ "limit_ratio(-0.5, a)", NULL },
		{ "time()", NULL },
		{ "label_join(a, \"b\", \",\")", NULL },
		{ "max_of(start(), end())", NULL },
		{ "info(a, {b=\"c\"})", NULL },
	};
	CHECK_FORMS(t);
}

TEST(matching_is_printed_in_full)
{
	static const struct form t[] = {
		{ "a + on(c,b) d", "a + on (c, b) d" },
		{ "a + on() b", "a + on () b" },
		{ "a + ignoring() b", "a + b" },
		{ "a == bool ignoring(b) group_left(c) d", "a == bool ignoring (b) group_left (c) d" },
		{ "a * on(b) group_right d", "a * on (b) group_right () d" },
		{ "a + fill(0) b", "a + fill (0) b" },
		{ "a + fill_right(1000000) fill_left(-2) b", "a + fill_left (-2) fill_right (1e+06) b" },
	};
	CHECK_FORMS(t);
}

TEST(what_is_too_long_for_a_line_is_broken)
{
	auto_buf struct buf out = { 0 };
	print(promql_print_pretty, "sum(a)+b", &out);
	CHECK_STR(buf_str(&out), "sum(a) + b");
	print(promql_print_pretty,
		"histogram_quantile(0.99, sum by (le, job) "
		"(rate(http_request_duration_seconds_bucket{job=\"api\"}[5m]))) > bool 0 and -up",
		&out);
	CHECK_STR(buf_str(&out),
		"    histogram_quantile(\n"
		"      0.99,\n"
		"      sum by (le, job) (rate(http_request_duration_seconds_bucket{job=\"api\"}[5m]))\n"
		"    )\n"
		"  > bool\n"
		"    0\n"
		"and\n"
		"  -up");
}

TEST(signs_parentheses_and_subqueries_are_broken_with_what_they_are_of)
{
	auto_buf struct buf out = { 0 };
	print(promql_print_pretty,
		"max_over_time((-sum without (instance) (first_metric_with_a_very_long_name + "
		"second_metric_with_a_quite_long_name)  / 2)[1h:5m] offset 1d)",
		&out);
	CHECK_STR(buf_str(&out), "max_over_time(\n"
				 "  (\n"
				 "      -sum without (instance) (first_metric_with_a_very_long_name + "
				 "second_metric_with_a_quite_long_name)\n"
				 "    /\n"
				 "      2\n"
				 "  )[1h:5m] offset 1d\n"
				 ")");
}

TEST(what_would_be_mostly_indentation_stays_on_one_line)
{
	auto_buf struct buf query = { 0 }, out = { 0 }, line = { 0 };
	for (int i = 0; i < 900; i++)
		buf_add_u8(&query, '(');
	buf_add_str(&query, "label_join(a, \"b\", \",\"");
	for (int i = 0; i < 20000; i++)
		buf_add_str(&query, ", \"c\"");
	buf_add_u8(&query, ')');
	for (int i = 0; i < 900; i++)
		buf_add_u8(&query, ')');
	print(promql_print, buf_str(&query), &line);
	print(promql_print_pretty, buf_str(&query), &out);
	CHECK_STR(buf_str(&out), buf_str(&line));
}

TEST(the_tree_in_json_is_that_of_parse_query)
{
	auto_buf struct buf out = { 0 };
	print(promql_print_json, "-sum by (b,a) (x{c=\"<\"} offset 5m) * on(a) group_left fill_left(1) y",
		&out);
	CHECK_STR(buf_str(&out), "{\"bool\":false,\"lhs\":{\"expr\":{\"expr\":{\"anchored\":false,"
				 "\"matchers\":[{\"name\":\"c\",\"type\":\"=\","
				 "\"value\":\"\\u003c\"},{\"name\":\"__name__\",\"type\":\"=\",\"value\":"
				 "\"x\"}],\"name\":\"x\",\"offset\":300000,"
				 "\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":"
				 "null,\"type\":\"vectorSelector\"},"
				 "\"grouping\":[\"b\",\"a\"],\"op\":\"sum\",\"param\":null,\"type\":"
				 "\"aggregation\",\"without\":false},\"op\":\"-\","
				 "\"type\":\"unaryExpr\"},\"matching\":{\"card\":\"many-to-one\","
				 "\"fillValues\":{\"lhs\":1,\"rhs\":null},"
				 "\"include\":[],\"labels\":[\"a\"],\"on\":true},\"op\":\"*\",\"rhs\":{"
				 "\"anchored\":false,\"matchers\":[{\"name\":"
				 "\"__name__\",\"type\":\"=\",\"value\":\"y\"}],\"name\":\"y\",\"offset\":0,"
				 "\"offsetExpr\":null,\"smoothed\":false,"
				 "\"startOrEnd\":null,\"timestamp\":null,\"type\":\"vectorSelector\"},"
				 "\"type\":\"binaryExpr\"}");
	print(promql_print_json, "rate((x)[(5m):step()] @ 1)", &out);
	CHECK_STR(buf_str(&out),
		"{\"args\":[{\"expr\":{\"expr\":{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\","
		"\"type\":\"=\",\"value\":\"x\"}],"
		"\"name\":\"x\",\"offset\":0,\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":null,"
		"\"timestamp\":null,\"type\":"
		"\"vectorSelector\"},\"type\":\"parenExpr\"},\"offset\":0,\"offsetExpr\":null,\"range\":0,"
		"\"rangeExpr\":{\"lhs\":null,"
		"\"op\":\"+\",\"rhs\":{\"duration\":true,\"type\":\"numberLiteral\",\"val\":\"300\"},"
		"\"type\":\"durationExpr\","
		"\"wrapped\":true},\"startOrEnd\":null,\"step\":0,\"stepExpr\":{\"lhs\":null,\"op\":\"step\","
		"\"rhs\":null,\"type\":"
		"\"durationExpr\",\"wrapped\":false},\"timestamp\":1000,\"type\":\"subquery\"}],\"func\":{"
		"\"argTypes\":[\"matrix\"],"
		"\"name\":\"rate\",\"returnType\":\"vector\",\"variadic\":0},\"type\":\"call\"}");
}

TEST_MAIN()
