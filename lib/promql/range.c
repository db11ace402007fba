/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/range.h"

#include "lib/base/quote.h"
#include "lib/promql/function.h"
#include "lib/promql/scalar.h"

#define PARAMS_MAX FUNCTION_ARGS_MAX

struct range_op {
	struct op op;
	const struct range_kernel *kernel;
	struct range_input in;
	struct op *params[PARAMS_MAX];
	const double *param_values[PARAMS_MAX]; /* from prepare on */
	size_t n_params;
	int64_t *start, *end, *step_t; /* from open on, in the run's arena */
	uint32_t overlap;   /* a window begins where the one that many steps before it ends; 0: not so */
	int64_t mint, maxt; /* of what is read */
};

static void make_windows(struct range_op *r, struct exec *x)
{
	uint32_t n = r->op.steps.n;
	r->start = arena_alloc(x->arena, n * sizeof r->start[0]);
	r->end = arena_alloc(x->arena, n * sizeof r->end[0]);
	r->step_t = arena_alloc(x->arena, n * sizeof r->step_t[0]);
	for (uint32_t i = 0; i < n; i++) {
		r->step_t[i] = steps_at(&r->op.steps, i);
		r->end[i] = lookup_at(&r->in.at, &r->op.steps, i);
		r->start[i] = r->end[i] - r->in.range_ms;
	}
}

/* By how many steps, the same for all, windows begin behind the one that ends there. */
static uint32_t find_overlap(const struct range_op *r)
{
	uint32_t n = r->op.steps.n, steps = 1;
	if (r->in.before_ms || r->in.after_ms)
		return 0;
	while (steps < n && r->start[steps] != r->end[0])
		steps++;
	for (uint32_t i = steps; i < n; i++)
		if (r->start[i] != r->end[i - steps])
			return 0;
	return steps < n ? steps : 0;
}

static int range_open(struct op *op, struct exec *x)
{
	struct range_op *r = (struct range_op *)op;
	int need = exec_need(x, op->steps.n * 3ul * sizeof r->start[0]);
	if (need < 0)
		return need;
	make_windows(r, x);
	r->overlap = find_overlap(r);
	struct op inner = { 0 };
	if (r->in.inner) {
		inner = *r->in.inner;
	} else {
		int e = selected_open(r->in.from, x);
		if (e < 0)
			return e;
		inner.labels = r->in.from->set->labels;
		inner.n_rows = r->in.from->set->n;
	}
	if (!(r->kernel->flags & RANGE_KEEPS_NAME))
		return op_drop_names(op, x, &inner);
	op_keep_labels(op, &inner);
	return 0;
}

static int range_prepare(struct op *op, struct exec *x)
{
	struct range_op *r = (struct range_op *)op;
	int e = 0;
	for (size_t i = 0; i < r->n_params && e == 0; i++)
		e = scalar_values(r->params[i], x, &r->param_values[i]);
	return e;
}

/* The first place from `from` on that is later than `t_end`, or n; `guess` is one that it may be. */
static inline size_t place_after(const int64_t *t, size_t n, size_t from, size_t guess, int64_t t_end)
{
	size_t k = guess <= n && guess > from && t[guess - 1] <= t_end ? guess : from;
	while (k < n && t[k] <= t_end)
		k++;
	return k;
}

/*
 * Which samples each step sees. Both ends of the windows rise, so the samples are gone through once; as steps and samples are mostly
 * regular, an end moves as far as it did before. Where windows overlap, most begin where another one ended.
 */
static void find_windows(const struct range_op *r, const int64_t *t, size_t n, uint32_t *lo, uint32_t *hi)
{
	uint32_t steps = r->op.steps.n, looked_for = r->overlap ? r->overlap : steps;
	size_t k = 0, moved = 0;
	for (uint32_t i = 0; i < steps; i++) {
		size_t next = place_after(t, n, k, k + moved, r->end[i] + r->in.after_ms);
		moved = next - k;
		k = next;
		hi[i] = (uint32_t)k;
	}
	k = moved = 0;
	for (uint32_t i = 0; i < looked_for; i++) {
		size_t next = place_after(t, hi[i], k, k + moved, r->start[i] - r->in.before_ms);
		moved = next - k;
		k = next;
		lo[i] = (uint32_t)k;
	}
	memcpy(lo + looked_for, hi, (steps - looked_for) * sizeof *lo);
}

static bool has_suffix(struct text s, struct text suffix)
{
	return s.len >= suffix.len && memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0;
}

/* Upstream goes by the name's ending where a rate is asked for. */
static void remark_on_name(const struct range_series *s, const struct row *out)
{
	static const struct text endings[] = { TEXT("_total"), TEXT("_sum"), TEXT("_count"),
		TEXT("_bucket") };
	struct text name = label_set_get(s->labels, LABEL_NAME);
	if (!name.len || !memchr(out->kind, CELL_FLOAT, out->n))
		return;
	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (has_suffix(name, endings[i]))
			return;
	range_say(s, RANGE_NAME_NOT_COUNTER);
}

static uint64_t count_seen(const struct range_series *s)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < s->n; i++)
		n += range_n_floats(s, i);
	for (uint32_t i = 0; i < s->n && s->h.n; i++)
		n += range_n_histograms(s, i);
	return n;
}

