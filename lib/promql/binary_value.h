/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a binary operator makes of values: two columns of floats at once, or one cell of each side, which may be a histogram
 * (Prometheus' vectorElemBinop and scalarBinop).
 */
#ifndef PROMQL_BINARY_VALUE_H
#define PROMQL_BINARY_VALUE_H

#include "lib/promql/cell.h"

/*
 * out[i] = l[i] op r[i], n of them. A comparison gives l[i], and whether it holds in holds[i], 1 or 0, which else isn't touched. None
 * of the arrays overlap. Not for trim and set operators.
 */
void binary_columns(
	enum binary_op op, uint32_t n, const double *l, const double *r, double *out, uint8_t *holds);

/* What is left of n cells of two columns that have floats alone: kind[i], and for a comparison with bool v[i]. */
void binary_kinds(const struct expr *e, uint32_t n, const uint8_t *l, const uint8_t *r, const uint8_t *holds,
	uint8_t *kind, double *v);

enum binary_outcome {
	BINARY_REFUSED, /* the two don't go together, which was annotated: as if they hadn't met */
	BINARY_DROPPED, /* a comparison that doesn't hold */
	BINARY_KEPT
};

/* An operator, cell by cell. Each annotation is added once, not once a cell. */
struct binary_cells {
	const struct expr *expr;
	struct exec *exec;
	atomic_uint said; /* a bit a message */
};

/*
 * The operator between two cells, neither of them CELL_NONE; a comparison gives l. In `out` is what was kept, whose histogram is the
 * caller's. From any thread.
 */
enum binary_outcome binary_cell(struct binary_cells *b, struct value l, struct value r, struct value *out);

static inline bool binary_op_is_trim(enum binary_op op)
{
	return op == OP_TRIM_UPPER || op == OP_TRIM_LOWER;
}

/* Whether the operator gives something else than what it was given, so that the name goes. */
bool binary_op_changes_metric(enum binary_op op);

#endif
