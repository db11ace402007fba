/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rows a join has, known from labels alone. The many side is the left one, or the right one of a one-to-many; of a one-to-one it
 * is the left one, with no more than one sample a match group at any step.
 *
 * A row of the join has the labels that a row of the many side gets, which depend on the one side's row only where labels are included
 * (group_left(...), group_right(...)). fill_left() stands for missing samples of the many side and fill_right() for those of the one side,
 * even where that is the left one: so it is upstream.
 */
#ifndef PROMQL_JOIN_PLAN_H
#define PROMQL_JOIN_PLAN_H

#include "lib/promql/match.h"

#define JOIN_SEVERAL UINT32_MAX
#define JOIN_NO_ROW  UINT32_MAX

struct join_row {
	uint32_t group; /* match group */
	uint32_t
		only; /* made of this row of the many side with the group's one row alone, else JOIN_SEVERAL */
};

/* A row of the many side with a row of the one side that has these included labels gives this row. */
struct join_part {
	uint32_t included, row;
};

struct join_plan {
	const struct match_side *many, *one;
	bool is_swapped, is_one_to_one;

	struct join_row *rows;
	struct label_set *labels; /* of each */
	uint32_t n_rows, cap;
	uint32_t *rows_of_group; /* how many */

	uint32_t *included; /* of each row of the one side: the number of its included labels */
	struct join_part *parts;
	struct join_parts {
		uint32_t first, n;
	} * parts_of;     /* of each row of the many side */
	uint32_t *filled; /* the row that m gives with fill_right(), or NULL */
	uint32_t *lonely; /* the row that a row of the one side gives with fill_left(), or NULL */
};

/* All in the run's arena. 0, or -errno with exec_fail called: too much memory. */
int join_plan_make(struct join_plan *p, struct exec *x, const struct expr *e, const struct match *m);

static inline uint32_t join_plan_rows_of(const struct join_plan *p, uint32_t group)
{
	return p->rows_of_group[group];
}

/* Which row rows m of the many side and o of the one side give. */
uint32_t join_plan_row(const struct join_plan *p, uint32_t m, uint32_t o);

static inline uint32_t join_plan_filled_row(const struct join_plan *p, uint32_t m)
{
	return p->filled[m];
}

static inline uint32_t join_plan_lonely_row(const struct join_plan *p, uint32_t o)
{
	return p->lonely[o];
}

/* Whether row m of the many side has a part in this row. */
bool join_plan_gives(const struct join_plan *p, uint32_t m, uint32_t row);

#endif
