/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggregations (Prometheus' rangeEvalAgg). Which rows make up which group is known from labels when one is opened. Results depend on the
 * order of a group's rows at most, never on how many threads there are.
 */
#ifndef PROMQL_AGGREGATE_H
#define PROMQL_AGGREGATE_H

#include "lib/promql/op.h"

/* For an expression of kind EXPR_AGGREGATE. Takes both; param is a scalar, or NULL where there is none or it is count_values' string. */
struct op *aggregate_new(const struct expr *e, struct op *inner, struct op *param);

#endif
