/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/op.h"

struct row row_new(struct worker *w, uint32_t n)
{
	return (struct row){
		.v = arena_alloc(w->scratch, n * sizeof(double)),
		.kind = arena_calloc(w->scratch, n),
		.n = n,
	};
}

void row_histograms(struct worker *w, struct row *r)
{
	r->h = arena_calloc(w->scratch, r->n * sizeof(r->h[0]));
	r->budget = w->exec->budget;
}

void row_fini(struct row *r)
{
	for (uint32_t i = 0; r->h && i < r->n; i++)
		free((void *)(uintptr_t)r->h[i]);
	r->h = NULL;
	budget_give(r->budget, r->held);
	r->held = 0;
}
