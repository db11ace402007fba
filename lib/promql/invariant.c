/* SPDX-License-Identifier: Apache-2.0 */
/* promql/engine.go: preprocessExprHelper; promql/functions.go: AtModifierUnsafeFunctions. */
#include "lib/promql/invariant.h"

#include "lib/base/mem.h"
#include "lib/promql/function.h"

static bool looks_at_step(const char *function)
{
	static const char *const names[] = { "day_of_month", "day_of_week", "day_of_year", "days_in_month",
		"end", "hour", "minute", "month", "predict_linear", "range", "start", "step", "time",
		"timestamp", "year" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], function) == 0)
			return true;
	return false;
}

static bool call_is_invariant(const struct expr *e)
{
	const char *name = e->call.function->name;
	/* The time of a sample that @ picks is the sample's. */
	bool is_time_of_sample =
		strcmp(name, "timestamp") == 0 && expr_bare(e->call.args[0])->kind == EXPR_VECTOR_SELECTOR;
	if (looks_at_step(name) && !is_time_of_sample)
		return false;
	for (size_t i = 0; i < e->call.n_args; i++)
		if (!expr_is_invariant(e->call.args[i]))
			return false;
	return true;
}

bool expr_is_invariant(const struct expr *e)
{
	switch (e->kind) {
	case EXPR_NUMBER:
	case EXPR_STRING: return true;
	case EXPR_VECTOR_SELECTOR: return e->vector.modifiers.at != AT_NONE;
	case EXPR_MATRIX_SELECTOR: return expr_is_invariant(e->matrix.selector);
	case EXPR_SUBQUERY: return e->subquery.modifiers.at != AT_NONE;
	case EXPR_CALL: return call_is_invariant(e);
	/* Whatever the parameter is, as upstream has it. */
	case EXPR_AGGREGATE: return expr_is_invariant(e->aggregate.inner);
	case EXPR_BINARY: return expr_is_invariant(e->binary.left) && expr_is_invariant(e->binary.right);
	case EXPR_UNARY: return expr_is_invariant(e->unary.inner);
	case EXPR_PAREN: return expr_is_invariant(e->paren);
	case EXPR_DURATION: return true;
	}
	return false;
}
