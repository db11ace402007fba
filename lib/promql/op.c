/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/op.h"

#include <assert.h>
#include <errno.h>

#define CHILDREN_MAX 16u  /* no operator has more: a function's arguments, the sides of a binary one */
#define ROW_WORK     100u /* that a row is, besides its steps: see interrupt_after */

/* Calls fn for the children, up to the first failure. */
static int each_child(struct op *op, struct exec *x, int (*fn)(struct op *child, struct exec *x))
{
	struct op *children[CHILDREN_MAX];
	size_t n = op->ops->children ? op->ops->children(op, children, CHILDREN_MAX) : 0;
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = fn(children[i], x);
	return r;
}

int op_open_tree(struct op *op, struct exec *x)
{
	if (op->is_open)
		return 0;
	int r = each_child(op, x, op_open_tree);
	if (r == 0)
		r = exec_check(x);
	if (r == 0)
		r = op->ops->open(op, x);
	if (r == 0)
		r = exec_check(x);
	op->is_open = r == 0;
	return r;
}

int op_prepare(struct op *op, struct exec *x)
{
	assert(op->is_open);
	if (op->is_prepared)
		return 0;
	int r = each_child(op, x, op_prepare);
	if (r == 0)
		r = exec_check(x);
	if (r == 0 && op->ops->prepare)
		r = op->ops->prepare(op, x);
	if (r == 0)
		r = exec_check(x);
	op->is_prepared = r == 0;
	return r;
}

int op_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	assert(op->is_prepared && i < op->n_rows && out->n == op->steps.n);
	int r = interrupt_after(ROW_WORK + op->steps.n);
	return r < 0 ? r : op->ops->row(op, w, i, out);
}

int op_try_row(struct op *op, struct worker *w, size_t i)
{
	struct row row = row_new(w, op->steps.n);
	int r = interrupt_after(ROW_WORK + op->steps.n);
	if (r == 0)
		r = op->ops->row(op, w, i, &row);
	row_fini(&row);
	return r;
}

void op_read_in_part(struct op *op)
{
	struct op *children[CHILDREN_MAX];
	if (op->is_read_in_part)
		return; /* and so is what lies below */
	op->is_read_in_part = true;
	size_t n = op->ops->children ? op->ops->children(op, children, CHILDREN_MAX) : 0;
	for (size_t i = 0; i < n; i++)
		op_read_in_part(children[i]);
}

struct op *op_ref(struct op *op)
{
	op->n_refs++;
	return op;
}

void op_free(struct op *op)
{
	if (!op)
		return;
	if (op->n_refs)
		op->n_refs--;
	else
		op->ops->free(op);
}

void op_keep_labels(struct op *op, const struct op *inner)
{
	op->labels = inner->labels;
	op->n_rows = inner->n_rows;
	op->drops_name = inner->drops_name;
}

struct label_set labels_without_metadata(struct arena *a, const struct label_set *s)
{
	static const struct text names[] = { TEXT("__name__"), TEXT("__type__"), TEXT("__unit__") };
	return label_set_without(a, s, names, ARRAY_LEN(names), true);
}

int op_drop_names(struct op *op, struct exec *x, const struct op *inner)
{
	op_keep_labels(op, inner);
	if (x->delayed_name_removal) {
		bool *all = arena_alloc(x->arena, op->n_rows * sizeof *all);
		memset(all, true, op->n_rows);
		op->drops_name = all;
		return 0;
	}
	struct label_set *labels = arena_alloc(x->arena, op->n_rows * sizeof *labels);
	for (size_t i = 0; i < op->n_rows; i++) {
		labels[i] = labels_without_metadata(x->arena, &inner->labels[i]);
		int r = interrupt_after(LABELS_WORK);
		if (r < 0)
			return r;
	}
	op->labels = labels;
	return 0;
}
