/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/scalar.h"

#include "lib/promql/go_math.h"

#include <assert.h>
#include <math.h>

static const struct label_set no_labels;

static void be_one_row(struct op *op)
{
	op->labels = &no_labels;
	op->n_rows = 1;
}

static void all_floats(struct row *out)
{
	memset(out->kind, CELL_FLOAT, out->n);
}

/* Numbers, and time(): first + i * step. */
struct number_op {
	struct op op;
	double value;
};

static int number_open(struct op *op, struct exec *x)
{
	(void)x;
	be_one_row(op);
	return 0;
}

static int number_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	(void)w, (void)i;
	for (uint32_t k = 0; k < out->n; k++)
		out->v[k] = ((struct number_op *)op)->value;
	all_floats(out);
	return 0;
}

static void number_explain(const struct op *op, struct buf *out)
{
	buf_printf(out, "%.17g", ((const struct number_op *)op)->value);
}

static void plain_free(struct op *op)
{
	free(op);
}

struct op *number_new(const struct expr *e, const struct steps *steps, double value)
{
	static const struct op_ops ops = {
		.name = "number",
		.open = number_open,
		.row = number_row,
		.explain = number_explain,
		.free = plain_free,
	};
	struct number_op *o = xmalloc(sizeof *o);
	*o = (struct number_op){
		.op = { .ops = &ops, .expr = e, .steps = *steps, .is_scalar = true },
		.value = value,
	};
	return &o->op;
}

static int time_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	(void)w, (void)i;
	for (uint32_t k = 0; k < out->n; k++)
		out->v[k] = (double)steps_at(&op->steps, k) / 1000;
	all_floats(out);
	return 0;
}

struct op *time_new(const struct expr *e, const struct steps *steps)
{
	static const struct op_ops ops = {
		.name = "time",
		.open = number_open,
		.row = time_row,
		.free = plain_free,
	};
	struct op *o = xmalloc(sizeof *o);
	*o = (struct op){ .ops = &ops, .expr = e, .steps = *steps, .is_scalar = true };
	return o;
}

/* One child, or two; what is computed once is kept. */
struct scalar_op {
	struct op op;
	struct op *a, *b; /* b: NULL where there is one only */
	double *values;   /* of scalar(), from prepare on, in the run's arena */
	uint8_t *found;   /* how many floats a step has had: 0, 1, 2 for more */
	pthread_mutex_t lock;
	double (*fn)(double a, double b);
};

static size_t scalar_children(const struct op *op, struct op **out, size_t room)
{
	const struct scalar_op *s = (const struct scalar_op *)op;
	size_t n = 0;
	if (n < room)
		out[n++] = s->a;
	if (s->b && n < room)
		out[n++] = s->b;
	return n;
}

static void scalar_free(struct op *op)
{
	struct scalar_op *s = (struct scalar_op *)op;
	op_free(s->a);
	op_free(s->b);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct scalar_op *scalar_op_new(
	const struct op_ops *ops, const struct expr *e, struct op *a, struct op *b, bool is_scalar)
{
	struct scalar_op *s = xmalloc(sizeof *s);
	*s = (struct scalar_op){
		.op = { .ops = ops, .expr = e, .steps = a->steps, .is_scalar = is_scalar },
		.a = a,
		.b = b,
	};
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

/* That there are two makes it NaN, whichever they are: so the order of rows doesn't matter. */
static int fold_row(void *arg, struct worker *w, size_t i)
{
	struct scalar_op *s = arg;
	struct row row = row_new(w, s->op.steps.n);
	int r = op_row(s->a, w, i, &row);
	pthread_mutex_lock(&s->lock);
	for (uint32_t k = 0; k < row.n && r == 0; k++)
		if (row.kind[k] == CELL_FLOAT) {
			s->values[k] = s->found[k] ? NAN : row.v[k];
			s->found[k] = 1;
		}
	pthread_mutex_unlock(&s->lock);
	row_fini(&row);
	return r;
}

static int scalar_prepare(struct op *op, struct exec *x)
{
	struct scalar_op *s = (struct scalar_op *)op;
	s->values = arena_alloc(x->arena, op->steps.n * sizeof s->values[0]);
	s->found = arena_calloc(x->arena, op->steps.n);
	for (uint32_t k = 0; k < op->steps.n; k++)
		s->values[k] = NAN;
	return exec_rows(x, s->a->n_rows, fold_row, s);
}

static int scalar_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	(void)w, (void)i;
	memcpy(out->v, ((struct scalar_op *)op)->values, out->n * sizeof out->v[0]);
	all_floats(out);
	return 0;
}

struct op *scalar_new(const struct expr *e, struct op *vector)
{
	static const struct op_ops ops = {
		.name = "scalar",
		.open = number_open,
		.prepare = scalar_prepare,
		.row = scalar_row,
		.children = scalar_children,
		.free = scalar_free,
	};
	return &scalar_op_new(&ops, e, vector, NULL, true)->op;
}

static int vector_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	return op_row(((struct scalar_op *)op)->a, w, i, out);
}

struct op *vector_new(const struct expr *e, struct op *scalar)
{
	static const struct op_ops ops = {
		.name = "vector",
		.open = number_open,
		.row = vector_row,
		.children = scalar_children,
		.free = scalar_free,
	};
	return &scalar_op_new(&ops, e, scalar, NULL, false)->op;
}

static int choice_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct scalar_op *s = (struct scalar_op *)op;
	struct row b = row_new(w, out->n);
	int r = op_row(s->a, w, i, out);
	if (r == 0)
		r = op_row(s->b, w, i, &b);
	for (uint32_t k = 0; k < out->n && r == 0; k++)
		out->v[k] = s->fn(out->v[k], b.v[k]);
	return r;
}

static struct op *choice_new(
	const struct expr *e, struct op *a, struct op *b, double (*fn)(double a, double b))
{
	static const struct op_ops ops = {
		.name = "choice",
		.open = number_open,
		.row = choice_row,
		.children = scalar_children,
		.free = scalar_free,
	};
	struct scalar_op *s = scalar_op_new(&ops, e, a, b, true);
	s->fn = fn;
	return &s->op;
}

struct op *min_of_new(const struct expr *e, struct op *a, struct op *b)
{
	return choice_new(e, a, b, go_min);
}

struct op *max_of_new(const struct expr *e, struct op *a, struct op *b)
{
	return choice_new(e, a, b, go_max);
}

struct copying {
	struct op *scalar;
	double *to;
};

static int copy_values(void *arg, struct worker *w, size_t i)
{
	struct copying *c = arg;
	struct row row = row_new(w, c->scalar->steps.n);
	int r = op_row(c->scalar, w, i, &row);
	if (r == 0)
		memcpy(c->to, row.v, row.n * sizeof row.v[0]);
	return r;
}

int scalar_values(struct op *scalar, struct exec *x, const double **out)
{
	assert(scalar->is_scalar);
	struct copying c = { scalar, arena_alloc(x->arena, scalar->steps.n * sizeof c.to[0]) };
	*out = c.to;
	return exec_rows(x, 1, copy_values, &c);
}
