/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/absent.h"

struct absent_op {
	struct op op;
	struct op *inner;
	struct label_set labels;
	_Atomic uint8_t *seen; /* by step, from prepare on; in the run's arena */
};

static const struct expr *selector_of(const struct expr *call)
{
	const struct expr *e = call->call.args[0];
	while (e->kind == EXPR_PAREN)
		e = e->paren;
	if (e->kind == EXPR_MATRIX_SELECTOR)
		e = e->matrix.selector;
	return e->kind == EXPR_VECTOR_SELECTOR ? e : NULL;
}

/* A label that is asked for once, for one value. Asked for in two ways it is left out: as upstream has always done. */
static struct label_set wanted_labels(const struct expr *call, struct arena *a)
{
	const struct expr *s = selector_of(call);
	struct label_set labels = { 0 }, seen = { 0 };
	for (size_t i = 0; s && i < s->vector.n_matchers; i++) {
		const struct matcher *m = &s->vector.matchers[i];
		if (text_is(m->name, LABEL_NAME))
			continue;
		bool is_first = m->kind == MATCH_EQUAL && !label_set_get(&seen, m->name).p;
		labels = label_set_put(a, &labels, m->name, is_first ? m->value : (struct text){ 0 });
		if (is_first)
			seen = label_set_put(a, &seen, m->name, TEXT("seen"));
	}
	return labels;
}

static int absent_open(struct op *op, struct exec *x)
{
	struct absent_op *o = (struct absent_op *)op;
	o->labels = wanted_labels(op->expr, x->arena);
	op->labels = &o->labels;
	op->n_rows = 1;
	return 0;
}

static int look_at_row(void *arg, struct worker *w, size_t i)
{
	struct absent_op *o = arg;
	struct row row = row_new(w, o->op.steps.n);
	int r = op_row(o->inner, w, i, &row);
	for (uint32_t k = 0; k < row.n && r == 0; k++)
		if (row.kind[k])
			atomic_store_explicit(&o->seen[k], 1, memory_order_relaxed);
	row_fini(&row);
	return r;
}

static int absent_prepare(struct op *op, struct exec *x)
{
	struct absent_op *o = (struct absent_op *)op;
	o->seen = arena_calloc(x->arena, op->steps.n);
	return exec_rows(x, o->inner->n_rows, look_at_row, o);
}

static int absent_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct absent_op *o = (struct absent_op *)op;
	(void)w, (void)i;
	for (uint32_t k = 0; k < out->n; k++)
		if (!atomic_load_explicit(&o->seen[k], memory_order_relaxed))
			row_set(out, k, 1);
	return 0;
}

static size_t absent_children(const struct op *op, struct op **out, size_t room)
{
	if (room)
		out[0] = ((const struct absent_op *)op)->inner;
	return room ? 1 : 0;
}

static void absent_free(struct op *op)
{
	op_free(((struct absent_op *)op)->inner);
	free(op);
}

struct op *absent_new(const struct expr *call, struct op *inner)
{
	static const struct op_ops ops = {
		.name = "absent",
		.open = absent_open,
		.prepare = absent_prepare,
		.row = absent_row,
		.children = absent_children,
		.free = absent_free,
	};
	struct absent_op *o = xmalloc(sizeof *o);
	*o = (struct absent_op){ .op = { .ops = &ops, .expr = call, .steps = inner->steps }, .inner = inner };
	return &o->op;
}
