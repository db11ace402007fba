/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the planner share. *out of those that can fail is set only where they don't: 0, or -errno as plan_make has it. */
#ifndef PROMQL_PLANNER_H
#define PROMQL_PLANNER_H

#include "lib/base/vec.h"
#include "lib/promql/plan.h"

#define PLAN_STEPS_MAX 10000000 /* of a query or a subquery: a row of them is held in memory by each thread */

struct planner {
	const struct promql_options *o;
	const struct promql_query *q;
	int64_t lookback_ms,
		step_ms;  /* step: of the query or the subquery that is being built; 0: an instant query */
	const char *func; /* the function around it */
	VEC(struct selected *) selected; /* so far; borrowed */
	/* How many functions around it want no more of histograms than count and sum, and how many expressions need all of them. */
	unsigned wants_stats, needs_buckets;
	struct err *e;
};

/* The operator of an expression, at these steps. */
int plan_build(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out);

/* What drops names may have made label sets equal; takes op. Not where names go at the end: it is seen to there. */
struct op *plan_without_names(const struct planner *p, struct op *op);

/* plan_call.c */
int plan_call(struct planner *p, const struct expr *e, const struct steps *steps, struct op **out);

/* plan_range.c: of a range vector, a matrix selector or a subquery. */
int plan_range(struct planner *p, const struct expr *e, const struct steps *steps, struct range_input *out);

/* Whether selectors may leave the buckets of histograms out. */
static inline bool plan_wants_stats(const struct planner *p)
{
	return p->wants_stats && !p->needs_buckets;
}

/* plan_selector.c */
struct lookup plan_lookup(const struct planner *p, const struct range_modifiers *m);
/* When the first selector of an expression looks, the subqueries around it counted in. False: there is no selector. */
bool plan_lookup_of_first(const struct planner *p, const struct expr *e, struct lookup *out);
/* The series of a selector, which others may have found already. */
struct selected *plan_select(struct planner *p, const struct expr *selector, int64_t mint, int64_t maxt);
/* An instant vector selector: values, or SELECT_TIMES, SELECT_STARTS. */
struct op *plan_selector(
	struct planner *p, const struct expr *e, const struct steps *steps, enum select_what what);

#endif
