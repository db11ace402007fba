/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of rows get heaps of their own, one a step, which are then put together in the order of the runs. */
#include "lib/promql/top_rows.h"

#include "lib/promql/top_heap.h"

#define PIECES 32u

/* A heap a step. */
struct heaps {
	uint32_t n_rows; /* that there can be at most */
	uint32_t room;   /* of each */
	uint32_t *n, *k; /* how many are in it, and may be */
	struct top_entry *e;
};

struct top_rows {
	const struct expr *expr;
	struct exec *exec;
	const struct aggregate_groups *groups;
	struct op *inner;
	const struct aggregate_param *k;
	bool wants_greatest;
	uint32_t n_steps;
	struct aggregate_run *runs;
	size_t n_runs;
	struct heaps *heaps; /* of each run */
	uint32_t *first_run; /* of each group */
	struct pick_list *lists;
};

static size_t bytes_of(const struct heaps *h, uint32_t n_steps)
{
	return n_steps * (sizeof h->n[0] + sizeof h->k[0] + (size_t)h->room * sizeof h->e[0]);
}

static int heaps_new(const struct top_rows *t, uint32_t n_rows, struct heaps *out)
{
	struct heaps h = { .n_rows = n_rows, .room = aggregate_param_count(t->k->max, n_rows) };
	int r = exec_need(t->exec, bytes_of(&h, t->n_steps));
	if (r < 0)
		return r;
	h.n = xcalloc(t->n_steps, sizeof h.n[0]);
	h.k = xcalloc(t->n_steps, sizeof h.k[0]);
	for (uint32_t s = 0; s < t->n_steps; s++)
		h.k[s] = aggregate_param_count(t->k->v[s], n_rows);
	h.e = xmalloc((size_t)t->n_steps * h.room * sizeof h.e[0]);
	budget_take(t->exec->budget, bytes_of(&h, t->n_steps));
	*out = h;
	return 0;
}

static void heaps_free(const struct top_rows *t, struct heaps *h)
{
	if (!h->n)
		return;
	budget_give(t->exec->budget, bytes_of(h, t->n_steps));
	free(h->n);
	free(h->k);
	free(h->e);
	*h = (struct heaps){ 0 };
}

/* Most are no better than the worst that is kept. */
static inline void push(const struct top_rows *t, struct heaps *h, uint32_t step, struct top_entry new)
{
	uint32_t k = h->k[step];
	struct top_entry *e = &h->e[(size_t)step * h->room];
	if (k && (h->n[step] < k || !(t->wants_greatest ? e->v >= new.v : e->v <= new.v)))
		top_heap_push(e, &h->n[step], k, t->wants_greatest, new);
}

struct filling {
	struct top_rows *top;
	struct heaps *heaps;
};

static int push_row(void *arg, struct worker *w, uint32_t i, struct row *row)
{
	struct filling *f = arg;
	struct top_rows *t = f->top;
	bool has_ignored = false;
	for (uint32_t s = 0; s < t->n_steps; s++) {
		if (row->kind[s] == CELL_FLOAT)
			push(t, f->heaps, s, (struct top_entry){ row->v[s], i });
		else if (row->kind[s] == CELL_HISTOGRAM)
			has_ignored |= f->heaps->k[s] > 0;
	}
	if (has_ignored)
		annotations_add(w->exec->annotations, ANNOTATION_INFO, t->expr->span,
			"ignored histogram in %s aggregation", aggregate_op_text(t->expr->aggregate.op));
	return 0;
}

static int push_run(void *arg, struct worker *w, size_t i)
{
	struct top_rows *t = arg;
	int r = heaps_new(t, t->runs[i].to - t->runs[i].from, &t->heaps[i]);
	if (r < 0)
		return r;
	struct filling f = { t, &t->heaps[i] };
	return aggregate_each(t->groups, t->runs[i], t->inner, w, push_row, &f);
}

static int by_row(const void *pa, const void *pb)
{
	const struct top_entry *a = pa, *b = pb;
	return (a->row > b->row) - (a->row < b->row);
}

/* Into the heaps of the group's first run, which get room for it. */
static int put_together(struct top_rows *t, uint32_t group)
{
	uint32_t first = t->first_run[group], n_rows = group_rows_count(&t->groups->rows, group);
	if (t->heaps[first].n_rows == n_rows)
		return 0;
	struct heaps all;
	int failed = heaps_new(t, n_rows, &all);
	if (failed < 0)
		return failed;
	for (size_t r = first; r < t->n_runs && t->runs[r].group == group; r++) {
		struct heaps *h = &t->heaps[r];
		for (uint32_t s = 0; s < t->n_steps && failed == 0; s++) {
			struct top_entry *e = &h->e[(size_t)s * h->room];
			if (h->n[s])
				qsort(e, h->n[s], sizeof *e, by_row);
			for (uint32_t i = 0; i < h->n[s]; i++)
				push(t, &all, s, e[i]);
			failed = interrupt_after(50ul * h->n[s]);
		}
		heaps_free(t, h);
	}
	t->heaps[first] = all;
	return failed;
}

static int pick_group(void *arg, struct worker *w, size_t i)
{
	struct top_rows *t = arg;
	(void)w;
	int r = put_together(t, (uint32_t)i);
	struct heaps *h = &t->heaps[t->first_run[i]];
	for (uint32_t s = 0; s < t->n_steps && r == 0; s++) {
		struct top_entry *e = &h->e[(size_t)s * h->room];
		top_heap_sort(e, h->n[s], t->wants_greatest);
		for (uint32_t k = 0; k < h->n[s]; k++)
			vec_push(&t->lists[i].picks, (struct pick){ e[k].row, s, float_cell(e[k].v) });
		pick_list_hold(&t->lists[i], t->exec->budget, 0);
		r = interrupt_after(50ul * h->n[s]);
	}
	heaps_free(t, h);
	return r;
}

int top_rows_pick(const struct expr *e, struct exec *x, const struct aggregate_groups *groups,
	struct op *inner, const struct aggregate_param *k, struct pick_list *lists)
{
	uint32_t n_groups = groups->labels.n;
	struct top_rows t = {
		.expr = e,
		.exec = x,
		.groups = groups,
		.inner = inner,
		.k = k,
		.wants_greatest = e->aggregate.op == AGG_TOPK,
		.n_steps = inner->steps.n,
		.lists = lists,
		.first_run = arena_alloc(x->arena, n_groups * sizeof *t.first_run),
	};
	t.n_runs = aggregate_groups_cut(groups, x->arena, PIECES, true, &t.runs);
	t.heaps = arena_calloc(x->arena, t.n_runs * sizeof *t.heaps);
	for (size_t r = t.n_runs; r-- > 0;)
		t.first_run[t.runs[r].group] = (uint32_t)r;
	int r = exec_rows(x, t.n_runs, push_run, &t);
	if (r == 0)
		r = exec_rows(x, n_groups, pick_group, &t);
	for (size_t i = 0; i < t.n_runs; i++)
		heaps_free(&t, &t.heaps[i]);
	return r;
}
