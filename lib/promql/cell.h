/* SPDX-License-Identifier: Apache-2.0 */
/* One cell of a row, where rows aren't computed by whole columns. */
#ifndef PROMQL_CELL_H
#define PROMQL_CELL_H

#include "lib/promql/op.h"

struct value {
	enum cell kind;
	double v;
	const struct float_histogram *h; /* of CELL_HISTOGRAM */
};

/* Borrows the histogram. */
static inline struct value row_cell(const struct row *r, uint32_t i)
{
	return (struct value){ r->kind[i], r->v[i], r->kind[i] == CELL_HISTOGRAM ? r->h[i] : NULL };
}

static inline struct value float_cell(double v)
{
	return (struct value){ CELL_FLOAT, v, NULL };
}

/* Takes the histogram. */
static inline void row_set_cell(struct worker *w, struct row *r, uint32_t i, struct value c)
{
	if (c.kind == CELL_HISTOGRAM)
		row_set_histogram(w, r, i, c.h);
	else if (c.kind == CELL_FLOAT)
		row_set(r, i, c.v);
}

/* Leaves the cell empty. */
static inline void row_drop(struct row *r, uint32_t i)
{
	if (r->kind[i] == CELL_HISTOGRAM)
		free((void *)(uintptr_t)take(r->h[i]));
	r->kind[i] = CELL_NONE;
}

#endif