static int range_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct range_op *r = (struct range_op *)op;
	uint32_t n = op->steps.n;
	unsigned said = 0;
	struct range_columns c;
	int e = range_load(&r->in, w, i, r->mint, r->maxt, &c);
	if (e < 0)
		return e;
	uint32_t *lo = arena_alloc(w->scratch, 4ul * n * sizeof *lo), *hi = lo + n;
	find_windows(r, c.float_t, c.n_floats, lo, hi);
	struct range_series s = {
		.input = &r->in,
		.call = op->expr,
		.labels = r->in.inner ? &r->in.inner->labels[i] : &r->in.from->set->labels[i],
		.w = w,
		.said = &said,
		.params = r->param_values,
		.n = n,
		.start = r->start,
		.end = r->end,
		.step_t = r->step_t,
		.f = { c.float_t, c.float_start, c.v, c.n_floats, lo, hi },
	};
	if (c.n_histograms) {
		uint32_t *h_lo = hi + n, *h_hi = h_lo + n;
		find_windows(r, c.histogram_t, c.n_histograms, h_lo, h_hi);
		s.h = (struct range_histograms){ c.histogram_t, c.histogram_start, c.h, c.n_histograms, h_lo,
			h_hi };
	}
	e = r->kernel->fn(&s, out);
	if (e == 0 && r->kernel->flags & RANGE_IS_COUNTER)
		remark_on_name(&s, out);
	atomic_fetch_add_explicit(&w->exec->samples_total, count_seen(&s), memory_order_relaxed);
	range_let_go(&r->in, w, &c);
	return e;
}

static size_t range_children(const struct op *op, struct op **out, size_t room)
{
	const struct range_op *r = (const struct range_op *)op;
	size_t n = 0;
	if (r->in.inner && n < room)
		out[n++] = r->in.inner;
	for (size_t i = 0; i < r->n_params && n < room; i++)
		out[n++] = r->params[i];
	return n;
}

static void range_explain(const struct op *op, struct buf *out)
{
	buf_add_str(out, ((const struct range_op *)op)->kernel->name);
}

static void range_free(struct op *op)
{
	struct range_op *r = (struct range_op *)op;
	range_input_fini(&r->in);
	for (size_t i = 0; i < r->n_params; i++)
		op_free(r->params[i]);
	free(r);
}

static const struct op_ops range_ops = {
	.name = "range",
	.open = range_open,
	.prepare = range_prepare,
	.row = range_row,
	.explain = range_explain,
	.children = range_children,
	.free = range_free,
};

struct op *range_new(const struct expr *call, const struct range_kernel *kernel,
	const struct range_input *input, const struct steps *steps, struct op **params, size_t n_params)
{
	struct range_op *r = xmalloc(sizeof *r);
	*r = (struct range_op){
		.op = { .ops = &range_ops, .expr = call, .steps = *steps },
		.kernel = kernel,
		.in = *input,
		.n_params = n_params,
	};
	for (size_t i = 0; i < n_params; i++)
		r->params[i] = params[i];
	r->mint = lookup_at(&input->at, steps, 0) - input->range_ms - input->before_ms + 1;
	r->maxt = lookup_at(&input->at, steps, steps->n - 1) + input->after_ms;
	if (input->from)
		selected_widen(r->in.from, r->mint, r->maxt);
	return &r->op;
}

struct span range_place(const struct range_series *s)
{
	struct span nowhere = { 0, 0 };
	const struct expr *first = s->call->call.args[0];
	while (first->kind == EXPR_PAREN)
		first = first->paren;
	return first->kind == EXPR_SUBQUERY ? nowhere : first->span;
}

void range_say(const struct range_series *s, unsigned notes)
{
	static const struct {
		enum range_note note;
		enum annotation_level level;
		bool has_name;
		const char *words;
	} all[] = {
		{ RANGE_MIXED, ANNOTATION_WARNING, true,
			"encountered a mix of histograms and floats for metric name" },
		{ RANGE_IGNORED, ANNOTATION_INFO, true,
			"ignored histograms in a range containing both floats and histograms for metric "
			"name" },
		{ RANGE_MIXED_SCHEMAS, ANNOTATION_WARNING, true,
			"vector contains a mix of histograms with exponential and custom buckets schemas for "
			"metric name" },
		{ RANGE_NOT_COUNTER, ANNOTATION_WARNING, true,
			"this native histogram metric is not a counter:" },
		{ RANGE_NOT_GAUGE, ANNOTATION_WARNING, true, "this native histogram metric is not a gauge:" },
		{ RANGE_NAME_NOT_COUNTER, ANNOTATION_INFO, true,
			"metric might not be a counter, name does not end in _total/_sum/_count/_bucket:" },
		{ RANGE_ADD_RECONCILED, ANNOTATION_INFO, false,
			"mismatched custom buckets were reconciled during addition" },
		{ RANGE_SUB_RECONCILED, ANNOTATION_INFO, false,
			"mismatched custom buckets were reconciled during subtraction" },
		{ RANGE_AGG_RECONCILED, ANNOTATION_INFO, false,
			"mismatched custom buckets were reconciled during aggregation" },
		{ RANGE_AGG_COLLIDED, ANNOTATION_WARNING, false,
			"conflicting counter resets during histogram aggregation" },
		{ RANGE_STARTS_OVERLAP, ANNOTATION_WARNING, true,
			"sample has start time that overlaps with previous sample timestamp for metric" },
	};
	notes &= ~(*s->said & ~RANGE_COUNTED);
	*s->said |= notes;
	for (size_t i = 0; i < ARRAY_LEN(all) && notes; i++) {
		if (!(notes & all[i].note))
			continue;
		auto_buf struct buf words = { 0 };
		buf_add_str(&words, all[i].words);
		if (all[i].has_name) {
			struct text t = label_set_get(s->labels, LABEL_NAME);
			buf_add_u8(&words, ' ');
			quote_add(&words, t.p, t.len);
		}
		struct annotations *to = s->w->exec->annotations;
		if (all[i].note & RANGE_COUNTED)
			annotations_add_counted(to, all[i].level, range_place(s), buf_str(&words));
		else
			annotations_add(to, all[i].level, range_place(s), "%s", buf_str(&words));
	}
}
