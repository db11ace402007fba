/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows whose final labels are the same are one series of the answer: a group. Groups are computed a batch at a time, each by one thread,
 * and the batch is then given away in order.
 */
#include "lib/promql/answer.h"

#include "lib/base/clock.h"
#include "lib/promql/extended_range.h"

#include <errno.h>

#define BATCH_BYTES  (8u << 20) /* a thread's share of what waits to be given away */
#define BATCH_GROUPS 64u        /* a thread's, at most */
#define POINT_BYTES  24u
#define FIRST_POINTS 10000u /* that a group is taken to have before one was seen */

struct group {
	size_t first, n; /* in by_labels */
};

/* A series of the answer, computed. */
struct points {
	size_t n;
	int64_t *t;
	double *v;
	const struct float_histogram **h; /* NULL: none; owned */
	uint64_t held;                    /* bytes */
};

struct answering {
	struct exec *x;
	const struct plan *plan;
	size_t n_rows;
	struct label_set *labels; /* final ones, by row */
	size_t *by_labels;        /* rows, sorted */
	struct group *groups;
	size_t n_groups;
	size_t batch_first;
	struct points *batch;
};

static int by_labels(const void *x, const void *y, void *arg)
{
	const struct answering *a = arg;
	size_t i = *(const size_t *)x, j = *(const size_t *)y;
	if (interrupt_after(LABELS_WORK) < 0)
		return 0;
	int order = label_set_cmp(&a->labels[i], &a->labels[j]);
	return order ? order : i < j ? -1 : 1;
}

static int by_first_row(const void *x, const void *y, void *arg)
{
	const struct answering *a = arg;
	size_t i = a->by_labels[((const struct group *)x)->first],
	       j = a->by_labels[((const struct group *)y)->first];
	return i < j ? -1 : i > j;
}

/* What has the labels of the rows: an operator, or a selector itself. */
static struct op labels_of(const struct plan *p)
{
	struct op op = { 0 };
	const struct op *inner = p->root ? p->root : p->range->inner;
	if (inner) {
		op = *inner;
	} else {
		op.labels = p->range->from->set->labels;
		op.n_rows = p->range->from->set->n;
	}
	return op;
}

static int find_final_labels(struct answering *a)
{
	struct op from = labels_of(a->plan);
	a->n_rows = from.n_rows;
	a->labels = arena_alloc(a->x->arena, a->n_rows * sizeof a->labels[0]);
	for (size_t i = 0; i < a->n_rows; i++) {
		a->labels[i] = op_row_drops_name(&from, i)
				       ? labels_without_metadata(a->x->arena, &from.labels[i])
				       : from.labels[i];
		int r = interrupt_after(LABELS_WORK);
		if (r < 0)
			return r;
	}
	return 0;
}

static void find_groups(struct answering *a, bool is_by_labels)
{
	bool is_sorted = true;
	a->by_labels = arena_alloc(a->x->arena, a->n_rows * sizeof a->by_labels[0]);
	for (size_t i = 0; i < a->n_rows; i++) {
		a->by_labels[i] = i;
		is_sorted &= i == 0 || label_set_cmp(&a->labels[i - 1], &a->labels[i]) < 0;
	}
	if (!is_sorted)
		qsort_r(a->by_labels, a->n_rows, sizeof a->by_labels[0], by_labels, a);
	a->groups = arena_alloc(a->x->arena, a->n_rows * sizeof a->groups[0]);
	for (size_t i = 0; i < a->n_rows; i++) {
		struct group *last = a->n_groups ? &a->groups[a->n_groups - 1] : NULL;
		if (last && !is_sorted &&
			label_set_is(&a->labels[a->by_labels[last->first]], &a->labels[a->by_labels[i]]))
			last->n++;
		else
			a->groups[a->n_groups++] = (struct group){ i, 1 };
	}
	if (!is_sorted && !is_by_labels)
		qsort_r(a->groups, a->n_groups, sizeof a->groups[0], by_first_row, a);
}

static void points_fini(struct points *p)
{
	for (size_t i = 0; p->h && i < p->n; i++)
		free((void *)(uintptr_t)p->h[i]);
	free(p->t);
	free(p->v);
	free(p->h);
	*p = (struct points){ 0 };
}

