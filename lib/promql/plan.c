/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/plan.h"

#include "lib/base/vec.h"
#include "lib/promql/absent.h"
#include "lib/promql/empty.h"
#include "lib/promql/extended_range.h"
#include "lib/promql/function.h"
#include "lib/promql/instant_function.h"
#include "lib/promql/invariant.h"
#include "lib/promql/label_function.h"
#include "lib/promql/range_kernels.h"
#include "lib/promql/scalar.h"
#include "lib/promql/sort.h"

#include <errno.h>
#include <math.h>

/* Times and durations beyond it are cut off there, so that a few of them added up don't overflow: 73 million years. */
#define TIME_MAX           ((int64_t)1 << 61)
#define LOOKBACK_MS        300000
#define SUBQUERY_STEP_MS   60000
#define SUBQUERY_STEPS_MAX 10000000 /* a row of them is held in memory by each thread */

struct planner {
	const struct promql_options *o;
	const struct promql_query *q;
	int64_t lookback_ms, step_ms;
	const char *func; /* the function around what is being built */
	VEC(struct selected *) selected;
	struct err *e;
};

static int build(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out);

static struct lookup lookup_of(const struct planner *p, const struct range_modifiers *m)
{
	int64_t end = p->q->is_range ? p->q->end : p->q->start;
	int64_t fixed = m->at == AT_START ? p->q->start : m->at == AT_END ? end : m->at_ms;
	return (struct lookup){
		.is_fixed = m->at != AT_NONE,
		.fixed = MIN_OF(MAX_OF(fixed, -TIME_MAX), TIME_MAX),
		.offset = MIN_OF(MAX_OF(m->offset_ms, -TIME_MAX), TIME_MAX),
	};
}

static struct selected *select_series(
	struct planner *p, const struct expr *selector, int64_t mint, int64_t maxt)
{
	const struct matcher *m = selector->vector.matchers;
	size_t n = selector->vector.n_matchers;
	vec_each (it, &p->selected)
		if (selected_has(*it, m, n) && mint <= (*it)->maxt && maxt >= (*it)->mint)
			return selected_ref(*it);
	struct selected *s = selected_new(m, n);
	selected_widen(s, mint, maxt);
	s->step_ms = p->step_ms;
	s->func = p->func;
	vec_push(&p->selected, s);
	return s;
}

static int build_selector(
	struct planner *p, const struct expr *e, const struct steps *steps, bool wants_times, struct op **out)
{
	struct lookup at = lookup_of(p, &e->vector.modifiers);
	int64_t mint = lookup_at(&at, steps, 0) - p->lookback_ms + 1;
	int64_t maxt = lookup_at(&at, steps, steps->n - 1);
	struct selected *from = select_series(p, e, mint, maxt);
	if (e->vector.modifiers.is_smoothed && !wants_times)
		*out = smooth_new(e, from, steps, &at, p->lookback_ms);
	else
		*out = select_new(
			e, from, steps, &at, p->lookback_ms, wants_times ? SELECT_TIMES : SELECT_VALUES);
	return 0;
}

/* The steps of a subquery: the multiples of its step that its windows see. False: there are none; *out has one then. */
static bool subquery_steps(
	const struct planner *p, const struct expr *e, int64_t first_end, int64_t last_end, struct steps *out)
{
	int64_t step = e->subquery.step_ms ? e->subquery.step_ms : p->o->default_step_ms;
	if (!step)
		step = SUBQUERY_STEP_MS;
	int64_t behind = first_end - e->subquery.range_ms, start = behind / step * step;
	if (start <= behind)
		start += step;
	*out = (struct steps){ .start = start, .step = step, .n = 1 };
	if (last_end < start)
		return false;
	uint64_t n = (uint64_t)(last_end - start) / (uint64_t)step + 1;
	out->n = n > SUBQUERY_STEPS_MAX ? UINT32_MAX : (uint32_t)n;
	return true;
}

static int build_subquery(
	struct planner *p, const struct expr *e, const struct steps *steps, struct range_input *out)
{
	struct lookup at = lookup_of(p, &e->subquery.modifiers);
	struct steps inner;
	int64_t step_before = p->step_ms;
	bool has_steps =
		subquery_steps(p, e, lookup_at(&at, steps, 0), lookup_at(&at, steps, steps->n - 1), &inner);
	if (inner.n == UINT32_MAX)
		return err_set(p->e, -EDOM, "a subquery may have %d steps, not more", SUBQUERY_STEPS_MAX);
	*out = (struct range_input){ .expr = e, .at = at, .range_ms = e->subquery.range_ms };
	p->step_ms = inner.step;
	int r = build(p, e->subquery.inner, &inner, &out->inner);
	p->step_ms = step_before;
	if (r == 0 && !has_steps)
		out->inner = empty_new(e->subquery.inner, out->inner);
	return r;
}

