/* SPDX-License-Identifier: Apache-2.0 */
/* Functions: which operator each is, by tables where there are many of a kind, else by name. */
#include "lib/promql/planner.h"

#include "lib/promql/absent.h"
#include "lib/promql/coalesce.h"
#include "lib/promql/function.h"
#include "lib/promql/histogram_function.h"
#include "lib/promql/info.h"
#include "lib/promql/instant_function.h"
#include "lib/promql/invariant.h"
#include "lib/promql/label_function.h"
#include "lib/promql/range_kernels.h"
#include "lib/promql/scalar.h"
#include "lib/promql/sort.h"

#include <errno.h>
#include <math.h>

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
		int r = *n < room ? plan_build(p, arg, steps, &out[*n])
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
	r = plan_range(p, arg_of_type(e, VALUE_MATRIX), steps, &in);
	if (r == 0)
		r = check_extended(p, e, kernel, &in);
	if (r < 0) {
		range_input_fini(&in);
		free_all(params, n);
		return r;
	}
	in.wants_starts = p->o->start_times && kernel->flags & RANGE_STARTS;
	*out = range_new(e, kernel, &in, steps, params, n);
	if (strcmp(kernel->name, "absent_over_time") == 0)
		*out = absent_new(e, *out);
	else if (!(kernel->flags & RANGE_KEEPS_NAME))
		*out = plan_without_names(p, *out);
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
		r = plan_build(p, arg, steps, &inner);
	else
		inner = vector_new(e, time_new(e, steps)); /* hour() is hour(vector(time())) */
	if (r < 0) {
		free_all(params, n);
		return r;
	}
	*out = plan_without_names(p, instant_new(e, kernel, inner, params, n));
	return 0;
}

/* Only of a selector, because what was computed has no start any more. */
static bool is_start_timestamp(const struct planner *p, const struct expr *e)
{
	return p->o->start_times && strcmp(e->call.function->name, "start_timestamp") == 0 &&
	       expr_bare(e->call.args[0])->kind == EXPR_VECTOR_SELECTOR;
}

static int build_timestamp(
	struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	const struct expr *arg = expr_bare(e->call.args[0]);
	if (arg->kind == EXPR_VECTOR_SELECTOR) {
		*out = plan_without_names(p, plan_selector(p, arg, steps, SELECT_TIMES));
		return 0;
	}
	int r = plan_build(p, arg, steps, out);
	if (r == 0)
		*out = plan_without_names(p, step_time_new(e, *out));
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

/* Labels that have become equal are one series at once, even where names go at the end. */
static int build_label_function(
	struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	struct op *inner;
	bool is_join = strcmp(e->call.function->name, "label_join") == 0;
	int r = plan_build(p, e->call.args[0], steps, &inner);
	if (r < 0)
		return r;
	r = is_join ? label_join_new(e, inner, &inner, p->e) : label_replace_new(e, inner, &inner, p->e);
	if (r < 0)
		return -EDOM;
	*out = merge_rows(inner);
	return 0;
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

static int build_simple_function(
	struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	struct op *inner = NULL;
	int r = e->call.n_args ? plan_build(p, e->call.args[0], steps, &inner) : 0;
	if (r < 0)
		return r;
	*out = inner ? simple_function(e, inner) : NULL;
	if (*out)
		return 0;
	op_free(inner);
	return err_set(p->e, -EDOM, "the function %s() can't be computed here", e->call.function->name);
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

/* The info series are looked at when the first selector of v looks. */
static int build_info(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	struct lookup at = { 0 };
	struct info_matchers m;
	struct op *inner;
	int r = plan_build(p, e->call.args[0], steps, &inner);
	if (r < 0)
		return r;
	r = info_matchers_init(&m, e->call.n_args > 1 ? expr_bare(e->call.args[1]) : NULL, p->e);
	if (r < 0) {
		info_matchers_fini(&m);
		op_free(inner);
		return r;
	}
	plan_lookup_of_first(p, e->call.args[0], &at);
	struct selected *from = selected_new(m.all, m.n);
	from->step_ms = p->step_ms;
	from->func = "info";
	*out = info_new(e, inner, &m, from, &at, p->lookback_ms);
	return 0;
}

/* One operator an argument; a string is looked up in the tree. */
static int build_histogram_function(
	struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	struct op **args = xcalloc(e->call.n_args, sizeof *args);
	int r = 0;
	for (size_t i = 0; i < e->call.n_args && r == 0; i++)
		if (e->call.args[i]->type != VALUE_STRING)
			r = plan_build(p, e->call.args[i], steps, &args[i]);
	if (r == 0)
		*out = plan_without_names(p, histogram_function_new(e, args, e->call.n_args));
	else
		free_all(args, e->call.n_args);
	free(args);
	return r;
}

int plan_call(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out)
{
	const char *name = e->call.function->name;
	const struct range_kernel *range = range_kernel_find(name);
	const struct instant_kernel *instant = instant_kernel_find(name);
	double constant;
	if (is_start_timestamp(p, e)) {
		*out = plan_without_names(
			p, plan_selector(p, expr_bare(e->call.args[0]), steps, SELECT_STARTS));
		return 0;
	}
	if (range)
		return build_range_function(p, e, range, steps, out);
	if (instant)
		return build_instant_function(p, e, instant, steps, out);
	if (histogram_function_is(e->call.function))
		return build_histogram_function(p, e, steps, out);
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

	if (strcmp(name, "info") == 0)
		return build_info(p, e, steps, out);

	if (strcmp(name, "label_replace") == 0 || strcmp(name, "label_join") == 0)
		return build_label_function(p, e, steps, out);
	return build_simple_function(p, e, steps, out);
}
