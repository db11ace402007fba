/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What upstream's test engine does with each instant query (promqltest/test.go, atModifierTestCases). What is inside of a subquery is
 * left alone: the subquery's own @ already says when it is evaluated.
 */
#include "tests/support/at_variants.h"

#include "lib/promql/function.h"

struct setting {
	int64_t at_ms;
	bool has_clock; /* a function was met whose value depends on when it is asked for */
};

static void set_at(const struct setting *s, struct range_modifiers *m)
{
	if (m->at == AT_TIME)
		return;
	m->at = AT_TIME;
	m->at_ms = s->at_ms;
}

static bool looks_at_the_time(const struct function *f)
{
	static const char *const names[] = { "days_in_month", "day_of_month", "day_of_week", "day_of_year",
		"end", "hour", "minute", "month", "year", "predict_linear", "range", "start", "step", "time",
		"timestamp" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(f->name, names[i]) == 0)
			return true;
	return false;
}

static void set(struct setting *s, struct expr *e)
{
	switch (e->kind) {
	case EXPR_VECTOR_SELECTOR: set_at(s, &e->vector.modifiers); break;
	case EXPR_MATRIX_SELECTOR: set(s, e->matrix.selector); break;
	case EXPR_SUBQUERY: set_at(s, &e->subquery.modifiers); break;
	case EXPR_CALL:
		s->has_clock = s->has_clock || looks_at_the_time(e->call.function);
		for (size_t i = 0; i < e->call.n_args; i++)
			set(s, e->call.args[i]);
		break;
	case EXPR_AGGREGATE:
		set(s, e->aggregate.inner);
		if (e->aggregate.param)
			set(s, e->aggregate.param);
		break;
	case EXPR_BINARY:
		set(s, e->binary.left);
		set(s, e->binary.right);
		break;
	case EXPR_UNARY: set(s, e->unary.inner); break;
	case EXPR_PAREN: set(s, e->paren); break;
	case EXPR_NUMBER:
	case EXPR_STRING:
	case EXPR_DURATION: break;
	}
}

bool at_variant(struct text query, const struct promql_features *f, int64_t at_ms, struct buf *out)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	auto_buf struct buf error = { 0 };
	struct expr *e;
	if (promql_parse(query.p, query.len, f, a, &e, &error) < 0)
		return false;
	struct setting s = { .at_ms = at_ms };
	set(&s, e);
	if (!s.has_clock)
		promql_print(e, out);
	promql_free(e);
	return !s.has_clock;
}
