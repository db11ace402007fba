/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/planner.h"

#include "lib/promql/function.h"
#include "lib/promql/instant_function.h"
#include "lib/promql/invariant.h"
#include "lib/promql/scalar.h"

#include <errno.h>

#define LOOKBACK_MS 300000
#define TIME_MAX    ((int64_t)1 << 61) /* of a query, so that what is added to it doesn't overflow */

static int build_unary(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	int r = plan_build(p, e->unary.inner, steps, out);
	if (r == 0 && e->unary.is_minus)
		*out = negate_new(e, *out);
	return r;
}

static int build_at(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	const char *func_before = p->func;
	int r;
	switch (e->kind) {
	case EXPR_NUMBER: *out = number_new(e, steps, e->number.value); return 0;
	case EXPR_VECTOR_SELECTOR: *out = plan_selector(p, e, steps, false); return 0;
	case EXPR_PAREN: return plan_build(p, e->paren, steps, out);
	case EXPR_UNARY: return build_unary(p, e, steps, out);
	case EXPR_CALL:
		p->func = e->call.function->name;
		r = plan_call(p, e, steps, out);
		p->func = func_before;
		return r;
	case EXPR_AGGREGATE:
	case EXPR_BINARY:
	case EXPR_STRING:
	case EXPR_MATRIX_SELECTOR:
	case EXPR_SUBQUERY:
	case EXPR_DURATION: break;
	}
	return err_set(p->e, -EDOM, "an expression of this kind can't be computed here: %s",
		value_type_name(e->type));
}

int plan_build(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	e = expr_bare(e);
	if (steps->n == 1 || e->kind == EXPR_NUMBER || !expr_is_invariant(e))
		return build_at(p, e, steps, out);
	struct steps once = { .start = steps->start, .step = steps->step, .n = 1 };
	int r = build_at(p, e, &once, out);
	if (r == 0)
		*out = invariant_new(e, *out, steps);
	return r;
}

static int check_steps(const struct promql_query *q, struct steps *out, struct err *e)
{
	*out = (struct steps){ .start = q->start, .step = 1, .n = 1 };
	if (q->start < -TIME_MAX || q->start > TIME_MAX || (q->is_range && q->end > TIME_MAX))
		return err_set(e, -EINVAL, "the query's time is out of bounds");
	if (!q->is_range)
		return 0;
	if (q->end < q->start || q->step <= 0)
		return err_set(
			e, -EINVAL, "a range query needs a step and an end that isn't before its start");
	uint64_t n = (uint64_t)(q->end - q->start) / (uint64_t)q->step + 1;
	if (n > PLAN_STEPS_MAX)
		return err_set(e, -EINVAL, "a range query may have %d steps, not more", PLAN_STEPS_MAX);
	out->step = q->step;
	out->n = (uint32_t)n;
	return 0;
}

int plan_make(const struct expr *e, const struct promql_options *o, const struct promql_query *q,
	struct plan *out, struct err *error)
{
	struct planner p = {
		.o = o,
		.q = q,
		.lookback_ms = o->lookback_ms ? o->lookback_ms : LOOKBACK_MS,
		.step_ms = q->is_range ? q->step : 0,
		.e = error,
	};
	*out = (struct plan){ 0 };
	int r = check_steps(q, &out->steps, error);
	e = expr_bare(e);
	if (r == 0 && e->type == VALUE_MATRIX) {
		r = plan_range(&p, e, &out->steps, &out->range_);
		out->range = r == 0 ? &out->range_ : NULL;
	} else if (r == 0 && e->type != VALUE_STRING) {
		r = plan_build(&p, e, &out->steps, &out->root);
	}
	vec_fini(&p.selected);
	return r;
}

void plan_fini(struct plan *p)
{
	op_free(p->root);
	if (p->range)
		range_input_fini(p->range);
	*p = (struct plan){ 0 };
}
