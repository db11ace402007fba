/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows whose final labels are the same are one series of the answer: a group. Each is computed by one thread, which also encodes it for the
 * sink; they are given away in order, while the next ones are computed. What waits to be given away is bounded.
 */
#include "lib/promql/answer.h"

#include "lib/base/clock.h"
#include "lib/promql/extended_range.h"

#include <errno.h>

#define AHEAD_BYTES  (8u << 20) /* a thread's share of what waits to be given away */
#define AHEAD_PARTS  32u        /* a thread's, at most */
#define PART_BYTES   (64u << 10) /* what a thread takes at once: neighbours lie beside each other on the disk */
#define PART_GROUPS  16u         /* and how many groups that is, at most */
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
	struct buf encoded;               /* by the sink, and then the above are gone; empty: it wasn't */
	uint64_t held;                    /* bytes */
	size_t samples;                   /* that count as held */
};

struct answering {
	struct exec *x;
	const struct plan *plan;
	size_t n_rows;
	struct label_set *labels; /* final ones, by row */
	size_t *by_labels;        /* rows, sorted */
	struct group *groups;
	size_t n_groups;
	const struct promql_sink *sink;
	uint64_t *n_series;
	size_t part_groups;    /* part k has the groups from k * part_groups on */
	size_t ahead;          /* parts */
	struct points *points; /* of group i at i % (ahead * part_groups) */
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

static void hold(struct points *p, struct budget *budget, uint64_t bytes)
{
	p->held += bytes;
	budget_take(budget, bytes);
}

static void points_fini(struct points *p, struct exec *x)
{
	for (size_t i = 0; p->h && i < p->n; i++)
		free((void *)(uintptr_t)p->h[i]);
	free(p->t);
	free(p->v);
	free(p->h);
	buf_fini(&p->encoded);
	budget_give(x->budget, p->held);
	exec_count_samples(x, -(int64_t)p->samples);
	*p = (struct points){ 0 };
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

static struct points *points_of_group(const struct answering *a, size_t g)
{
	return &a->points[g % (a->ahead * a->part_groups)];
}

static struct promql_series series_of_group(const struct answering *a, size_t g)
{
	const struct points *p = points_of_group(a, g);
	return (struct promql_series){
		.labels = &a->labels[a->by_labels[a->groups[g].first]],
		.n = p->n,
		.t = p->t,
		.v = p->v,
		.h = p->h,
		.encoded = p->encoded.len ? &p->encoded : NULL,
	};
}

/* The points go once they are encoded. */
static void encode(struct answering *a, size_t g)
{
	struct points *p = points_of_group(a, g), encoded = { .n = p->n };
	struct promql_series s = series_of_group(a, g);
	if (!a->sink->encode(a->sink->arg, &s, &encoded.encoded)) {
		buf_fini(&encoded.encoded);
		return;
	}
	hold(&encoded, a->x->budget, encoded.encoded.cap);
	points_fini(p, a->x);
	*p = encoded;
}

static int compute_group(struct answering *a, struct worker *w, size_t g)
{
	struct points *p = points_of_group(a, g);
	struct op *op = a->plan->root ? a->plan->root : a->plan->range->inner;
	int r = op ? compute_rows(a, w, &a->groups[g], op, p)
		   : compute_selected(a, w, a->by_labels[a->groups[g].first], p);
	p->samples = p->n;
	exec_count_samples(a->x, (int64_t)p->n);
	if (r == 0)
		r = exec_check(a->x);
	if (r == 0 && p->n && a->sink->encode)
		encode(a, g);
	return r;
}

static size_t end_of_part(const struct answering *a, size_t part)
{
	return MIN_OF((part + 1) * a->part_groups, a->n_groups);
}

static int compute_part(void *arg, struct worker *w, size_t part, uint64_t *held)
{
	struct answering *a = arg;
	int r = 0;
	for (size_t g = part * a->part_groups; g < end_of_part(a, part) && r == 0; g++) {
		struct arena_mark mark = arena_mark(w->scratch);
		r = compute_group(a, w, g);
		arena_release(w->scratch, mark);
		*held += points_of_group(a, g)->held;
	}
	return r;
}

/* What the asker makes of it, and the time that he lets it wait, is no time of the query's. */
static int give_part(void *arg, size_t part)
{
	struct answering *a = arg;
	struct exec *x = a->x;
	int r = 0;
	int64_t began = x->until_us ? clock_monotonic_us() : 0;
	for (size_t g = part * a->part_groups; g < end_of_part(a, part); g++) {
		struct points *p = points_of_group(a, g);
		struct promql_series s = series_of_group(a, g);
		if (p->n && r == 0) {
			++*a->n_series;
			r = a->sink->series(a->sink->arg, &s);
		}
		points_fini(p, x);
	}
	if (began)
		atomic_fetch_add(&x->until_us, clock_monotonic_us() - began);
	return r < 0 ? exec_fail(x, -ECANCELED, "query was canceled in expression evaluation") : 0;
}

/* How large a group may be is known where its steps are; one of raw samples may be anything. */
static uint64_t group_bytes(const struct plan *p)
{
	const struct op *op = p->root ? p->root : p->range->inner;
	return (op ? op->steps.n : FIRST_POINTS) * (uint64_t)POINT_BYTES;
}

static size_t groups_in_part(const struct answering *a)
{
	size_t n = MIN_OF(PART_BYTES / group_bytes(a->plan), PART_GROUPS);
	return MAX_OF(MIN_OF(n, a->n_groups / (a->x->threads * 8ul)), 1u);
}

/*
 * The result counts as a whole towards the limit of samples where upstream would hold it as a whole; here it is what waits to be given away,
 * and isn't encoded yet.
 */
static int give_groups(struct answering *a)
{
	a->part_groups = groups_in_part(a);
	size_t n_parts = (a->n_groups + a->part_groups - 1) / a->part_groups;
	a->ahead = MAX_OF(MIN_OF(n_parts, AHEAD_PARTS * (size_t)a->x->threads), 1u);
	size_t n_points = a->ahead * a->part_groups;
	a->points = xcalloc(n_points, sizeof a->points[0]);
	int r = exec_in_order(a->x, &(struct in_order){
					    .n = n_parts,
					    .ahead = a->ahead,
					    .room = AHEAD_BYTES * (uint64_t)a->x->threads,
					    .typical = group_bytes(a->plan) * a->part_groups,
					    .compute = compute_part,
					    .give = give_part,
					    .is_waiting = a->sink->is_waiting,
					    .arg = a,
				    });
	for (size_t i = 0; i < n_points; i++)
		points_fini(&a->points[i], a->x);
	free(a->points);
	return r;
}

int answer(struct exec *x, const struct plan *p, bool is_by_labels, const struct promql_sink *sink,
	uint64_t *n_series)
{
	struct answering a = { .x = x, .plan = p, .sink = sink, .n_series = n_series };
	int r = find_final_labels(&a);
	if (r < 0)
		return r;
	find_groups(&a, is_by_labels);
	r = exec_check(x);
	return r == 0 ? give_groups(&a) : r;
}
