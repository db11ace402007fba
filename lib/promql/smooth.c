/* SPDX-License-Identifier: Apache-2.0 */
/* Smoothed instant selectors (promql/engine.go: smoothSeries). */
#include "lib/promql/extended_range.h"

#include "lib/base/interrupt.h"
#include "lib/base/quote.h"

struct smooth_op {
	struct op op;
	struct range_input in; /* whose windows are the lookback before a step and after it */
};

static int smooth_open(struct op *op, struct exec *x)
{
	struct smooth_op *s = (struct smooth_op *)op;
	int r = selected_open(s->in.from, x);
	if (r < 0)
		return r;
	op->labels = s->in.from->set->labels;
	op->n_rows = s->in.from->set->n;
	return 0;
}

struct smoothing {
	struct smooth_op *op;
	struct worker *w;
	const struct label_set *labels;
	struct range_columns c;
	struct histogram_sum sum;
	bool has_said_mixed, has_said_schemas;
};

static void say(struct smoothing *s, bool *said, const char *words)
{
	struct text name = label_set_get(s->labels, LABEL_NAME);
	auto_buf struct buf quoted = { 0 };
	if (*said)
		return;
	*said = true;
	quote_add(&quoted, name.p, name.len);
	annotations_add(s->w->exec->annotations, ANNOTATION_WARNING, s->op->op.expr->span, "%s %s", words,
		buf_str(&quoted));
}

/* Samples lo <= k < hi are seen; the first one that isn't before t, or hi. */
static size_t first_from(const int64_t *times, size_t lo, size_t hi, int64_t t)
{
	while (lo < hi && times[lo] < t)
		lo++;
	return lo;
}

static void smooth_float(struct smoothing *s, struct row *out, uint32_t i, int64_t t, size_t lo, size_t hi)
{
	const int64_t *times = s->c.float_t;
	const double *v = s->c.v;
	size_t k = first_from(times, lo, hi, t);
	if (k < hi && times[k] == t)
		row_set(out, i, v[k]);
	else if (k > lo && k < hi)
		row_set(out, i, interpolate(times[k - 1], v[k - 1], times[k], v[k], t, false));
	else if (k > lo)
		row_set(out, i, v[k - 1]);
}

/* Taken for a counter unless both are gauges. */
static void smooth_histogram(
	struct smoothing *s, struct row *out, uint32_t i, int64_t t, size_t lo, size_t hi)
{
	const int64_t *times = s->c.histogram_t;
	const struct float_histogram *const *h = s->c.h;
	size_t k = first_from(times, lo, hi, t);
	unsigned notes = 0;
	if (k < hi && times[k] == t) {
		row_set_histogram(s->w, out, i, float_histogram_copy(h[k]));
	} else if (k > lo && k < hi) {
		bool are_gauges = h[k - 1]->reset_hint == RESET_GAUGE && h[k]->reset_hint == RESET_GAUGE;
		if (float_histogram_is_custom(h[k - 1]) != float_histogram_is_custom(h[k]) ||
			interpolate_histograms(
				&s->sum, times[k - 1], h[k - 1], times[k], h[k], t, !are_gauges, &notes) < 0)
			say(s, &s->has_said_schemas,
				"vector contains a mix of histograms with exponential and custom buckets "
				"schemas for metric name");
		else
			row_set_histogram(s->w, out, i, float_histogram_copy(&s->sum.value));
	} else if (k > lo) {
		/* The hint is about the sample before it, not about its value. */
		struct float_histogram *copy = float_histogram_copy(h[k - 1]);
		copy->reset_hint = RESET_UNKNOWN;
		row_set_histogram(s->w, out, i, copy);
	}
	if (notes & RANGE_SUB_RECONCILED)
		annotations_add(s->w->exec->annotations, ANNOTATION_INFO, s->op->op.expr->span,
			"mismatched custom buckets were reconciled during subtraction");
	if (notes & RANGE_ADD_RECONCILED)
		annotations_add(s->w->exec->annotations, ANNOTATION_INFO, s->op->op.expr->span,
			"mismatched custom buckets were reconciled during addition");
}

/* The samples within (t - lookback, t + lookback], going on from the step before. */
static void move(const int64_t *times, size_t n, int64_t t, int64_t lookback, size_t *lo, size_t *hi)
{
	while (*hi < n && times[*hi] <= t + lookback)
		++*hi;
	while (*lo < *hi && times[*lo] <= t - lookback)
		++*lo;
}

static int smooth_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct smooth_op *o = (struct smooth_op *)op;
	int64_t lookback = o->in.before_ms;
	struct smoothing s = { .op = o, .w = w, .labels = &op->labels[i] };
	int r = range_load(&o->in, w, i, lookup_at(&o->in.at, &op->steps, 0) - lookback + 1,
		lookup_at(&o->in.at, &op->steps, op->steps.n - 1) + lookback, &s.c);
	if (r < 0)
		return r;
	size_t f_lo = 0, f_hi = 0, h_lo = 0, h_hi = 0;
	for (uint32_t k = 0; k < out->n && r == 0; k++) {
		int64_t t = lookup_at(&o->in.at, &op->steps, k);
		move(s.c.float_t, s.c.n_floats, t, lookback, &f_lo, &f_hi);
		move(s.c.histogram_t, s.c.n_histograms, t, lookback, &h_lo, &h_hi);
		if (f_lo < f_hi && h_lo < h_hi)
			say(&s, &s.has_said_mixed,
				"encountered a mix of histograms and floats for metric name");
		else if (f_lo < f_hi)
			smooth_float(&s, out, k, t, f_lo, f_hi);
		else if (h_lo < h_hi)
			smooth_histogram(&s, out, k, t, h_lo, h_hi);
		r = interrupt_after(f_hi - f_lo + (h_lo < h_hi ? RANGE_HISTOGRAM_WORK : 0) + h_hi - h_lo);
	}
	histogram_sum_fini(&s.sum);
	range_let_go(&o->in, w, &s.c);
	return r;
}

static void smooth_free(struct op *op)
{
	range_input_fini(&((struct smooth_op *)op)->in);
	free(op);
}

struct op *smooth_new(const struct expr *selector, struct selected *from, const struct steps *steps,
	const struct lookup *at, int64_t lookback_ms, bool wants_stats)
{
	static const struct op_ops ops = {
		.name = "smooth",
		.open = smooth_open,
		.row = smooth_row,
		.free = smooth_free,
	};
	struct smooth_op *s = xmalloc(sizeof *s);
	*s = (struct smooth_op){
		.op = { .ops = &ops, .expr = selector, .steps = *steps },
		.in = { .expr = selector,
			.from = from,
			.at = *at,
			.is_smoothed = true,
			.wants_stats = wants_stats,
			.before_ms = lookback_ms,
			.after_ms = lookback_ms },
	};
	selected_widen(from, lookup_at(at, steps, 0) - lookback_ms + 1,
		lookup_at(at, steps, steps->n - 1) + lookback_ms);
	return &s->op;
}
