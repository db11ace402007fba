/* SPDX-License-Identifier: Apache-2.0 */
/* Those that look at one native histogram at a time; histogram_position.c has the others. */
#include "lib/promql/histogram_function.h"

#include "lib/promql/function.h"
#include "lib/promql/histogram_position.h"
#include "lib/tsdb/histogram_estimate.h"

#include <math.h>

typedef double summary_fn(const struct float_histogram *h);

struct summary_op {
	struct op op;
	struct op *inner;
	summary_fn *summary;
};

static double count_of(const struct float_histogram *h)
{
	return h->count;
}

static double sum_of(const struct float_histogram *h)
{
	return h->sum;
}

static double average_of(const struct float_histogram *h)
{
	return h->sum / h->count;
}

static double deviation_of(const struct float_histogram *h)
{
	return sqrt(histogram_variance(h));
}

static const struct {
	const char *name;
	summary_fn *summary; /* NULL: where in the histogram something is */
	enum histogram_position position;
} functions[] = {
	{ "histogram_avg", average_of, 0 },
	{ "histogram_count", count_of, 0 },
	{ "histogram_fraction", NULL, POSITION_FRACTION },
	{ "histogram_quantile", NULL, POSITION_QUANTILE },
	{ "histogram_quantiles", NULL, POSITION_QUANTILES },
	{ "histogram_stddev", deviation_of, 0 },
	{ "histogram_stdvar", histogram_variance, 0 },
	{ "histogram_sum", sum_of, 0 },
};

/* Only the name goes, and not the other labels that describe the metric, as upstream has it. */
static int summary_open(struct op *op, struct exec *x)
{
	struct op *inner = ((struct summary_op *)op)->inner;
	int r = op_drop_names(op, x, inner);
	if (r < 0)
		return r;
	if (x->delayed_name_removal)
		return 0;
	struct label_set *labels = arena_alloc(x->arena, (op->n_rows + 1) * sizeof *labels);
	for (size_t i = 0; i < op->n_rows; i++)
		labels[i] = label_set_without(x->arena, &inner->labels[i], NULL, 0, true);
	op->labels = labels;
	return 0;
}

static int summary_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct summary_op *o = (struct summary_op *)op;
	int r = op_row(o->inner, w, i, out);
	for (uint32_t k = 0; k < out->n && r == 0; k++) {
		if (out->kind[k] == CELL_HISTOGRAM)
			row_set(out, k, o->summary(out->h[k]));
		else
			out->kind[k] = CELL_NONE;
		if (out->h)
			r = interrupt_after(CELL_WORK);
	}
	row_fini(out);
	return r;
}

static size_t summary_children(const struct op *op, struct op **out, size_t room)
{
	if (room)
		out[0] = ((const struct summary_op *)op)->inner;
	return room > 0;
}

static void summary_explain(const struct op *op, struct buf *out)
{
	buf_add_str(out, op->expr->call.function->name);
}

static void summary_free(struct op *op)
{
	op_free(((struct summary_op *)op)->inner);
	free(op);
}

static struct op *summary_new(const struct expr *call, summary_fn *summary, struct op *inner)
{
	static const struct op_ops ops = {
		.name = "histogram",
		.open = summary_open,
		.row = summary_row,
		.explain = summary_explain,
		.children = summary_children,
		.free = summary_free,
	};
	struct summary_op *o = xmalloc(sizeof *o);
	*o = (struct summary_op){
		.op = { .ops = &ops, .expr = call, .steps = inner->steps }, .inner = inner, .summary = summary
	};
	return &o->op;
}

static size_t find_function(const struct function *f)
{
	size_t i = 0;
	while (i < ARRAY_LEN(functions) && strcmp(functions[i].name, f->name) != 0)
		i++;
	return i;
}

bool histogram_function_is(const struct function *f)
{
	return find_function(f) < ARRAY_LEN(functions);
}

struct op *histogram_function_new(const struct expr *call, struct op **args, size_t n)
{
	size_t i = find_function(call->call.function);
	if (i == ARRAY_LEN(functions))
		abort();
	if (functions[i].summary)
		return summary_new(call, functions[i].summary, args[0]);
	return histogram_position_new(call, functions[i].position, args, n);
}