/* How far a matrix selector looks beyond its window. */
static void extend(const struct planner *p, struct range_input *in, const struct range_modifiers *m)
{
	in->is_anchored = m->is_anchored;
	in->is_smoothed = m->is_smoothed;
	in->before_ms = m->is_anchored || m->is_smoothed ? p->lookback_ms : 0;
	in->after_ms = m->is_smoothed ? p->lookback_ms : 0;
}

/* The range vector e, a matrix selector or a subquery. */
static int build_range(
	struct planner *p, const struct expr *e, const struct steps *steps, struct range_input *out)
{
	if (e->kind == EXPR_SUBQUERY)
		return build_subquery(p, e, steps, out);
	const struct expr *selector = e->matrix.selector;
	*out = (struct range_input){
		.expr = e,
		.at = lookup_of(p, &selector->vector.modifiers),
		.range_ms = e->matrix.range_ms,
	};
	extend(p, out, &selector->vector.modifiers);
	int64_t mint = lookup_at(&out->at, steps, 0) - out->range_ms - out->before_ms + 1;
	int64_t maxt = lookup_at(&out->at, steps, steps->n - 1) + out->after_ms;
	out->from = select_series(p, selector, mint, maxt);
	selected_widen(out->from, mint, maxt);
	return 0;
}

static void free_all(struct op **ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		op_free(ops[i]);
}

/* The scalar arguments of a call, in their order. */
static int build_params(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out,
	size_t room, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < e->call.n_args; i++) {
		const struct expr *arg = expr_bare(e->call.args[i]);
		if (arg->type != VALUE_SCALAR)
			continue;
		int r = *n < room ? build(p, arg, steps, &out[*n])
				  : err_set(p->e, -EINVAL, "%s() has too many arguments",
					    e->call.function->name);
		if (r < 0) {
			free_all(out, *n);
			return r;
		}
		++*n;
	}
	return 0;
}

static const struct expr *arg_of_type(const struct expr *e, enum value_type type)
{
	for (size_t i = 0; i < e->call.n_args; i++)
		if (e->call.args[i]->type == type)
			return expr_bare(e->call.args[i]);
	return NULL;
}

static int check_extended(struct planner *p, const struct expr *e, const struct range_kernel *kernel,
	const struct range_input *in)
{
	if (in->is_anchored && !(kernel->flags & RANGE_ANCHORED))
		return err_set(p->e, -EDOM,
			"anchored modifier can only be used with: changes, delta, increase, rate, resets - "
			"not with %s",
			e->call.function->name);
	if (in->is_smoothed && !(kernel->flags & RANGE_SMOOTHED))
		return err_set(p->e, -EDOM,
			"smoothed modifier can only be used with: delta, increase, rate - not with %s",
			e->call.function->name);
	return 0;
}

static int build_range_function(struct planner *p, const struct expr *e, const struct range_kernel *kernel,
	const struct steps *steps, struct op **out)
{
	struct op *params[FUNCTION_ARGS_MAX];
	size_t n;
	struct range_input in = { 0 };
	int r = build_params(p, e, steps, params, FUNCTION_ARGS_MAX, &n);
	if (r < 0)
		return r;
	r = build_range(p, arg_of_type(e, VALUE_MATRIX), steps, &in);
	if (r == 0)
		r = check_extended(p, e, kernel, &in);
	if (r < 0) {
		range_input_fini(&in);
		free_all(params, n);
		return r;
	}
	*out = range_new(e, kernel, &in, steps, params, n);
	if (strcmp(kernel->name, "absent_over_time") == 0)
		*out = absent_new(e, *out);
	return 0;
}

static int build_instant_function(struct planner *p, const struct expr *e,
	const struct instant_kernel *kernel, const struct steps *steps, struct op **out)
{
	const struct expr *arg = arg_of_type(e, VALUE_VECTOR);
	struct op *params[INSTANT_PARAMS_MAX], *inner = NULL;
	size_t n;
	int r = build_params(p, e, steps, params, INSTANT_PARAMS_MAX, &n);
	if (r < 0)
		return r;
	if (arg)
		r = build(p, arg, steps, &inner);
	else
		inner = vector_new(e, time_new(e, steps)); /* hour() is hour(vector(time())) */
	if (r < 0) {
		free_all(params, n);
		return r;
	}
	*out = instant_new(e, kernel, inner, params, n);
	return 0;
}

