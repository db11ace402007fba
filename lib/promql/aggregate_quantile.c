/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantile needs all values of a group at a step together. A group's rows are laid out as they come, a line each; then a step's values are
 * picked from all lines. Large groups are computed one after another, each in parallel.
 */
#include "lib/promql/aggregate_groups.h"
#include "lib/promql/aggregate_kinds.h"
#include "lib/promql/aggregate_param.h"
#include "lib/promql/cell.h"
#include "lib/promql/invariant.h"
#include "lib/promql/quantile.h"

#include <math.h>

#define PIECES      256u
#define STEPS_A_RUN 16u

struct quantiles {
	struct op op;
	struct op *inner, *given;
	struct aggregate_param param;
	struct aggregate_groups groups;
	struct aggregate_run *runs; /* of large groups */
	size_t n_runs;
	struct table **large; /* of each group, NULL where it is small */
	struct budget *budget;
};

/*
 * The values of a group, lines of n_steps, and in the first line what comes of them. Steps are finished by several threads at a time, which
 * is why a step's result goes where only that step's values were.
 */
struct table {
	struct quantiles *owner;
	uint32_t n_lines, n_steps;
	double *v;
	uint8_t *has;
	atomic_bool has_ignored;
};

static size_t bytes_of(const struct table *t)
{
	return (size_t)t->n_lines * t->n_steps * (sizeof t->v[0] + sizeof t->has[0]);
}

static int table_new(struct quantiles *q, struct exec *x, uint32_t n_lines, struct table **out)
{
	struct table shape = { .owner = q, .n_lines = n_lines, .n_steps = q->op.steps.n };
	int r = exec_need(x, bytes_of(&shape));
	if (r < 0)
		return r;
	struct table *t = *out = xmalloc(sizeof *t);
	*t = shape;
	size_t cells = (size_t)n_lines * t->n_steps;
	t->v = xmalloc(cells * sizeof t->v[0]);
	t->has = xmalloc(cells * sizeof t->has[0]);
	budget_take(q->budget, bytes_of(t));
	return 0;
}

/* Keeps the results alone. */
static void table_shrink(struct table *t)
{
	budget_give(t->owner->budget, bytes_of(t));
	t->n_lines = 1;
	t->v = xreallocarray(t->v, t->n_steps, sizeof t->v[0]);
	t->has = xreallocarray(t->has, t->n_steps, sizeof t->has[0]);
	budget_take(t->owner->budget, bytes_of(t));
}

static void table_free(struct table *t)
{
	if (!t)
		return;
	budget_give(t->owner->budget, bytes_of(t));
	free(t->v);
	free(t->has);
	free(t);
}

struct filling {
	struct table *table;
	uint32_t line;
};

static int fill_line(void *arg, struct worker *w, uint32_t i, struct row *row)
{
	struct filling *f = arg;
	struct table *t = f->table;
	size_t at = (size_t)f->line++ * t->n_steps;
	(void)i;
	memcpy(&t->v[at], row->v, t->n_steps * sizeof t->v[0]);
	for (uint32_t k = 0; k < t->n_steps; k++) {
		t->has[at + k] = row->kind[k] == CELL_FLOAT;
		if (row->kind[k] == CELL_HISTOGRAM && !atomic_exchange(&t->has_ignored, true))
			annotations_add(w->exec->annotations, ANNOTATION_INFO,
				expr_place(t->owner->op.expr->aggregate.inner),
				"ignored histogram in quantile aggregation");
	}
	return 0;
}

/* Results of steps [from, to). */
static int finish_steps(struct table *t, struct worker *w, uint32_t from, uint32_t to)
{
	double *values = arena_alloc(w->scratch, t->n_lines * sizeof *values);
	int r = 0;
	for (uint32_t k = from; k < to && r == 0; k++) {
		size_t n = 0;
		for (uint32_t line = 0; line < t->n_lines; line++) {
			size_t at = (size_t)line * t->n_steps + k;
			if (t->has[at])
				values[n++] = t->v[at];
		}
		t->has[k] = n > 0;
		t->v[k] = quantile_of(t->owner->param.v[k], values, n);
		r = interrupt_after(2ul * t->n_lines);
	}
	return r;
}

