/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order must be known when labels are: so values, of one step, are computed in open already, and once more when the rows are asked
 * for, which needn't keep them.
 */
#include "lib/promql/sort.h"

#include <math.h>

#define COMPARISON_WORK 10u /* that one of values is: see interrupt_after */

struct sort_op {
	struct op op;
	struct op *inner;
	bool is_descending, by_label;
	const size_t *order; /* the inner rows; NULL: as they are */
};

struct sorting {
	struct sort_op *op;
	double *values; /* of the inner rows, where they have a float */
	uint8_t *kinds;
};

static int compute_value(void *arg, struct worker *w, size_t i)
{
	struct sorting *s = arg;
	struct row row = row_new(w, 1);
	int r = op_row(s->op->inner, w, i, &row);
	s->values[i] = row.v[0];
	s->kinds[i] = row.kind[0];
	row_fini(&row);
	return r;
}

/* NaNs come last either way. */
static int by_value(const void *x, const void *y, void *arg)
{
	const struct sorting *s = arg;
	size_t i = *(const size_t *)x, j = *(const size_t *)y;
	if (interrupt_after(COMPARISON_WORK) < 0)
		return 0;
	double a = s->values[i], b = s->values[j];
	if (isnan(a) || isnan(b) || a == b) {
		int nans = !!isnan(a) - !!isnan(b);
		return nans ? nans : i < j ? -1 : 1;
	}
	return (a < b) != s->op->is_descending ? -1 : 1;
}

struct text_chunk {
	struct text t;
	bool is_number;
	uint64_t number;
};

/* The digits, or what is none, that t begins with. More digits than a number has room for aren't one. */
static struct text_chunk next_chunk(struct text *t)
{
	uint32_t n = 1;
	bool are_digits = t->p[0] >= '0' && t->p[0] <= '9';
	while (n < t->len && (t->p[n] >= '0' && t->p[n] <= '9') == are_digits)
		n++;
	struct text_chunk c = { .t = { t->p, n }, .is_number = are_digits };
	for (uint32_t i = 0; i < n && c.is_number; i++) {
		uint64_t digit = (uint64_t)(t->p[i] - '0');
		c.is_number = c.number <= (INT64_MAX - digit) / 10;
		c.number = c.number * 10 + digit;
	}
	t->p += n;
	t->len -= n;
	return c;
}

bool natural_is_less(struct text a, struct text b)
{
	while (a.len) {
		if (!b.len)
			return false;
		struct text_chunk x = next_chunk(&a), y = next_chunk(&b);
		bool are_numbers = x.is_number && y.is_number;
		if (are_numbers ? x.number != y.number : !text_is(x.t, y.t))
			return are_numbers ? x.number < y.number : text_cmp(x.t, y.t) < 0;
		if (!a.len)
			return true;
	}
	return false;
}

static struct text string_of(const struct expr *call, size_t i)
{
	const struct expr *e = call->call.args[i];
	while (e->kind == EXPR_PAREN)
		e = e->paren;
	return e->string;
}

static int by_label(const void *x, const void *y, void *arg)
{
	const struct sort_op *o = arg;
	const struct expr *call = o->op.expr;
	const struct label_set *a = &o->inner->labels[*(const size_t *)x];
	const struct label_set *b = &o->inner->labels[*(const size_t *)y];
	int order = 0;
	if (interrupt_after(LABELS_WORK * call->call.n_args) < 0)
		return 0;
	for (size_t i = 1; i < call->call.n_args && !order; i++) {
		struct text va = label_set_get(a, string_of(call, i)),
			    vb = label_set_get(b, string_of(call, i));
		if (!text_is(va, vb))
			order = natural_is_less(va, vb) ? -1 : 1;
	}
	if (!order)
		order = label_set_cmp(a, b);
	return o->is_descending ? -order : order;
}

static int order_by_value(struct sort_op *o, struct exec *x, size_t *order, size_t *n)
{
	struct sorting s = { .op = o };
	s.values = arena_alloc(x->arena, *n * sizeof s.values[0]);
	s.kinds = arena_alloc(x->arena, *n);
	int r = op_prepare(o->inner, x);
	if (r == 0)
		r = exec_rows(x, *n, compute_value, &s);
	if (r < 0)
		return r;
	size_t kept = 0;
	for (size_t i = 0; i < *n; i++)
		if (s.kinds[i] == CELL_FLOAT)
			order[kept++] = i;
	*n = kept;
	qsort_r(order, kept, sizeof order[0], by_value, &s);
	return 0;
}

static int sort_open(struct op *op, struct exec *x)
{
	struct sort_op *o = (struct sort_op *)op;
	op_keep_labels(op, o->inner);
	if (op->steps.n > 1) {
		annotations_add(x->annotations, ANNOTATION_WARNING, op->expr->span,
			"sort is ineffective for range queries since results are always ordered by labels");
		return 0;
	}
	size_t n = op->n_rows;
	size_t *order = arena_alloc(x->arena, n * sizeof *order);
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	if (o->by_label) {
		qsort_r(order, n, sizeof order[0], by_label, o);
	} else {
		int r = order_by_value(o, x, order, &n);
		if (r < 0)
			return r;
	}
	struct label_set *labels = arena_alloc(x->arena, n * sizeof *labels);
	bool *drops = arena_alloc(x->arena, n * sizeof *drops);
	for (size_t i = 0; i < n; i++) {
		labels[i] = o->inner->labels[order[i]];
		drops[i] = op_row_drops_name(o->inner, order[i]);
	}
	o->order = order;
	op->labels = labels;
	op->drops_name = drops;
	op->n_rows = n;
	return 0;
}

static int sort_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct sort_op *o = (struct sort_op *)op;
	int r = op_row(o->inner, w, o->order ? o->order[i] : i, out);
	if (o->by_label)
		return r;
	/* By value means of floats. */
	for (uint32_t k = 0; k < out->n && out->h; k++)
		if (out->kind[k] == CELL_HISTOGRAM)
			out->kind[k] = CELL_NONE;
	row_fini(out);
	return r;
}

static size_t sort_children(const struct op *op, struct op **out, size_t room)
{
	if (room)
		out[0] = ((const struct sort_op *)op)->inner;
	return room ? 1 : 0;
}

static void sort_free(struct op *op)
{
	op_free(((struct sort_op *)op)->inner);
	free(op);
}

static struct op *make(const struct expr *call, struct op *inner, bool is_descending, bool by_labels)
{
	static const struct op_ops ops = {
		.name = "sort",
		.open = sort_open,
		.row = sort_row,
		.children = sort_children,
		.free = sort_free,
	};
	struct sort_op *o = xmalloc(sizeof *o);
	*o = (struct sort_op){
		.op = { .ops = &ops, .expr = call, .steps = inner->steps },
		.inner = inner,
		.is_descending = is_descending,
		.by_label = by_labels,
	};
	return &o->op;
}

struct op *sort_by_value_new(const struct expr *call, struct op *inner, bool is_descending)
{
	return make(call, inner, is_descending, false);
}

struct op *sort_by_label_new(const struct expr *call, struct op *inner, bool is_descending)
{
	return make(call, inner, is_descending, true);
}
