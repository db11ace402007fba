/* SPDX-License-Identifier: Apache-2.0 */
/* The aggregations that need more than a few columns a group. Each as aggregate_new. */
#ifndef PROMQL_AGGREGATE_KINDS_H
#define PROMQL_AGGREGATE_KINDS_H

#include "lib/promql/op.h"

struct op *aggregate_k_new(
	const struct expr *e, struct op *inner, struct op *param); /* topk, bottomk, limitk */
struct op *aggregate_ratio_new(const struct expr *e, struct op *inner, struct op *param); /* limit_ratio */
struct op *aggregate_quantile_new(const struct expr *e, struct op *inner, struct op *param);
struct op *aggregate_values_new(const struct expr *e, struct op *inner); /* count_values */

void aggregate_explain(const struct op *op, struct buf *out);

#endif
