/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/duration_expr.h"

#include "lib/promql/parse.h"
#include "tests/support/test.h"

#include <errno.h>

static const struct promql_features all = { true, true, true, true };

/* A query of 1,000 s in steps of 15 s. */
static int evaluate(const char *query, struct arena *a, struct expr **e, struct buf *error)
{
	CHECK_INT(promql_parse(query, strlen(query), &all, a, e, error), 0);
	return duration_exprs_evaluate(*e, 5000000, 6000000, 15000, error);
}

TEST(ranges_are_computed)
{
	static const struct {
		const char *query;
		int64_t ms;
	} t[] = {
		{ "a[5m * 2]", 600000 },
		{ "a[5m]", 300000 },
		{ "a[2 ^ 3 ^ 2]", 512000 },
		{ "a[step()]", 15000 },
		{ "a[range() / 4]", 250000 },
		{ "a[max_of(step() + 1, 3)]", 16000 },
		{ "a[min_of(step(), 3.5)]", 3500 },
		{ "a[-(1 - 3)]", 2000 },
		{ "a[7 % 4]", 3000 },
		{ "a[0.0015 + 0]", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		auto_of(arena) struct arena *a = arena_new(NULL);
		auto_buf struct buf error = { 0 };
		struct expr *e;
		CHECK_INT(evaluate(t[i].query, a, &e, &error), 0);
		CHECK_INT(e->matrix.range_ms, t[i].ms);
	}
}

TEST(offsets_may_be_negative_and_subqueries_have_three_durations)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	auto_buf struct buf error = { 0 };
	struct expr *e;
	CHECK_INT(
		evaluate("rate(x[step()] offset (5 - 10))[10 * step():step()] offset -step()", a, &e, &error),
		0);
	CHECK_INT(e->subquery.range_ms, 150000);
	CHECK_INT(e->subquery.step_ms, 15000);
	CHECK_INT(e->subquery.modifiers.offset_ms, -15000);
	const struct expr *matrix = e->subquery.inner->call.args[0];
	CHECK_INT(matrix->matrix.range_ms, 15000);
	CHECK_INT(matrix->matrix.selector->vector.modifiers.offset_ms, -5000);
}

TEST(what_is_no_duration_is_refused)
{
	static const struct {
		const char *query, *error;
	} t[] = {
		{ "a[5 - 5]", "2:7: duration must be greater than 0" },
		{ "rate(a[1m - 1h])", "7:14: duration must be greater than 0" },
		{ "a[1 / (2 - 2)]", "2:12: division by zero" },
		{ "a[step() % (step() - 15)]", "2:23: modulo by zero" },
		{ "a offset (-1) ^ 0.5", "9:19: duration is NaN or infinite" },
		{ "a[10 ^ 400]", "2:10: duration is NaN or infinite" },
		{ "a[10 ^ 12]", "2:9: duration is out of range" },
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		auto_of(arena) struct arena *a = arena_new(NULL);
		auto_buf struct buf error = { 0 };
		struct expr *e;
		CHECK_INT(evaluate(t[i].query, a, &e, &error), -EINVAL);
		CHECK_STR(buf_str(&error), t[i].error);
	}
}

TEST_MAIN()
