/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups of an aggregation, and how they are shared out: a small group is one piece of work, a large one is cut into runs of its rows,
 * whose results are put together in their order. Where is cut depends on the rows alone.
 */
#ifndef PROMQL_AGGREGATE_GROUPS_H
#define PROMQL_AGGREGATE_GROUPS_H

#include "lib/promql/label_groups.h"
#include "lib/promql/op.h"

/* rows[from] .. rows[to] of a group. */
struct aggregate_run {
	uint32_t group, from, to;
};

struct aggregate_groups {
	struct label_groups labels;
	struct group_rows rows;
	bool *drops_name; /* NULL: none does */
};

/* After the inner operator is open. All in the run's arena. */
void aggregate_groups_make(
	struct aggregate_groups *g, struct exec *x, const struct expr *e, const struct op *inner);

/*
 * Runs of those groups that are worth cutting (all groups if `even_small`), in order, no more than about `pieces` of them beyond one a group.
 * Returns how many.
 */
size_t aggregate_groups_cut(const struct aggregate_groups *g, struct arena *a, size_t pieces, bool even_small,
	struct aggregate_run **out);

/* Rows and how many of them are in a group. */
static inline const uint32_t *aggregate_group_rows(const struct aggregate_groups *g, uint32_t group)
{
	return &g->rows.rows[g->rows.first[group]];
}

/*
 * Calls fn with each row of a run, in order, until it returns a failure, or 1: enough. The row is gone afterwards but for what fn took of its
 * histograms.
 */
int aggregate_each(const struct aggregate_groups *g, struct aggregate_run run, struct op *inner,
	struct worker *w, int (*fn)(void *arg, struct worker *w, uint32_t i, struct row *row), void *arg);

#endif
