/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row for each histogram (histogram_groups.h), or for each histogram and value of a quantile. To compute it the rows of its buckets
 * are held side by side, all steps of them. Series that have a bound may none the less be native histograms, each of its own labels:
 * these rows come last, and whether there is anything in them is known then from when they were read as buckets.
 */
#include "lib/promql/histogram_position.h"

#include "lib/base/go_float.h"
#include "lib/base/quote.h"
#include "lib/promql/bucket_quantile.h"
#include "lib/promql/function.h"
#include "lib/promql/histogram_groups.h"
#include "lib/promql/invariant.h"
#include "lib/tsdb/histogram_estimate.h"

#include <math.h>
#include <stdio.h>

#define PARAMS_MAX 15u /* op.c knows 16 children */

/* What is known of a row that has a bound. */
enum { NATIVE_UNKNOWN, NATIVE_NONE };

/* What is asked of each histogram: a row. */
struct question {
	size_t param; /* the quantile, or the lower one of two values */
	double value; /* where is_one_value is set: only at steps where the parameter has it */
	bool is_one_value;
};

struct position_op {
	struct op op;
	enum histogram_position position;
	struct op *inner;
	const struct expr *inner_expr;
	struct op *params[PARAMS_MAX];
	const struct expr *param_exprs[PARAMS_MAX];
	double *values[PARAMS_MAX]; /* at each step */
	size_t n_params;
	struct text label; /* histogram_quantiles gives its rows */

	struct histogram_groups groups;
	struct question *questions;
	size_t n_questions;
	_Atomic uint8_t *natives; /* of each of inner's rows */
	bool names_metric;        /* in annotations: where names are still there */
};

static int read_param(void *arg, struct worker *w, size_t i)
{
	struct position_op *o = arg;
	struct row r = row_new(w, o->op.steps.n);
	int err = op_row(o->params[i], w, 0, &r);
	if (err == 0)
		memcpy(o->values[i], r.v, r.n * sizeof *r.v);
	row_fini(&r);
	return err;
}

static void warn_of_quantiles(const struct position_op *o, struct exec *x, size_t param)
{
	char text[GO_FLOAT_BYTES + 1];
	const double *v = o->values[param];
	for (uint32_t i = 0; i < o->op.steps.n; i++) {
		if ((v[i] >= 0 && v[i] <= 1) || (i && memcmp(&v[i], &v[i - 1], sizeof v[i]) == 0))
			continue;
		text[go_float_format(text, v[i], 'g')] = 0;
		annotations_add(x->annotations, ANNOTATION_WARNING, expr_place(o->param_exprs[param]),
			"quantile value should be between 0 and 1, got %s", text);
	}
}

static int read_params(struct position_op *o, struct exec *x)
{
	for (size_t i = 0; i < o->n_params; i++)
		o->values[i] = arena_alloc(x->arena, o->op.steps.n * sizeof(double));
	int r = exec_rows(x, o->n_params, read_param, o);
	for (size_t i = 0; i < o->n_params && r == 0 && o->position != POSITION_FRACTION; i++)
		warn_of_quantiles(o, x, i);
	return r;
}

