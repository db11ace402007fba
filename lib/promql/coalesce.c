/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/coalesce.h"

#include "lib/base/mem.h"
#include "lib/promql/cell.h"
#include "lib/promql/label_groups.h"

#include <errno.h>

struct merge {
	struct op op;
	struct op *inner;
	bool is_plain; /* no labels are equal */
	struct group_rows parts;
};

static int open_merge(struct op *op, struct exec *x)
{
	struct merge *m = (struct merge *)op;
	struct label_groups groups = { .arena = x->arena };
	size_t n = m->inner->n_rows;
	uint32_t *of = arena_alloc(x->arena, n * sizeof *of);
	for (size_t i = 0; i < n; i++) {
		of[i] = label_groups_put(&groups, &m->inner->labels[i]);
		int r = interrupt_after(LABELS_WORK);
		if (r < 0)
			return r;
	}
	op_keep_labels(op, m->inner);
	m->is_plain = groups.n == n;
	if (m->is_plain)
		return 0;
	m->parts = group_rows_of(x->arena, of, n, groups.n);
	op->labels = groups.sets;
	op->n_rows = groups.n;
	if (m->inner->drops_name) {
		bool *drops = arena_alloc(x->arena, groups.n * sizeof *drops);
		for (uint32_t g = 0; g < groups.n; g++)
			drops[g] = m->inner->drops_name[m->parts.rows[m->parts.first[g]]];
		op->drops_name = drops;
	}
	return 0;
}

/* Moves r's cells over to `out`, which has none at these steps. */
static int move_over(struct worker *w, struct row *r, struct row *out)
{
	for (uint32_t t = 0; t < r->n; t++) {
		if (!r->kind[t])
			continue;
		if (out->kind[t])
			return exec_fail(
				w->exec, -EINVAL, "vector cannot contain metrics with the same labelset");
		row_set_cell(w, out, t, row_cell(r, t));
		if (r->h)
			r->h[t] = NULL;
	}
	return 0;
}

static int row_of_merge(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct merge *m = (struct merge *)op;
	if (m->is_plain)
		return op_row(m->inner, w, i, out);
	const struct group_rows *p = &m->parts;
	int r = op_row(m->inner, w, p->rows[p->first[i]], out);
	if (r == 0 && !out->h)
		row_histograms(w, out); /* it must not lie above the mark */
	for (uint32_t k = p->first[i] + 1; k < p->first[i + 1] && r == 0; k++) {
		struct arena_mark mark = arena_mark(w->scratch);
		struct row part = row_new(w, op->steps.n);
		r = op_row(m->inner, w, p->rows[k], &part);
		if (r == 0)
			r = move_over(w, &part, out);
		row_fini(&part);
		arena_release(w->scratch, mark);
	}
	return r;
}

/* Only where rows are merged there is something to fail. */
static int try_row(void *arg, struct worker *w, size_t i)
{
	struct merge *m = arg;
	return group_rows_count(&m->parts, (uint32_t)i) < 2 ? 0 : op_try_row(&m->op, w, i);
}

static int prepare_merge(struct op *op, struct exec *x)
{
	struct merge *m = (struct merge *)op;
	return op->is_read_in_part && !m->is_plain ? exec_rows(x, op->n_rows, try_row, m) : 0;
}

static size_t children_of_merge(const struct op *op, struct op **out, size_t room)
{
	(void)room;
	out[0] = ((const struct merge *)op)->inner;
	return 1;
}

static void free_merge(struct op *op)
{
	op_free(((struct merge *)op)->inner);
	free(op);
}

static const struct op_ops merge_ops = {
	.name = "merge_rows",
	.open = open_merge,
	.prepare = prepare_merge,
	.row = row_of_merge,
	.children = children_of_merge,
	.free = free_merge,
};

struct op *merge_rows(struct op *inner)
{
	struct merge *m = xcalloc(1, sizeof *m);
	m->op = (struct op){ .ops = &merge_ops, .expr = inner->expr, .steps = inner->steps };
	m->inner = inner;
	return &m->op;
}
