/* SPDX-License-Identifier: Apache-2.0 */
/* A query from its text to its answer. */
#include "lib/promql/answer.h"
#include "lib/promql/duration_expr.h"
#include "lib/promql/plan.h"

#include "lib/base/clock.h"

#include <errno.h>

struct running {
	struct exec x; /* once it is_begun */
	bool is_begun;
	struct budget budget;
	struct arena *arena; /* of the tree */
	struct expr *tree;
	struct plan plan;
	const struct promql_query *q;
	struct promql_result *result;
};

static void fail(struct promql_result *result, enum promql_error_kind kind, const char *words)
{
	result->error = kind;
	buf_reset(&result->message);
	buf_add_str(&result->message, words);
}

static enum promql_error_kind kind_of(int r)
{
	switch (r) {
	case -ECANCELED: return PROMQL_CANCELED;
	case -ETIME: return PROMQL_TIMEOUT;
	case -ENOMEM:
	case -EDQUOT: return PROMQL_LIMIT;
	case -EINVAL: return PROMQL_EXECUTION;
	default: return PROMQL_INTERNAL;
	}
}

/* Parses and plans; 0 or -1 with the result's error set. */
static int understand(struct running *run, const struct promql_options *o)
{
	const struct promql_query *q = run->q;
	struct err e = { 0 };
	int r = promql_parse(q->text, q->n, &o->features, run->arena, &run->tree, &run->result->message);
	if (r < 0) {
		run->result->error = PROMQL_BAD_DATA;
		return -1;
	}
	enum value_type type = run->tree->type;
	if (q->is_range && type != VALUE_VECTOR && type != VALUE_SCALAR) {
		run->result->error = PROMQL_BAD_DATA;
		buf_printf(&run->result->message,
			"invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
			value_type_name(type));
		return -1;
	}
	int64_t end = q->is_range ? q->end : q->start, step = q->is_range ? q->step : 0;
	r = duration_exprs_evaluate(run->tree, q->start, end, step, &run->result->message);
	if (r < 0) {
		run->result->error = PROMQL_BAD_DATA;
		return -1;
	}
	r = plan_make(run->tree, o, q, &run->plan, &e);
	if (r < 0)
		fail(run->result, r == -EINVAL ? PROMQL_BAD_DATA : PROMQL_EXECUTION, e.msg);
	return r < 0 ? -1 : 0;
}

static int open_and_prepare(struct running *run)
{
	struct plan *p = &run->plan;
	struct op *op = p->root ? p->root : p->range->inner;
	int r = op ? op_open_tree(op, &run->x) : selected_open(p->range->from, &run->x);
	return r == 0 && op ? op_prepare(op, &run->x) : r;
}

static int give_string(struct running *run, const struct promql_sink *sink)
{
	const struct expr *e = run->tree;
	while (e->kind == EXPR_PAREN)
		e = e->paren;
	int r = sink->begin(sink->arg, VALUE_STRING);
	if (r >= 0)
		r = sink->string(sink->arg, run->q->start, e->string);
	return r < 0 ? exec_fail(&run->x, -ECANCELED, "query was canceled in expression evaluation") : 0;
}

static int give_series(struct running *run, const struct promql_sink *sink)
{
	enum value_type type = run->q->is_range ? VALUE_MATRIX : run->tree->type;
	int r = open_and_prepare(run);
	if (r < 0)
		return r;
	if (sink->begin(sink->arg, type) < 0)
		return exec_fail(&run->x, -ECANCELED, "query was canceled in expression evaluation");
	return answer(&run->x, &run->plan, type == VALUE_MATRIX, sink, &run->result->stats.series);
}

static void run_plan(struct running *run, const struct promql_options *o, struct series_source *source,
	const struct promql_sink *sink)
{
	struct exec *x = &run->x;
	exec_init(x, source, &run->budget, o->threads);
	run->is_begun = true;
	x->alone_until_us = o->threads_after_us ? clock_monotonic_us() + o->threads_after_us : 0;
	x->max_samples = o->max_samples;
	x->until_us = o->timeout_ms ? clock_monotonic_us() + o->timeout_ms * 1000 : 0;
	x->cancel = run->q->cancel;
	x->delayed_name_removal = o->delayed_name_removal;
	struct interrupt *before = interrupt_enter(&x->workers[0].interrupt);
	int r = exec_check(x);
	if (r == 0)
		r = run->tree->type == VALUE_STRING ? give_string(run, sink) : give_series(run, sink);
	interrupt_leave(before);
	if (r < 0)
		fail(run->result, kind_of(r), x->error.msg);
	struct promql_stats *stats = &run->result->stats;
	stats->samples_total = atomic_load(&x->samples_total);
	stats->samples_peak = atomic_load(&x->samples_peak);
	stats->memory_peak_bytes = atomic_load(&run->budget.peak);
	run->result->annotations = x->annotations;
	x->annotations = NULL;
}

void promql_run(struct series_source *source, const struct promql_options *o, const struct promql_query *q,
	const struct promql_sink *sink, struct promql_result *result)
{
	struct running *run = xcalloc(1, sizeof *run);
	int64_t began = clock_monotonic_us();
	*result = (struct promql_result){ .run = run };
	run->budget.limit = o->memory_limit;
	run->q = q;
	run->result = result;
	run->arena = arena_new(&run->budget);
	int r = understand(run, o);
	result->stats.prepare_us = clock_monotonic_us() - began;
	if (r == 0) {
		run_plan(run, o, source, sink);
		result->stats.run_us = clock_monotonic_us() - began - result->stats.prepare_us;
	}
}

static void running_free(struct running *run)
{
	if (!run)
		return;
	plan_fini(&run->plan);
	if (run->is_begun)
		exec_fini(&run->x);
	promql_free(run->tree);
	arena_free(run->arena);
	free(run);
}

void promql_result_fini(struct promql_result *r)
{
	running_free(r->run);
	buf_fini(&r->message);
	annotations_free(r->annotations);
	*r = (struct promql_result){ 0 };
}

static void explain_op(const struct op *op, unsigned depth, struct buf *out)
{
	struct op *children[16];
	for (unsigned i = 0; i < depth; i++)
		buf_add_str(out, "  ");
	buf_add_str(out, op->ops->name);
	if (op->ops->explain) {
		buf_add_u8(out, ' ');
		op->ops->explain(op, out);
	}
	if (op->steps.n > 1)
		buf_printf(out, ", %u steps", op->steps.n);
	buf_add_u8(out, '\n');
	size_t n = op->ops->children ? op->ops->children(op, children, ARRAY_LEN(children)) : 0;
	for (size_t i = 0; i < n; i++)
		explain_op(children[i], depth + 1, out);
}

int promql_explain(const struct promql_options *o, const struct promql_query *q, struct buf *out)
{
	struct promql_result result = { 0 };
	struct running run = { .q = q, .result = &result, .arena = arena_new(NULL) };
	int r = understand(&run, o);
	if (r < 0)
		buf_add(out, result.message.data, result.message.len);
	else if (run.plan.root)
		explain_op(run.plan.root, 0, out);
	else if (run.plan.range && run.plan.range->inner)
		explain_op(run.plan.range->inner, 0, out);
	else
		buf_add_str(out, run.plan.range ? "samples\n" : "string\n");
	plan_fini(&run.plan);
	promql_free(run.tree);
	arena_free(run.arena);
	promql_result_fini(&result);
	return r < 0 ? -EINVAL : 0;
}
