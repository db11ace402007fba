/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum, avg, count, group, min, max, stddev, stdvar. A small group is folded when its row is asked for, and nothing is kept of it; the runs of
 * a large one are folded in parallel beforehand.
 */
#include "lib/promql/aggregate.h"

#include "lib/base/mem.h"
#include "lib/promql/aggregate_groups.h"
#include "lib/promql/aggregate_kinds.h"
#include "lib/promql/fold.h"

#define PIECES 256u

struct aggregate {
	struct op op;
	struct op *inner;
	struct aggregate_groups groups;
	struct aggregate_run *runs; /* of large groups */
	struct fold *folds;         /* of each run; a group's end up in its first one */
	size_t n_runs;
	uint32_t *first_run; /* of each group; UINT32_MAX: it is small */
	uint32_t *large;     /* groups */
	size_t n_large;
};

static int open_aggregate(struct op *op, struct exec *x)
{
	struct aggregate *a = (struct aggregate *)op;
	aggregate_groups_make(&a->groups, x, op->expr, a->inner);
	uint32_t n = a->groups.labels.n;
	op->labels = a->groups.labels.sets;
	op->n_rows = n;
	op->drops_name = a->groups.drops_name;
	a->n_runs = aggregate_groups_cut(&a->groups, x->arena, PIECES, false, &a->runs);
	a->folds = arena_calloc(x->arena, a->n_runs * sizeof *a->folds);
	a->first_run = arena_alloc(x->arena, n * sizeof *a->first_run);
	a->large = arena_alloc(x->arena, n * sizeof *a->large);
	memset(a->first_run, 0xff, n * sizeof *a->first_run);
	for (size_t k = 0; k < a->n_runs; k++)
		if (!a->runs[k].from) {
			a->first_run[a->runs[k].group] = (uint32_t)k;
			a->large[a->n_large++] = a->runs[k].group;
		}
	return 0;
}

struct folding {
	struct aggregate *aggregate;
	struct fold *fold;
};

static int fold_one(void *arg, struct worker *w, uint32_t i, struct row *row)
{
	struct folding *f = arg;
	fold_add(f->fold, w->exec, row, label_set_get(&f->aggregate->inner->labels[i], LABEL_NAME));
	return 0;
}

static int fold_rows(struct aggregate *a, struct worker *w, struct aggregate_run run, struct fold *fold)
{
	int r = exec_need(w->exec, fold_bytes(a->op.steps.n));
	if (r < 0)
		return r;
	fold_init(fold, a->op.expr, a->op.steps.n, w->exec->budget);
	struct folding f = { a, fold };
	return aggregate_each(&a->groups, run, a->inner, w, fold_one, &f);
}

static int fold_run(void *arg, struct worker *w, size_t i)
{
	struct aggregate *a = arg;
	return fold_rows(a, w, a->runs[i], &a->folds[i]);
}

static int merge_runs(void *arg, struct worker *w, size_t i)
{
	struct aggregate *a = arg;
	uint32_t g = a->large[i], first = a->first_run[g];
	const uint32_t *rows = aggregate_group_rows(&a->groups, g);
	for (size_t k = first + 1ul; k < a->n_runs && a->runs[k].group == g; k++) {
		uint32_t row = rows[a->runs[k].from];
		fold_merge(&a->folds[first], w->exec, &a->folds[k],
			label_set_get(&a->inner->labels[row], LABEL_NAME));
		fold_fini(&a->folds[k]);
	}
	fold_finish(&a->folds[first], w->exec);
	return 0;
}

static int prepare_aggregate(struct op *op, struct exec *x)
{
	struct aggregate *a = (struct aggregate *)op;
	int r = exec_rows(x, a->n_runs, fold_run, a);
	return r < 0 ? r : exec_rows(x, a->n_large, merge_runs, a);
}

static int row_of_aggregate(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct aggregate *a = (struct aggregate *)op;
	uint32_t g = (uint32_t)i;
	if (a->first_run[g] != UINT32_MAX) {
		fold_row(&a->folds[a->first_run[g]], w, out);
		return 0;
	}
	struct fold fold = { 0 };
	int r = fold_rows(a, w, (struct aggregate_run){ g, 0, group_rows_count(&a->groups.rows, g) }, &fold);
	if (r == 0) {
		fold_finish(&fold, w->exec);
		fold_row(&fold, w, out);
	}
	fold_fini(&fold);
	return r;
}

static size_t children_of_aggregate(const struct op *op, struct op **out, size_t room)
{
	(void)room;
	out[0] = ((const struct aggregate *)op)->inner;
	return 1;
}

static void free_aggregate(struct op *op)
{
	struct aggregate *a = (struct aggregate *)op;
	for (size_t k = 0; k < a->n_runs; k++)
		fold_fini(&a->folds[k]);
	op_free(a->inner);
	free(a);
}

void aggregate_explain(const struct op *op, struct buf *out)
{
	const struct expr *e = op->expr;
	buf_add_str(out, aggregate_op_text(e->aggregate.op));
	if (!e->aggregate.is_without && !e->aggregate.n_labels)
		return;
	buf_add_str(out, e->aggregate.is_without ? " without (" : " by (");
	for (size_t i = 0; i < e->aggregate.n_labels; i++) {
		buf_add_str(out, i ? ", " : "");
		buf_add(out, e->aggregate.labels[i].p, e->aggregate.labels[i].len);
	}
	buf_add_str(out, ")");
}

static const struct op_ops aggregate_ops = {
	.name = "aggregate",
	.open = open_aggregate,
	.prepare = prepare_aggregate,
	.row = row_of_aggregate,
	.explain = aggregate_explain,
	.children = children_of_aggregate,
	.free = free_aggregate,
};

struct op *aggregate_new(const struct expr *e, struct op *inner, struct op *param)
{
	switch (e->aggregate.op) {
	case AGG_TOPK:
	case AGG_BOTTOMK:
	case AGG_LIMITK: return aggregate_k_new(e, inner, param);
	case AGG_LIMIT_RATIO: return aggregate_ratio_new(e, inner, param);
	case AGG_QUANTILE: return aggregate_quantile_new(e, inner, param);
	case AGG_COUNT_VALUES: return aggregate_values_new(e, inner);
	default: break;
	}
	struct aggregate *a = xcalloc(1, sizeof *a);
	a->op = (struct op){ .ops = &aggregate_ops, .expr = e, .steps = inner->steps };
	a->inner = inner;
	return &a->op;
}