static void hold(struct points *p, struct budget *budget, uint64_t bytes)
{
	p->held += bytes;
	budget_take(budget, bytes);
}

static void points_new(struct points *p, struct budget *budget, size_t n, bool has_histograms)
{
	*p = (struct points){
		.t = xmalloc((n + 1) * sizeof p->t[0]),
		.v = xmalloc((n + 1) * sizeof p->v[0]),
		.h = has_histograms ? xcalloc(n + 1, sizeof p->h[0]) : NULL,
	};
	hold(p, budget, n * POINT_BYTES);
}

/* Takes the row's histograms. */
static void points_of_row(
	const struct steps *steps, struct row *row, struct budget *budget, struct points *out)
{
	size_t n = 0;
	for (uint32_t k = 0; k < row->n; k++)
		n += row->kind[k] != CELL_NONE;
	points_new(out, budget, n, row->h);
	hold(out, budget, row->held);
	for (uint32_t k = 0; k < row->n; k++) {
		if (row->kind[k] == CELL_NONE)
			continue;
		out->t[out->n] = steps_at(steps, k);
		out->v[out->n] = row->kind[k] == CELL_FLOAT ? row->v[k] : 0;
		if (row->kind[k] == CELL_HISTOGRAM) {
			out->h[out->n] = row->h[k];
			row->h[k] = NULL;
		}
		out->n++;
	}
}

/* Takes the histograms of `from`. -EEXIST: both have a sample at one step. */
static int merge_row(struct row *into, struct row *from, struct worker *w)
{
	for (uint32_t k = 0; k < into->n; k++) {
		if (from->kind[k] == CELL_NONE)
			continue;
		if (into->kind[k] != CELL_NONE)
			return -EEXIST;
		if (from->kind[k] == CELL_FLOAT) {
			row_set(into, k, from->v[k]);
		} else {
			row_set_histogram(w, into, k, from->h[k]);
			from->h[k] = NULL;
		}
	}
	return 0;
}

static int compute_rows(
	struct answering *a, struct worker *w, const struct group *g, struct op *op, struct points *out)
{
	struct row row = row_new(w, op->steps.n);
	int r = op_row(op, w, a->by_labels[g->first], &row);
	for (size_t i = 1; i < g->n && r == 0; i++) {
		struct row more = row_new(w, op->steps.n);
		r = op_row(op, w, a->by_labels[g->first + i], &more);
		if (r == 0)
			r = merge_row(&row, &more, w);
		row_fini(&more);
	}
	if (r == -EEXIST)
		r = exec_fail(w->exec, -EINVAL, "vector cannot contain metrics with the same labelset");
	if (r == 0)
		points_of_row(&op->steps, &row, w->exec->budget, out);
	row_fini(&row);
	return r;
}

/* A selector's own samples, floats and histograms in the order of time. */
static void points_of_columns(const struct range_input *in, const struct range_columns *c, int64_t start,
	int64_t end, struct budget *budget, struct points *out)
{
	size_t n = c->n_floats + c->n_histograms, f = 0, h = 0;
	points_new(out, budget, n + 2, c->n_histograms);
	if ((in->is_anchored || in->is_smoothed) && n) {
		out->n = extended_floats(c->float_t, c->v, n, start, end, in->is_smoothed, out->t, out->v);
		return;
	}
	for (size_t k = 0; k < n; k++) {
		bool is_float =
			f < c->n_floats && (h == c->n_histograms || c->float_t[f] < c->histogram_t[h]);
		out->t[k] = is_float ? c->float_t[f] : c->histogram_t[h];
		out->v[k] = is_float ? c->v[f] : 0;
		if (!is_float) {
			out->h[k] = float_histogram_copy(c->h[h]);
			hold(out, budget, float_histogram_bytes(out->h[k]));
		}
		f += is_float;
		h += !is_float;
	}
	out->n = n;
}

