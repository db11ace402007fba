/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topk, bottomk and limitk: rows of what they aggregate, each with those of its cells that were picked. Of an instant query the picked rows
 * alone, in the order of their groups and there from the best to the worst; so rows are computed when such an operator is opened.
 */
#include "lib/promql/aggregate_groups.h"
#include "lib/promql/aggregate_kinds.h"
#include "lib/promql/aggregate_param.h"
#include "lib/promql/pick.h"
#include "lib/promql/top_rows.h"

struct pick_op {
	struct op op;
	struct op *inner, *given;
	struct aggregate_param param;
	struct aggregate_groups groups;
	struct picks picks;
	struct pick_list *lists; /* of each group, while rows are picked */
};

/* limitk: of each group at each step the first k. Rows are read until nothing is missing. */
struct limit {
	struct pick_list *list;
	uint32_t *missing; /* at each step */
	uint32_t steps_missing;
};

static int limit_row(void *arg, struct worker *w, uint32_t i, struct row *row)
{
	struct limit *l = arg;
	for (uint32_t t = 0; t < row->n; t++) {
		if (!row->kind[t] || !l->missing[t])
			continue;
		vec_push(&l->list->picks, (struct pick){ i, t, row_cell(row, t) });
		if (row->h)
			row->h[t] = NULL; /* taken */
		if (--l->missing[t] == 0)
			l->steps_missing--;
	}
	pick_list_hold(l->list, w->exec->budget, row->held);
	return l->steps_missing == 0;
}

static int limit_group(void *arg, struct worker *w, size_t g)
{
	struct pick_op *p = arg;
	uint32_t rows = group_rows_count(&p->groups.rows, (uint32_t)g), n = p->op.steps.n;
	struct limit l = { .list = &p->lists[g] };
	l.missing = arena_alloc(w->scratch, n * sizeof *l.missing);
	for (uint32_t t = 0; t < n; t++) {
		l.missing[t] = aggregate_param_count(p->param.v[t], rows);
		l.steps_missing += l.missing[t] > 0;
	}
	if (!l.steps_missing)
		return 0;
	return aggregate_each(
		&p->groups, (struct aggregate_run){ (uint32_t)g, 0, rows }, p->inner, w, limit_row, &l);
}

static int pick_rows(struct pick_op *p, struct exec *x, bool in_order, const uint32_t **rows)
{
	const struct expr *e = p->op.expr;
	uint32_t n = p->groups.labels.n;
	int r = aggregate_param_read(&p->param, x, p->given);
	if (r == 0)
		r = aggregate_param_check_count(&p->param, x);
	p->lists = arena_calloc(x->arena, n * sizeof *p->lists);
	if (r > 0)
		r = e->aggregate.op == AGG_LIMITK
			    ? exec_rows(x, n, limit_group, p)
			    : top_rows_pick(e, x, &p->groups, p->inner, &p->param, p->lists);
	/* While they are sorted they lie there twice. */
	size_t n_picks = 0;
	for (uint32_t k = 0; k < n; k++)
		n_picks += p->lists[k].picks.len;
	if (r >= 0)
		r = exec_need(x, 2 * n_picks * sizeof(struct pick));
	if (r < 0) {
		pick_lists_fini(p->lists, n, x->budget);
		return r;
	}
	picks_make(&p->picks, x->arena, x->budget, p->lists, n, p->inner->n_rows, in_order, rows);
	exec_count_samples(x, (int64_t)p->picks.n);
	return 0;
}

static int open_pick(struct op *op, struct exec *x)
{
	struct pick_op *p = (struct pick_op *)op;
	aggregate_groups_make(&p->groups, x, op->expr, p->inner);
	op_keep_labels(op, p->inner);
	if (op->steps.n > 1)
		return 0;
	const uint32_t *rows = NULL;
	int r = op_prepare(p->inner, x);
	if (r == 0)
		r = op_prepare(p->given, x);
	if (r == 0)
		r = pick_rows(p, x, true, &rows);
	if (r < 0)
		return r;
	op->n_rows = p->picks.n_rows;
	struct label_set *labels = arena_alloc(x->arena, op->n_rows * sizeof *labels);
	bool *drops = arena_alloc(x->arena, op->n_rows * sizeof *drops);
	for (size_t i = 0; i < op->n_rows; i++) {
		labels[i] = p->inner->labels[rows[i]];
		drops[i] = op_row_drops_name(p->inner, rows[i]);
	}
	op->labels = labels;
	op->drops_name = p->inner->drops_name ? drops : NULL;
	return 0;
}

static int prepare_pick(struct op *op, struct exec *x)
{
	return op->steps.n > 1 ? pick_rows((struct pick_op *)op, x, false, NULL) : 0;
}

static int row_of_pick(struct op *op, struct worker *w, size_t i, struct row *out)
{
	picks_row(&((struct pick_op *)op)->picks, w, i, out);
	return 0;
}

static size_t children_of_pick(const struct op *op, struct op **out, size_t room)
{
	const struct pick_op *p = (const struct pick_op *)op;
	(void)room;
	out[0] = p->given;
	out[1] = p->inner;
	return 2;
}

static void free_pick(struct op *op)
{
	struct pick_op *p = (struct pick_op *)op;
	picks_fini(&p->picks);
	op_free(p->given);
	op_free(p->inner);
	free(p);
}

static const struct op_ops pick_ops = {
	.name = "aggregate",
	.open = open_pick,
	.prepare = prepare_pick,
	.row = row_of_pick,
	.explain = aggregate_explain,
	.children = children_of_pick,
	.free = free_pick,
};

struct op *aggregate_k_new(const struct expr *e, struct op *inner, struct op *param)
{
	struct pick_op *p = xcalloc(1, sizeof *p);
	p->op = (struct op){ .ops = &pick_ops, .expr = e, .steps = inner->steps };
	p->inner = inner;
	p->given = param;
	op_read_in_part(inner);
	return &p->op;
}