static int fill_run(struct table *t, struct worker *w, struct aggregate_run run)
{
	struct quantiles *q = t->owner;
	struct filling f = { t, run.from };
	return aggregate_each(&q->groups, run, q->inner, w, fill_line, &f);
}

/* A large group, under way. */
struct job {
	struct table *table;
	const struct aggregate_run *runs;
};

static int fill_job(void *arg, struct worker *w, size_t i)
{
	struct job *j = arg;
	return fill_run(j->table, w, j->runs[i]);
}

static int finish_job(void *arg, struct worker *w, size_t i)
{
	struct table *t = ((struct job *)arg)->table;
	uint32_t from = (uint32_t)i * STEPS_A_RUN;
	return finish_steps(t, w, from, MIN_OF(from + STEPS_A_RUN, t->n_steps));
}

static int open_quantiles(struct op *op, struct exec *x)
{
	struct quantiles *q = (struct quantiles *)op;
	aggregate_groups_make(&q->groups, x, op->expr, q->inner);
	op->labels = q->groups.labels.sets;
	op->n_rows = q->groups.labels.n;
	op->drops_name = q->groups.drops_name;
	q->n_runs = aggregate_groups_cut(&q->groups, x->arena, PIECES, false, &q->runs);
	q->large = arena_calloc(x->arena, op->n_rows * sizeof *q->large);
	q->budget = x->budget;
	return 0;
}

static int prepare_quantiles(struct op *op, struct exec *x)
{
	struct quantiles *q = (struct quantiles *)op;
	int r = aggregate_param_read(&q->param, x, q->given);
	if (r < 0)
		return r;
	aggregate_param_check_quantile(&q->param, x, op->expr->aggregate.param);
	for (size_t k = 0, n; k < q->n_runs && r == 0; k += n) {
		uint32_t g = q->runs[k].group;
		for (n = 1; k + n < q->n_runs && q->runs[k + n].group == g; n++)
			;
		r = table_new(q, x, group_rows_count(&q->groups.rows, g), &q->large[g]);
		if (r < 0)
			break;
		struct job j = { q->large[g], &q->runs[k] };
		r = exec_rows(x, n, fill_job, &j);
		if (r == 0)
			r = exec_rows(x, (op->steps.n + STEPS_A_RUN - 1) / STEPS_A_RUN, finish_job, &j);
		table_shrink(j.table);
	}
	return r;
}

static int row_of_quantiles(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct quantiles *q = (struct quantiles *)op;
	struct table *t = q->large[i];
	int r = 0;
	if (!t) {
		uint32_t n = group_rows_count(&q->groups.rows, (uint32_t)i);
		r = table_new(q, w->exec, n, &t);
		if (r == 0)
			r = fill_run(t, w, (struct aggregate_run){ (uint32_t)i, 0, n });
		if (r == 0)
			r = finish_steps(t, w, 0, t->n_steps);
	}
	for (uint32_t k = 0; r == 0 && k < t->n_steps; k++)
		if (t->has[k])
			row_set(out, k, t->v[k]);
	if (!q->large[i])
		table_free(t);
	return r;
}

static size_t children_of_quantiles(const struct op *op, struct op **out, size_t room)
{
	const struct quantiles *q = (const struct quantiles *)op;
	(void)room;
	out[0] = q->given;
	out[1] = q->inner;
	return 2;
}

static void free_quantiles(struct op *op)
{
	struct quantiles *q = (struct quantiles *)op;
	for (size_t g = 0; q->large && g < op->n_rows; g++)
		table_free(q->large[g]);
	op_free(q->given);
	op_free(q->inner);
	free(q);
}

static const struct op_ops quantile_ops = {
	.name = "aggregate",
	.open = open_quantiles,
	.prepare = prepare_quantiles,
	.row = row_of_quantiles,
	.explain = aggregate_explain,
	.children = children_of_quantiles,
	.free = free_quantiles,
};

struct op *aggregate_quantile_new(const struct expr *e, struct op *inner, struct op *param)
{
	struct quantiles *q = xcalloc(1, sizeof *q);
	q->op = (struct op){ .ops = &quantile_ops, .expr = e, .steps = inner->steps };
	q->inner = inner;
	q->given = param;
	return &q->op;
}
