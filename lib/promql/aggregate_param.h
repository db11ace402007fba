/* SPDX-License-Identifier: Apache-2.0 */
/* The number that topk, quantile and the like are given, which may be another one at each step. */
#ifndef PROMQL_AGGREGATE_PARAM_H
#define PROMQL_AGGREGATE_PARAM_H

#include "lib/promql/op.h"

struct aggregate_param {
	double *v;       /* a step each; in the run's arena */
	double min, max; /* NaN where one of them is */
};

/* The operator is prepared, and this is called where exec_rows may be. */
int aggregate_param_read(struct aggregate_param *p, struct exec *x, struct op *param);

/*
 * Whether it can be a number of rows, at any step: 1, 0: there is nothing to do, or -errno with exec_fail called. Then aggregate_param_count
 * is how many, of `rows` at most.
 */
int aggregate_param_check_count(const struct aggregate_param *p, struct exec *x);

static inline uint32_t aggregate_param_count(double v, size_t rows)
{
	return v < 1 ? 0 : v < (double)rows ? (uint32_t)v : (uint32_t)rows;
}

/* The same for a ratio from -1 to 1; a larger one is warned of. */
int aggregate_param_check_ratio(const struct aggregate_param *p, struct exec *x, const struct expr *param);

/* Warns where it is no quantile. */
void aggregate_param_check_quantile(
	const struct aggregate_param *p, struct exec *x, const struct expr *param);

#endif
