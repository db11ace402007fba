/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/instant_function.h"

#include "lib/promql/scalar.h"

#define STRETCH       4096u /* steps between two questions whether to go on */
#define FUNCTION_WORK 10u   /* that a function is, of one float */

struct instant_op {
	struct op op;
	const struct instant_kernel *kernel; /* NULL: not instant_new's */
	struct op *inner;
	struct op *params[INSTANT_PARAMS_MAX];
	const double *param_values[INSTANT_PARAMS_MAX];
	size_t n_params;
};

static size_t instant_children(const struct op *op, struct op **out, size_t room)
{
	const struct instant_op *o = (const struct instant_op *)op;
	size_t n = 0;
	if (n < room)
		out[n++] = o->inner;
	for (size_t i = 0; i < o->n_params && n < room; i++)
		out[n++] = o->params[i];
	return n;
}

static int instant_open(struct op *op, struct exec *x)
{
	return op_drop_names(op, x, ((struct instant_op *)op)->inner);
}

static int instant_prepare(struct op *op, struct exec *x)
{
	struct instant_op *o = (struct instant_op *)op;
	int r = 0;
	for (size_t i = 0; i < o->n_params && r == 0; i++)
		r = scalar_values(o->params[i], x, &o->param_values[i]);
	return r;
}

static void drop_histograms(struct row *r)
{
	for (uint32_t i = 0; r->h && i < r->n; i++)
		if (r->kind[i] == CELL_HISTOGRAM)
			r->kind[i] = CELL_NONE;
	row_fini(r);
}

static int instant_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct instant_op *o = (struct instant_op *)op;
	int r = op_row(o->inner, w, i, out);
	if (r < 0)
		return r;
	drop_histograms(out);
	if (o->kernel->of_row)
		o->kernel->of_row(op, o->param_values, out);
	else
		for (uint32_t k = 0; k < out->n; k++) {
			if (k % STRETCH == STRETCH - 1 && (r = interrupt_after(FUNCTION_WORK * STRETCH)) < 0)
				break;
			if (out->kind[k])
				out->v[k] = o->kernel->of_float(out->v[k]);
		}
	return r;
}

static void instant_explain(const struct op *op, struct buf *out)
{
	buf_add_str(out, ((const struct instant_op *)op)->kernel->name);
}

static void instant_free(struct op *op)
{
	struct instant_op *o = (struct instant_op *)op;
	op_free(o->inner);
	for (size_t i = 0; i < o->n_params; i++)
		op_free(o->params[i]);
	free(o);
}

static struct instant_op *make(const struct op_ops *ops, const struct expr *e, struct op *inner)
{
	struct instant_op *o = xmalloc(sizeof *o);
	*o = (struct instant_op){ .op = { .ops = ops, .expr = e, .steps = inner->steps }, .inner = inner };
	return o;
}

struct op *instant_new(const struct expr *call, const struct instant_kernel *kernel, struct op *inner,
	struct op **params, size_t n_params)
{
	static const struct op_ops ops = {
		.name = "function",
		.open = instant_open,
		.prepare = instant_prepare,
		.row = instant_row,
		.explain = instant_explain,
		.children = instant_children,
		.free = instant_free,
	};
	struct instant_op *o = make(&ops, call, inner);
	o->kernel = kernel;
	o->n_params = n_params;
	for (size_t i = 0; i < n_params; i++)
		o->params[i] = params[i];
	return &o->op;
}

static int step_time_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	int r = op_row(((struct instant_op *)op)->inner, w, i, out);
	row_fini(out);
	for (uint32_t k = 0; k < out->n && r == 0; k++)
		if (out->kind[k])
			row_set(out, k, (double)steps_at(&op->steps, k) / 1000);
	return r;
}

struct op *step_time_new(const struct expr *call, struct op *inner)
{
	static const struct op_ops ops = {
		.name = "timestamp",
		.open = instant_open,
		.row = step_time_row,
		.children = instant_children,
		.free = instant_free,
	};
	return &make(&ops, call, inner)->op;
}

static int negate_open(struct op *op, struct exec *x)
{
	struct op *inner = ((struct instant_op *)op)->inner;
	op->is_scalar = inner->is_scalar;
	if (!op->is_scalar)
		return op_drop_names(op, x, inner);
	op_keep_labels(op, inner);
	return 0;
}

static int negate_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	int r = op_row(((struct instant_op *)op)->inner, w, i, out);
	for (uint32_t k = 0; k < out->n && r == 0; k++) {
		out->v[k] = -out->v[k];
		if (out->kind[k] != CELL_HISTOGRAM)
			continue;
		const struct float_histogram *h = out->h[k];
		if ((r = interrupt_after(CELL_WORK)) < 0)
			break;
		out->h[k] = float_histogram_mul(h, -1);
		free((void *)(uintptr_t)h);
	}
	return r;
}

struct op *negate_new(const struct expr *e, struct op *inner)
{
	static const struct op_ops ops = {
		.name = "negate",
		.open = negate_open,
		.row = negate_row,
		.children = instant_children,
		.free = instant_free,
	};
	struct instant_op *o = make(&ops, e, inner);
	o->op.is_scalar = inner->is_scalar;
	return &o->op;
}

static int invariant_open(struct op *op, struct exec *x)
{
	(void)x;
	op_keep_labels(op, ((struct instant_op *)op)->inner);
	return 0;
}

static int invariant_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct row one = row_new(w, 1);
	int r = op_row(((struct instant_op *)op)->inner, w, i, &one);
	for (uint32_t k = 0; k < out->n && r == 0; k++)
		if (one.kind[0] == CELL_FLOAT)
			row_set(out, k, one.v[0]);
		else if (one.kind[0] == CELL_HISTOGRAM && (r = interrupt_after(CELL_WORK)) == 0)
			row_set_histogram(w, out, k, float_histogram_copy(one.h[0]));
	row_fini(&one);
	return r;
}

struct op *invariant_new(const struct expr *e, struct op *inner, const struct steps *steps)
{
	static const struct op_ops ops = {
		.name = "once",
		.open = invariant_open,
		.row = invariant_row,
		.children = instant_children,
		.free = instant_free,
	};
	struct instant_op *o = make(&ops, e, inner);
	o->op.steps = *steps;
	o->op.is_scalar = inner->is_scalar;
	return &o->op;
}
