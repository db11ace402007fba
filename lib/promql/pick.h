/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells that were picked from rows of an operator, group by group in no order of rows, to be given out by row: what topk, bottomk and limitk
 * keep.
 */
#ifndef PROMQL_PICK_H
#define PROMQL_PICK_H

#include "lib/base/vec.h"
#include "lib/promql/cell.h"

struct pick {
	uint32_t row, step;
	struct value cell; /* its histogram is owned */
};

/* What one thread picked; to be handed in. */
struct pick_list {
	VEC(struct pick) picks;
	uint64_t charged, histograms; /* bytes: what the run was charged for; of these, histograms */
};

/* After some were added, with so many bytes of histograms: charges the run. */
void pick_list_hold(struct pick_list *l, struct budget *budget, uint64_t histograms);

/* Instead of handing them in. */
void pick_lists_fini(struct pick_list *lists, size_t n, struct budget *budget);

struct picks {
	struct budget *budget;
	struct pick *all; /* sorted by row, those of a row in the order of their steps */
	size_t n;
	uint64_t held; /* bytes */
	size_t *first; /* of each row; n_rows + 1 */
	size_t n_rows;
};

/*
 * Takes the lists. Rows that weren't picked are there, empty. Where `in_order`, which is for instant queries, each pick has a row of its own
 * in the order of the lists: *rows is which row of the operator it was.
 */
void picks_make(struct picks *p, struct arena *a, struct budget *budget, struct pick_list *lists, size_t n,
	size_t n_rows, bool in_order, const uint32_t **rows);
void picks_fini(struct picks *p);

void picks_row(const struct picks *p, struct worker *w, size_t i, struct row *out);

#endif