static bool is_same_value(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* One of each value that a parameter has at any step: usually one. */
static void ask_each_value(struct position_op *o, struct exec *x)
{
	size_t room = 0;
	for (size_t p = 0; p < o->n_params; p++) {
		size_t first = o->n_questions;
		for (uint32_t i = 0; i < o->op.steps.n; i++) {
			double v = o->values[p][i];
			size_t k = first;
			while (k < o->n_questions && !is_same_value(o->questions[k].value, v))
				k++;
			if (k < o->n_questions)
				continue;
			if (o->n_questions == room) {
				room = MAX_OF(2 * room, 16u);
				struct question *more = arena_alloc(x->arena, room * sizeof *more);
				if (o->n_questions)
					memcpy(more, o->questions, o->n_questions * sizeof *more);
				o->questions = more;
			}
			o->questions[o->n_questions++] =
				(struct question){ .param = p, .value = v, .is_one_value = true };
		}
	}
}

/* As OpenMetrics writes it: whole numbers with a point. */
static struct text quantile_text(struct arena *a, double q)
{
	char text[GO_FLOAT_BYTES + 3];
	size_t n = go_float_format(text, q, 'g');
	if (isfinite(q) && !memchr(text, '.', n) && !memchr(text, 'e', n)) {
		memcpy(text + n, ".0", 2);
		n += 2;
	}
	if (q == 0)
		n = (size_t)snprintf(text, sizeof text, "0.0");
	return (struct text){ arena_copy(a, text, n), (uint32_t)n };
}

static void make_labels(struct position_op *o, struct exec *x)
{
	struct op *op = &o->op;
	op->n_rows = o->groups.n * o->n_questions;
	struct label_set *labels = arena_alloc(x->arena, (op->n_rows + 1) * sizeof *labels);
	struct text *texts = arena_alloc(x->arena, (o->n_questions + 1) * sizeof *texts);
	for (size_t k = 0; k < o->n_questions && o->label.len; k++)
		texts[k] = quantile_text(x->arena, o->questions[k].value);
	for (size_t i = 0; i < o->groups.n; i++) {
		struct label_set base = o->groups.groups[i].labels;
		if (!x->delayed_name_removal)
			base = labels_without_metadata(x->arena, &base);
		for (size_t k = 0; k < o->n_questions; k++)
			labels[i * o->n_questions + k] =
				o->label.len ? label_set_put(x->arena, &base, o->label, texts[k]) : base;
	}
	op->labels = labels;
	if (x->delayed_name_removal) {
		bool *drops = arena_alloc(x->arena, op->n_rows + 1);
		memset(drops, true, op->n_rows);
		op->drops_name = drops;
	}
}

static int position_open(struct op *op, struct exec *x)
{
	struct position_op *o = (struct position_op *)op;
	o->names_metric = x->delayed_name_removal;
	if (o->position == POSITION_QUANTILES) {
		int r = 0;
		for (size_t i = 0; i < o->n_params && r == 0; i++)
			r = op_prepare(o->params[i], x);
		if (r == 0)
			r = read_params(o, x);
		if (r < 0)
			return r;
		ask_each_value(o, x);
	} else {
		o->questions = arena_calloc(x->arena, sizeof *o->questions);
		o->n_questions = 1;
	}
	o->groups = histogram_groups_of(x->arena, o->inner->labels, o->inner->n_rows);
	o->natives = arena_calloc(x->arena, o->inner->n_rows + 1);
	make_labels(o, x);
	return 0;
}

static int position_prepare(struct op *op, struct exec *x)
{
	struct position_op *o = (struct position_op *)op;
	return o->position == POSITION_QUANTILES ? 0 : read_params(o, x);
}

/* With the metric's name where that is still known. */
static const char *words_of(
	const struct position_op *o, const struct histogram_group *g, struct buf *words, const char *text)
{
	buf_reset(words);
	buf_add_str(words, text);
	struct text name = label_set_get(&g->labels, LABEL_NAME);
	if (o->names_metric && name.len) {
		buf_add_str(words, " for metric name ");
		quote_add(words, name.p, name.len);
	}
	return buf_str(words);
}

static void annotate(const struct position_op *o, struct worker *w, enum annotation_level level,
	const struct histogram_group *g, const char *text)
{
	auto_buf struct buf words = { 0 };
	annotations_add(
		w->exec->annotations, level, expr_place(o->inner_expr), "%s", words_of(o, g, &words, text));
}

static void warn_of_bound(const struct position_op *o, struct worker *w, const struct histogram_group *g)
{
	auto_buf struct buf text = { 0 };
	struct text le = label_set_get(&g->labels, TEXT("le"));
	buf_add_str(&text, "bucket label \"le\" is missing or has a malformed value of ");
	quote_add(&text, le.len ? le.p : "", le.len);
	annotate(o, w, ANNOTATION_WARNING, g, buf_str(&text));
}

/* A row of a histogram while it is computed. */
struct work {
	const struct position_op *o;
	struct worker *w;
	const struct histogram_group *g;
	const struct question *q;
	struct row native;
	struct row *buckets;         /* of each */
	struct classic_bucket *here; /* at one step */
	bool has_mixed, has_bad_bound;
	unsigned nan_notes; /* bits */
	struct annotation_repair repair;
};

static int read_buckets(struct work *k)
{
	const struct position_op *o = k->o;
	size_t n = k->g->n_buckets;
	k->buckets = arena_alloc(k->w->scratch, n * sizeof *k->buckets);
	k->here = arena_alloc(k->w->scratch, n * sizeof *k->here);
	for (size_t i = 0; i < n; i++) {
		size_t row = k->g->buckets[i].row;
		struct row *b = &k->buckets[i];
		*b = row_new(k->w, o->op.steps.n);
		int r = op_row(o->inner, k->w, row, b);
		if (!b->h && r == 0)
			atomic_store_explicit(&o->natives[row], NATIVE_NONE, memory_order_relaxed);
		row_fini(b);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Those that have a sample at this step. */
static size_t gather(struct work *k, uint32_t step)
{
	size_t n = 0;
	for (size_t i = 0; i < k->g->n_buckets; i++)
		if (k->buckets[i].kind[step] == CELL_FLOAT)
			k->here[n++] =
				(struct classic_bucket){ k->g->buckets[i].bound, k->buckets[i].v[step] };
	return n;
}

/* Whether it was repaired for the same step before: for a quantile that stands further in front. */
static bool is_reported(const struct work *k, uint32_t step)
{
	for (size_t i = 0; i < k->q->param; i++)
		if (k->o->values[i][step] >= 0 && k->o->values[i][step] <= 1)
			return true;
	return false;
}

static void note_repair(struct work *k, uint32_t step, const struct bucket_fix *fix)
{
	if (!fix->is_forced || is_reported(k, step))
		return;
	struct annotation_repair *r = &k->repair;
	int64_t t = steps_at(&k->o->op.steps, step);
	if (!r->samples++) {
		*r = (struct annotation_repair){ fix->lowest, fix->highest, fix->difference, t, t, 1 };
		return;
	}
	r->lowest = fmin(r->lowest, fix->lowest);
	r->highest = fmax(r->highest, fix->highest);
	r->difference = fmax(r->difference, fix->difference);
	r->last = t;
}

static double of_classic(struct work *k, uint32_t step, size_t n)
{
	const struct position_op *o = k->o;
	if (o->position == POSITION_FRACTION)
		return bucket_fraction(o->values[0][step], o->values[1][step], k->here, n);
	struct bucket_fix fix;
	double v = bucket_quantile(o->values[k->q->param][step], k->here, n, &fix);
	note_repair(k, step, &fix);
	return v;
}

static double of_native(struct work *k, uint32_t step, const struct float_histogram *h)
{
	const struct position_op *o = k->o;
	enum histogram_nan_note note;
	double v = o->position == POSITION_FRACTION
			   ? histogram_fraction(h, o->values[0][step], o->values[1][step], &note)
			   : histogram_quantile(h, o->values[k->q->param][step], &note);
	k->nan_notes |= 1u << note;
	return v;
}

static void compute_step(struct work *k, uint32_t step, struct row *out)
{
	const struct question *q = k->q;
	enum cell native = k->native.v ? k->native.kind[step] : CELL_NONE;
	if (native == CELL_FLOAT)
		k->has_bad_bound = true;
	if (q->is_one_value && !is_same_value(k->o->values[q->param][step], q->value))
		return;
	size_t n = gather(k, step);
	if (n && native == CELL_HISTOGRAM)
		k->has_mixed = true;
	else if (n)
		row_set(out, step, of_classic(k, step, n));
	else if (native == CELL_HISTOGRAM)
		row_set(out, step, of_native(k, step, k->native.h[step]));
}

static void annotate_row(struct work *k, bool has_bound)
{
	static const char *const nan_texts[] = {
		[NAN_RESULT] = "input to histogram_quantile has NaN observations, result is NaN",
		[NAN_SKEW] = "input to histogram_quantile has NaN observations, result is skewed higher",
		[NAN_LEFT_OUT] =
			"input to histogram_fraction has NaN observations, which are excluded from all "
			"fractions",
	};
	if (k->has_bad_bound && !has_bound)
		warn_of_bound(k->o, k->w, k->g);
	if (k->has_mixed)
		annotate(k->o, k->w, ANNOTATION_WARNING, k->g,
			"vector contains a mix of classic and native histograms");
	for (size_t i = NAN_RESULT; i <= NAN_LEFT_OUT; i++)
		if (k->nan_notes & 1u << i)
			annotate(k->o, k->w, ANNOTATION_INFO, k->g, nan_texts[i]);
	if (k->repair.samples) {
		auto_buf struct buf words = { 0 };
		annotations_add_repair(k->w->exec->annotations, expr_place(k->o->inner_expr),
			words_of(k->o, k->g, &words,
				"input to histogram_quantile needed to be fixed for monotonicity (see "
				"https://prometheus.io/docs/prometheus/latest/querying/functions/"
				"#histogram_quantile)"),
			&k->repair);
	}
}

static int position_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct position_op *o = (struct position_op *)op;
	size_t group = i / o->n_questions;
	struct work k = {
		.o = o, .w = w, .g = &o->groups.groups[group], .q = &o->questions[i % o->n_questions]
	};
	bool has_bound = group >= o->groups.n_first;
	if (has_bound && atomic_load_explicit(&o->natives[k.g->native], memory_order_relaxed) == NATIVE_NONE)
		return 0;
	int r = read_buckets(&k);
	if (r == 0 && k.g->native != HISTOGRAM_NO_ROW) {
		k.native = row_new(w, op->steps.n);
		r = op_row(o->inner, w, k.g->native, &k.native);
	}
	uint64_t step_work = 20 * k.g->n_buckets + (k.native.h ? CELL_WORK : 0);
	for (uint32_t step = 0; step < op->steps.n && r == 0; step++) {
		compute_step(&k, step, out);
		r = interrupt_after(step_work);
	}
	row_fini(&k.native);
	if (r == 0)
		annotate_row(&k, has_bound);
	return r;
}

static size_t position_children(const struct op *op, struct op **out, size_t room)
{
	const struct position_op *o = (const struct position_op *)op;
	size_t n = 0;
	if (n < room)
		out[n++] = o->inner;
	for (size_t i = 0; i < o->n_params && n < room; i++)
		out[n++] = o->params[i];
	return n;
}

static void position_explain(const struct op *op, struct buf *out)
{
	buf_add_str(out, op->expr->call.function->name);
}

static void position_free(struct op *op)
{
	struct position_op *o = (struct position_op *)op;
	op_free(o->inner);
	for (size_t i = 0; i < o->n_params; i++)
		op_free(o->params[i]);
	free(o);
}

struct op *histogram_position_new(
	const struct expr *call, enum histogram_position position, struct op **args, size_t n)
{
	static const struct op_ops ops = {
		.name = "histogram position",
		.open = position_open,
		.prepare = position_prepare,
		.row = position_row,
		.explain = position_explain,
		.children = position_children,
		.free = position_free,
	};
	struct position_op *o = xcalloc(1, sizeof *o);
	size_t vector = position == POSITION_QUANTILES ? 0 : n - 1;
	o->op = (struct op){ .ops = &ops, .expr = call, .steps = args[vector]->steps };
	o->position = position;
	for (size_t i = 0; i < n; i++) {
		const struct expr *e = call->call.args[i];
		if (i == vector) {
			o->inner = args[i];
			o->inner_expr = e;
		} else if (args[i] && o->n_params < PARAMS_MAX) {
			o->param_exprs[o->n_params] = e;
			o->params[o->n_params++] = args[i];
		} else {
			while (e->kind == EXPR_PAREN)
				e = e->paren;
			o->label = e->string;
		}
	}
	return &o->op;
}
