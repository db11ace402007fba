/* SPDX-License-Identifier: Apache-2.0 */
/* The values of durations that are expressions, which depend on the query's range and step (Prometheus' promql/durations.go). */
#ifndef PROMQL_DURATION_EXPR_H
#define PROMQL_DURATION_EXPR_H

#include "lib/base/buf.h"
#include "lib/promql/ast.h"

/*
 * Sets range_ms, step_ms and offset_ms everywhere in the tree where there is an expression for them; the expressions stay, so another
 * run may set others. All times are ms; an instant query has start == end and step 0. 0, or -EINVAL with upstream's words appended:
 * "5:9: division by zero", where 5 and 9 are the first and the last byte.
 */
int duration_exprs_evaluate(
	struct expr *e, int64_t start_ms, int64_t end_ms, int64_t step_ms, struct buf *error);

#endif