static int build_timestamp(
	struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	const struct expr *arg = expr_bare(e->call.args[0]);
	if (arg->kind == EXPR_VECTOR_SELECTOR)
		return build_selector(p, arg, steps, true, out);
	int r = build(p, arg, steps, out);
	if (r == 0)
		*out = step_time_new(e, *out);
	return r;
}

/* start(), end(), range(), step(): of the whole query, in seconds. */
static bool query_constant(const struct planner *p, const char *name, double *out)
{
	const struct promql_query *q = p->q;
	int64_t end = q->is_range ? q->end : q->start;
	if (strcmp(name, "start") == 0)
		*out = (double)q->start / 1000;
	else if (strcmp(name, "end") == 0)
		*out = (double)end / 1000;
	else if (strcmp(name, "range") == 0)
		*out = (double)(end - q->start) / 1000;
	else if (strcmp(name, "step") == 0)
		*out = q->start == end ? 0 : (double)q->step / 1000;
	else if (strcmp(name, "pi") == 0)
		*out = M_PI;
	else
		return false;
	return true;
}

/* Functions of one vector or one scalar, by name: what is neither a table's nor has strings to check. */
static struct op *simple_function(const struct expr *e, struct op *inner)
{
	const char *name = e->call.function->name;
	if (strcmp(name, "absent") == 0)
		return absent_new(e, inner);
	if (strcmp(name, "scalar") == 0)
		return scalar_new(e, inner);
	if (strcmp(name, "vector") == 0)
		return vector_new(e, inner);
	if (strcmp(name, "sort") == 0 || strcmp(name, "sort_desc") == 0)
		return sort_by_value_new(e, inner, strcmp(name, "sort_desc") == 0);
	if (strcmp(name, "sort_by_label") == 0 || strcmp(name, "sort_by_label_desc") == 0)
		return sort_by_label_new(e, inner, strcmp(name, "sort_by_label_desc") == 0);
	return NULL;
}

static int build_choice(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	struct op *args[2];
	size_t n;
	int r = build_params(p, e, steps, args, 2, &n);
	if (r == 0)
		*out = strcmp(e->call.function->name, "min_of") == 0 ? min_of_new(e, args[0], args[1])
								     : max_of_new(e, args[0], args[1]);
	return r;
}

static int build_call(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	const char *name = e->call.function->name;
	const struct range_kernel *range = range_kernel_find(name);
	const struct instant_kernel *instant = instant_kernel_find(name);
	double constant;
	if (range)
		return build_range_function(p, e, range, steps, out);
	if (instant)
		return build_instant_function(p, e, instant, steps, out);
	if (query_constant(p, name, &constant)) {
		*out = number_new(e, steps, constant);
		return 0;
	}
	if (strcmp(name, "time") == 0) {
		*out = time_new(e, steps);
		return 0;
	}
	if (strcmp(name, "timestamp") == 0)
		return build_timestamp(p, e, steps, out);
	if (strcmp(name, "min_of") == 0 || strcmp(name, "max_of") == 0)
		return build_choice(p, e, steps, out);

	struct op *inner = NULL;
	int r = e->call.n_args ? build(p, e->call.args[0], steps, &inner) : 0;
	if (r < 0)
		return r;
	if (strcmp(name, "label_replace") == 0)
		r = label_replace_new(e, inner, out, p->e);
	else if (strcmp(name, "label_join") == 0)
		r = label_join_new(e, inner, out, p->e);
	else if (!inner || !(*out = simple_function(e, inner))) {
		op_free(inner);
		return err_set(p->e, -EDOM, "the function %s() can't be computed here", name);
	}
	return r == -EINVAL ? -EDOM : r;
}

static int build_unary(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	int r = build(p, e->unary.inner, steps, out);
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
	case EXPR_VECTOR_SELECTOR: return build_selector(p, e, steps, false, out);
	case EXPR_PAREN: return build(p, e->paren, steps, out);
	case EXPR_UNARY: return build_unary(p, e, steps, out);
	case EXPR_CALL:
		p->func = e->call.function->name;
		r = build_call(p, e, steps, out);
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

static int build(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
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
	if (n > SUBQUERY_STEPS_MAX)
		return err_set(e, -EINVAL, "a range query may have %d steps, not more", SUBQUERY_STEPS_MAX);
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
		r = build_range(&p, e, &out->steps, &out->range_);
		out->range = r == 0 ? &out->range_ : NULL;
	} else if (r == 0 && e->type != VALUE_STRING) {
		r = build(&p, e, &out->steps, &out->root);
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
