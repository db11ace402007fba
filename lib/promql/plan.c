/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/planner.h"

#include "lib/promql/aggregate.h"
#include "lib/promql/binary.h"
#include "lib/promql/coalesce.h"
#include "lib/promql/function.h"
#include "lib/promql/instant_function.h"
#include "lib/promql/invariant.h"
#include "lib/promql/scalar.h"

#include <errno.h>

#define LOOKBACK_MS 300000
#define TIME_MAX    ((int64_t)1 << 61) /* of a query, so that what is added to it doesn't overflow */

struct op *plan_without_names(const struct planner *p, struct op *op)
{
	return p->o->delayed_name_removal || op->is_scalar ? op : merge_rows(op);
}

static int build_unary(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	int r = plan_build(p, e->unary.inner, steps, out);
	if (r == 0 && e->unary.is_minus)
		*out = plan_without_names(p, negate_new(e, *out));
	return r;
}

static int build_aggregate(
	struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	const struct expr *given = e->aggregate.param;
	struct op *inner, *param = NULL;
	p->func = aggregate_op_text(e->aggregate.op);
	int r = plan_build(p, e->aggregate.inner, steps, &inner);
	if (r < 0)
		return r;
	if (given && given->type == VALUE_SCALAR)
		r = plan_build(p, given, steps, &param);
	if (r < 0)
		op_free(inner);
	else
		*out = aggregate_new(e, inner, param);
	return r;
}

static int build_binary(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	struct op *left, *right;
	p->func = NULL;
	int r = plan_build(p, e->binary.left, steps, &left);
	if (r < 0)
		return r;
	r = plan_build(p, e->binary.right, steps, &right);
	if (r < 0)
		op_free(left);
	else
		*out = binary_new(e, left, right);
	return r;
}

static int build_kind(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	switch (e->kind) {
	case EXPR_NUMBER: *out = number_new(e, steps, e->number.value); return 0;
	case EXPR_VECTOR_SELECTOR: *out = plan_selector(p, e, steps, false); return 0;
	case EXPR_PAREN: return plan_build(p, e->paren, steps, out);
	case EXPR_UNARY: return build_unary(p, e, steps, out);
	case EXPR_CALL: p->func = e->call.function->name; return plan_call(p, e, steps, out);
	case EXPR_AGGREGATE: return build_aggregate(p, e, steps, out);
	case EXPR_BINARY: return build_binary(p, e, steps, out);
	case EXPR_STRING:
	case EXPR_MATRIX_SELECTOR:
	case EXPR_SUBQUERY:
	case EXPR_DURATION: break;
	}
	return err_set(
		p->e, -EDOM, "a %s isn't anything that has a value at each step", value_type_name(e->type));
}

static bool is_call(const struct expr *e, const char *const *names, size_t n)
{
	for (size_t i = 0; e->kind == EXPR_CALL && i < n; i++)
		if (strcmp(e->call.function->name, names[i]) == 0)
			return true;
	return false;
}

static bool wants_stats(const struct expr *e)
{
	static const char *const names[] = { "histogram_avg", "histogram_count", "histogram_sum" };
	return is_call(e, names, ARRAY_LEN(names));
}

static bool needs_buckets(const struct expr *e)
{
	static const char *const names[] = { "histogram_fraction", "histogram_quantile",
		"histogram_quantiles" };
	return is_call(e, names, ARRAY_LEN(names)) ||
	       (e->kind == EXPR_BINARY && (e->binary.op == OP_TRIM_LOWER || e->binary.op == OP_TRIM_UPPER));
}

static int build_at(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	struct planner before = *p;
	p->wants_stats += wants_stats(e);
	p->needs_buckets += needs_buckets(e);
	int r = build_kind(p, e, steps, out);
	p->func = before.func;
	p->wants_stats = before.wants_stats;
	p->needs_buckets = before.needs_buckets;
	return r;
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
