/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the tree to operators. What doesn't depend on the step is computed for one step (promql/engine.go: preprocessExprHelper), and
 * selectors that ask for the same in overlapping times share what they find.
 */
#ifndef PROMQL_PLAN_H
#define PROMQL_PLAN_H

#include "lib/base/err.h"
#include "lib/promql/promql.h"
#include "lib/promql/range.h"

/* What an expression becomes: one of the two, NULL in both where it is a string. */
struct plan {
	struct op *root;
	struct range_input *range; /* of an instant query: the range vector itself, at `steps` */
	struct steps steps;
	struct range_input range_;
};

/*
 * 0; -EINVAL: it can't be asked; -EDOM: upstream finds out when it runs. The tree must outlive the plan. A range query has been checked
 * to be of a scalar or a vector.
 */
int plan_make(const struct expr *e, const struct promql_options *o, const struct promql_query *q,
	struct plan *out, struct err *error);
void plan_fini(struct plan *p);

#endif
