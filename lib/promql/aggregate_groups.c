/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/aggregate_groups.h"

#define RUN_ROWS_MIN 16u /* shorter runs aren't worth a hand over */

void aggregate_groups_make(
	struct aggregate_groups *g, struct exec *x, const struct expr *e, const struct op *inner)
{
	struct label_choice by = {
		.names = e->aggregate.labels,
		.n_names = e->aggregate.n_labels,
		.is_without = e->aggregate.is_without,
		.drops_name = e->aggregate.is_without,
	};
	*g = (struct aggregate_groups){ .labels = { .arena = x->arena } };
	uint32_t *of = label_groups_of(&g->labels, &by, inner->labels, inner->n_rows);
	g->rows = group_rows_of(x->arena, of, inner->n_rows, g->labels.n);
	if (!inner->drops_name)
		return;
	g->drops_name = arena_calloc(x->arena, g->labels.n * sizeof *g->drops_name);
	for (size_t i = 0; i < inner->n_rows; i++)
		g->drops_name[of[i]] |= inner->drops_name[i];
}

size_t aggregate_groups_cut(const struct aggregate_groups *g, struct arena *a, size_t pieces, bool even_small,
	struct aggregate_run **out)
{
	uint32_t n_groups = g->labels.n, n_rows = g->rows.first[n_groups];
	uint32_t length = MAX_OF(n_rows / (uint32_t)pieces, RUN_ROWS_MIN);
	struct aggregate_run *runs = arena_alloc(a, (n_groups + n_rows / length + 1ul) * sizeof *runs);
	size_t n = 0;
	for (uint32_t k = 0; k < n_groups; k++) {
		uint32_t rows = group_rows_count(&g->rows, k);
		bool is_small = rows <= 2 * length;
		if (is_small && !even_small)
			continue;
		for (uint32_t from = 0; from < rows;) {
			uint32_t to = is_small ? rows : MIN_OF(from + length, rows);
			runs[n++] = (struct aggregate_run){ k, from, to };
			from = to;
		}
	}
	*out = runs;
	return n;
}

int aggregate_each(const struct aggregate_groups *g, struct aggregate_run run, struct op *inner,
	struct worker *w, int (*fn)(void *arg, struct worker *w, uint32_t i, struct row *row), void *arg)
{
	const uint32_t *rows = aggregate_group_rows(g, run.group);
	int r = 0;
	for (uint32_t k = run.from; k < run.to && r == 0; k++) {
		r = exec_check(w->exec);
		if (r < 0)
			break;
		struct arena_mark mark = arena_mark(w->scratch);
		struct row row = row_new(w, inner->steps.n);
		r = op_row(inner, w, rows[k], &row);
		if (r == 0)
			r = fn(arg, w, rows[k], &row);
		row_fini(&row);
		arena_release(w->scratch, mark);
	}
	return MIN_OF(r, 0);
}
