/* SPDX-License-Identifier: Apache-2.0 */
/* A series is decoded once; steps and samples are then gone through together, as both rise. */
#include "lib/promql/select.h"

#include "lib/promql/histogram_stats.h"

#include <errno.h>

struct select_op {
	struct op op;
	struct selected *from;
	struct lookup at;
	int64_t lookback_ms;
	enum select_what what;
};

static int select_open(struct op *op, struct exec *x)
{
	struct select_op *s = (struct select_op *)op;
	int r = selected_open(s->from, x);
	if (r < 0)
		return r;
	op->labels = s->from->set->labels;
	op->n_rows = s->from->set->n;
	if (s->what == SELECT_TIMES || s->what == SELECT_STARTS)
		r = op_drop_names(op, x, op);
	return r;
}

/* The sample that step i sees, or -1; *next is where the one before left off. */
static inline ptrdiff_t seen(const struct select_op *s, const struct samples *from, uint32_t i, size_t *next)
{
	int64_t t = lookup_at(&s->at, &s->op.steps, i);
	size_t k = *next;
	while (k < from->n && from->t[k] <= t)
		k++;
	*next = k;
	if (!k || from->t[k - 1] <= t - s->lookback_ms || sample_is_stale(from->v[k - 1]))
		return -1;
	return (ptrdiff_t)k - 1;
}

static uint32_t times(const struct select_op *s, const struct samples *from, struct row *out)
{
	size_t next = 0;
	uint32_t n = 0;
	for (uint32_t i = 0; i < out->n; i++) {
		ptrdiff_t k = seen(s, from, i, &next);
		if (k < 0)
			continue;
		int64_t t = s->what != SELECT_STARTS ? from->t[k] : from->start ? from->start[k] : 0;
		row_set(out, i, (double)t / 1000);
		n++;
	}
	return n;
}

static uint32_t floats(const struct select_op *s, const struct samples *from, struct row *out)
{
	size_t next = 0;
	uint32_t n = 0;
	for (uint32_t i = 0; i < out->n; i++) {
		ptrdiff_t k = seen(s, from, i, &next);
		if (k < 0)
			continue;
		row_set(out, i, from->v[k]);
		n++;
	}
	return n;
}

/* The first step that sees a histogram takes it from the samples, those after it get copies. */
static uint32_t mixed(const struct select_op *s, struct worker *w, struct samples *from, struct row *out)
{
	size_t next = 0;
	uint32_t n = 0;
	ptrdiff_t taken = -1;
	const struct float_histogram *last = NULL;
	for (uint32_t i = 0; i < out->n; i++) {
		ptrdiff_t k = seen(s, from, i, &next);
		if (k < 0)
			continue;
		n++;
		if (interrupt_after(CELL_WORK) < 0)
			break;
		if (k == taken) {
			row_set_histogram(w, out, i, float_histogram_copy(last));
		} else if (from->h[k]) {
			taken = k;
			last = from->h[k];
			from->h[k] = NULL;
			row_set_histogram(w, out, i, last);
		} else {
			row_set(out, i, from->v[k]);
		}
	}
	return n;
}

/* Whoever wants times with names means info series, which have no histograms. */
static int refuse_histogram(const struct select_op *s, struct worker *w, size_t i)
{
	auto_buf struct buf labels = { 0 };
	label_set_print(&s->op.labels[i], &labels);
	return exec_fail(
		w->exec, -EINVAL, "this should be an info metric, with float samples: %s", buf_str(&labels));
}

static int select_row(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct select_op *s = (struct select_op *)op;
	int64_t mint = lookup_at(&s->at, &op->steps, 0) - s->lookback_ms + 1;
	int64_t maxt = lookup_at(&s->at, &op->steps, op->steps.n - 1);
	int r = selected_read(s->from, w, i, mint, maxt);
	if (r < 0)
		return r;
	struct samples *from = &w->samples;
	if (s->what == SELECT_TIMES_NAMED && from->h) {
		selected_let_go(w);
		return refuse_histogram(s, w, i);
	}
	if (s->what == SELECT_STATS)
		histogram_stats(from);
	bool wants_times = s->what >= SELECT_TIMES;
	uint32_t n = wants_times ? times(s, from, out)
		     : from->h   ? mixed(s, w, from, out)
				 : floats(s, from, out);
	atomic_fetch_add_explicit(&w->exec->samples_total, n, memory_order_relaxed);
	selected_let_go(w);
	return 0;
}

static void select_free(struct op *op)
{
	struct select_op *s = (struct select_op *)op;
	selected_free(s->from);
	free(s);
}

static const struct op_ops select_ops = {
	.name = "select",
	.open = select_open,
	.row = select_row,
	.free = select_free,
};

struct op *select_new(const struct expr *selector, struct selected *from, const struct steps *steps,
	const struct lookup *at, int64_t lookback_ms, enum select_what what)
{
	struct select_op *s = xmalloc(sizeof *s);
	*s = (struct select_op){
		.op = { .ops = &select_ops, .expr = selector, .steps = *steps },
		.from = from,
		.at = *at,
		.lookback_ms = lookback_ms,
		.what = what,
	};
	selected_widen(from, lookup_at(at, steps, 0) - lookback_ms + 1, lookup_at(at, steps, steps->n - 1));
	return &s->op;
}
