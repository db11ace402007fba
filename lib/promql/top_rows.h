/* SPDX-License-Identifier: Apache-2.0 */
/* What topk and bottomk pick: at each step of each group the k best. */
#ifndef PROMQL_TOP_ROWS_H
#define PROMQL_TOP_ROWS_H

#include "lib/promql/aggregate_groups.h"
#include "lib/promql/aggregate_param.h"
#include "lib/promql/pick.h"

/* Into a list a group, at each step from the best to the worst. May be called where exec_rows may be. */
int top_rows_pick(const struct expr *e, struct exec *x, const struct aggregate_groups *groups,
	struct op *inner, const struct aggregate_param *k, struct pick_list *lists);

#endif
