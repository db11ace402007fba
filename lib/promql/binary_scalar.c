/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scalar's column is computed once; each row of the vector is then computed with it, whole columns at a time where both are floats.
 */
#include "lib/promql/binary_scalar.h"

#include "lib/base/mem.h"
#include "lib/promql/binary_value.h"

struct with_scalar {
	struct op op;
	struct op *left, *right;
	struct op *vector; /* one of them; NULL: both are scalars */
	struct binary_cells cells;
	double *scalar; /* the other one's column; of two scalars the right one's */
};

static int open_with_scalar(struct op *op, struct exec *x)
{
	struct with_scalar *b = (struct with_scalar *)op;
	const struct expr *e = op->expr;
	b->cells = (struct binary_cells){ .expr = e, .exec = x };
	if (b->vector && (binary_op_changes_metric(e->binary.op) || e->binary.returns_bool))
		return op_drop_names(op, x, b->vector);
	op_keep_labels(op, b->vector ? b->vector : b->left);
	return 0;
}

static int read_scalar(void *arg, struct worker *w, size_t i)
{
	struct with_scalar *b = arg;
	struct row r = row_new(w, b->op.steps.n);
	int failed = op_row(b->vector == b->right ? b->left : b->right, w, i, &r);
	if (!failed)
		memcpy(b->scalar, r.v, r.n * sizeof r.v[0]);
	row_fini(&r);
	return failed;
}

static int prepare_with_scalar(struct op *op, struct exec *x)
{
	struct with_scalar *b = (struct with_scalar *)op;
	b->scalar = arena_alloc(x->arena, op->steps.n * sizeof *b->scalar);
	return exec_rows(x, 1, read_scalar, b);
}

/* A comparison keeps the vector's value, whichever side that is. */
static void with_columns(struct with_scalar *b, struct worker *w, const struct row *in, struct row *out)
{
	const struct expr *e = b->op.expr;
	bool is_left = b->vector != b->right;
	uint8_t *holds = arena_alloc(w->scratch, in->n);
	binary_columns(
		e->binary.op, in->n, is_left ? in->v : b->scalar, is_left ? b->scalar : in->v, out->v, holds);
	if (binary_op_is_comparison(e->binary.op))
		memcpy(out->v, in->v, in->n * sizeof out->v[0]);
	binary_kinds(e, in->n, in->kind, in->kind, holds, out->kind, out->v);
}

static void with_cell(
	struct with_scalar *b, struct worker *w, const struct row *in, uint32_t t, struct row *out)
{
	const struct expr *e = b->op.expr;
	struct value vector = row_cell(in, t), scalar = float_cell(b->scalar[t]), got;
	bool is_left = b->vector == b->left;
	enum binary_outcome o =
		binary_cell(&b->cells, is_left ? vector : scalar, is_left ? scalar : vector, &got);
	if (o == BINARY_REFUSED)
		return;
	if (e->binary.returns_bool)
		row_set(out, t, o == BINARY_KEPT);
	else if (o == BINARY_KEPT && binary_op_is_comparison(e->binary.op))
		row_set(out, t, vector.v);
	else if (o == BINARY_KEPT)
		row_set_cell(w, out, t, got);
}

static int row_with_scalar(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct with_scalar *b = (struct with_scalar *)op;
	struct row in = row_new(w, op->steps.n);
	int r = op_row(b->vector ? b->vector : b->left, w, i, &in);
	if (r == 0 && !in.h && !binary_op_is_trim(op->expr->binary.op))
		with_columns(b, w, &in, out);
	else
		for (uint32_t t = 0; t < in.n && r == 0; t++)
			if (in.kind[t] && (r = interrupt_after(CELL_WORK)) == 0)
				with_cell(b, w, &in, t, out);
	row_fini(&in);
	return r;
}

static size_t children_with_scalar(const struct op *op, struct op **out, size_t room)
{
	const struct with_scalar *b = (const struct with_scalar *)op;
	(void)room;
	out[0] = b->left;
	out[1] = b->right;
	return 2;
}

static void free_with_scalar(struct op *op)
{
	struct with_scalar *b = (struct with_scalar *)op;
	op_free(b->left);
	op_free(b->right);
	free(b);
}

static void explain_with_scalar(const struct op *op, struct buf *out)
{
	buf_add_str(out, binary_op_text(op->expr->binary.op));
}

static const struct op_ops with_scalar_ops = {
	.name = "binary",
	.open = open_with_scalar,
	.prepare = prepare_with_scalar,
	.row = row_with_scalar,
	.explain = explain_with_scalar,
	.children = children_with_scalar,
	.free = free_with_scalar,
};

struct op *binary_scalar_new(const struct expr *e, struct op *left, struct op *right)
{
	struct with_scalar *b = xcalloc(1, sizeof *b);
	b->op = (struct op){ .ops = &with_scalar_ops, .expr = e, .steps = left->steps };
	b->left = left;
	b->right = right;
	b->vector = !left->is_scalar ? left : !right->is_scalar ? right : NULL;
	b->op.is_scalar = !b->vector;
	return &b->op;
}