static int compute_selected(struct answering *a, struct worker *w, size_t row, struct points *out)
{
	const struct range_input *in = a->plan->range;
	int64_t end = lookup_at(&in->at, &a->plan->steps, 0), start = end - in->range_ms;
	struct range_columns c;
	int r = range_load(in, w, row, start - in->before_ms + 1, end + in->after_ms, &c);
	if (r < 0)
		return r;
	if ((in->is_anchored || in->is_smoothed) && c.n_histograms)
		r = exec_fail(w->exec, -EINVAL, "%s modifier is not supported with histograms",
			in->is_anchored ? "anchored" : "smoothed");
	else if ((r = exec_need(w->exec, (c.n_floats + c.n_histograms) * POINT_BYTES)) == 0)
		points_of_columns(in, &c, start, end, w->exec->budget, out);
	range_let_go(in, w, &c);
	return r;
}

static int compute_group(void *arg, struct worker *w, size_t i)
{
	struct answering *a = arg;
	const struct group *g = &a->groups[a->batch_first + i];
	struct op *op = a->plan->root ? a->plan->root : a->plan->range->inner;
	int r = op ? compute_rows(a, w, g, op, &a->batch[i])
		   : compute_selected(a, w, a->by_labels[g->first], &a->batch[i]);
	exec_count_samples(a->x, (int64_t)a->batch[i].n);
	return r;
}

/* What the asker makes of it, and the time that he lets it wait, is no time of the query's. */
static int give_away(struct answering *a, size_t n, const struct promql_sink *sink, uint64_t *n_series)
{
	int r = 0;
	int64_t began = a->x->until_us ? clock_monotonic_us() : 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct points *p = &a->batch[i];
		const struct group *g = &a->groups[a->batch_first + i];
		struct promql_series s = {
			.labels = &a->labels[a->by_labels[g->first]],
			.n = p->n,
			.t = p->t,
			.v = p->v,
			.h = p->h,
		};
		if (!p->n)
			continue;
		++*n_series;
		r = sink->series(sink->arg, &s);
	}
	if (a->x->until_us)
		a->x->until_us += clock_monotonic_us() - began;
	return r < 0 ? exec_fail(a->x, -ECANCELED, "query was canceled in expression evaluation") : 0;
}

static void forget(struct answering *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		budget_give(a->x->budget, a->batch[i].held);
		exec_count_samples(a->x, -(int64_t)a->batch[i].n);
		points_fini(&a->batch[i]);
	}
}

/*
 * The result counts as a whole towards the limit of samples where upstream would hold it as a whole; here a batch is held. How large a group
 * is tells the batch before: one of histograms, or of raw samples, may be anything.
 */
static size_t batch_size(const struct answering *a, uint64_t group_bytes)
{
	size_t n = BATCH_BYTES / MAX_OF(group_bytes, 1u);
	return MAX_OF(MIN_OF(n, BATCH_GROUPS), 1u) * a->x->threads;
}

static uint64_t mean_bytes(const struct answering *a, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += a->batch[i].held;
	return n ? sum / n : 0;
}

int answer(struct exec *x, const struct plan *p, bool is_by_labels, const struct promql_sink *sink,
	uint64_t *n_series)
{
	struct answering a = { .x = x, .plan = p };
	int r = find_final_labels(&a);
	if (r < 0)
		return r;
	find_groups(&a, is_by_labels);
	const struct op *op = p->root ? p->root : p->range->inner;
	size_t size = batch_size(&a, FIRST_POINTS * POINT_BYTES);
	if (op)
		size = MIN_OF(size, batch_size(&a, op->steps.n * POINT_BYTES));
	a.batch = xcalloc(BATCH_GROUPS * x->threads, sizeof a.batch[0]);
	r = exec_check(x);
	while (a.batch_first < a.n_groups && r == 0) {
		size_t n = MIN_OF(size, a.n_groups - a.batch_first);
		r = exec_rows(x, n, compute_group, &a);
		if (r == 0)
			r = exec_check(x);
		if (r == 0)
			r = give_away(&a, n, sink, n_series);
		size = batch_size(&a, mean_bytes(&a, n));
		forget(&a, n);
		a.batch_first += n;
	}
	free(a.batch);
	return r;
}
