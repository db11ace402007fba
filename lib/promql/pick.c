/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/pick.h"

#include "lib/tsdb/float_histogram.h"

void pick_list_hold(struct pick_list *l, struct budget *budget, uint64_t histograms)
{
	l->histograms += histograms;
	uint64_t bytes = l->picks.cap * sizeof l->picks.data[0] + l->histograms;
	budget_take(budget, bytes - l->charged);
	l->charged = bytes;
}

void pick_lists_fini(struct pick_list *lists, size_t n, struct budget *budget)
{
	for (size_t k = 0; k < n; k++) {
		vec_each (p, &lists[k].picks)
			free((void *)(uintptr_t)p->cell.h);
		vec_fini(&lists[k].picks);
		budget_give(budget, lists[k].charged);
		lists[k].charged = lists[k].histograms = 0;
	}
}

static size_t gather(struct pick *out, struct pick_list *lists, size_t n)
{
	size_t at = 0;
	for (size_t k = 0; k < n; k++) {
		vec_each (p, &lists[k].picks)
			out[at++] = *p;
		vec_fini(&lists[k].picks);
	}
	return at;
}

static void give_rows(struct picks *p, struct arena *a, const uint32_t **rows)
{
	uint32_t *of = arena_alloc(a, p->n * sizeof *of);
	for (size_t i = 0; i < p->n; i++) {
		of[i] = p->all[i].row;
		p->all[i].row = (uint32_t)i;
	}
	p->n_rows = p->n;
	*rows = of;
}

/* Picks come step by step within a group, and a row is in one group: sorting by row alone, in which equals keep their order, is enough. */
static void sort_by_row(struct picks *p)
{
	struct pick *sorted = xmalloc(p->n * sizeof *sorted);
	for (size_t i = 0; i < p->n; i++)
		p->first[p->all[i].row + 1]++;
	for (size_t row = 0; row < p->n_rows; row++)
		p->first[row + 1] += p->first[row];
	for (size_t i = 0; i < p->n; i++)
		sorted[p->first[p->all[i].row]++] = p->all[i];
	for (size_t row = p->n_rows; row > 0; row--)
		p->first[row] = p->first[row - 1];
	p->first[0] = 0;
	free(p->all);
	p->all = sorted;
}

void picks_make(struct picks *p, struct arena *a, struct budget *budget, struct pick_list *lists, size_t n,
	size_t n_rows, bool in_order, const uint32_t **rows)
{
	*p = (struct picks){ .budget = budget, .n_rows = n_rows };
	for (size_t k = 0; k < n; k++)
		p->n += lists[k].picks.len;
	for (size_t k = 0; k < n; k++)
		p->held += lists[k].histograms;
	p->held += p->n * sizeof *p->all;
	budget_take(budget, p->held);
	p->all = xmalloc(p->n * sizeof *p->all);
	gather(p->all, lists, n);
	pick_lists_fini(lists, n, budget);
	if (in_order)
		give_rows(p, a, rows);
	p->first = arena_calloc(a, (p->n_rows + 1) * sizeof *p->first);
	sort_by_row(p);
}

void picks_fini(struct picks *p)
{
	budget_give(p->budget, p->held);
	for (size_t i = 0; i < p->n; i++)
		free((void *)(uintptr_t)p->all[i].cell.h);
	free(p->all);
	*p = (struct picks){ 0 };
}

void picks_row(const struct picks *p, struct worker *w, size_t i, struct row *out)
{
	for (size_t k = p->first[i]; k < p->first[i + 1]; k++) {
		struct value c = p->all[k].cell;
		if (c.kind == CELL_HISTOGRAM)
			c.h = float_histogram_copy(c.h);
		row_set_cell(w, out, p->all[k].step, c);
	}
}
