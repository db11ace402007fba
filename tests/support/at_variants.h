/* SPDX-License-Identifier: Apache-2.0 */
/* Queries that mean the same whenever they are asked: with @ behind every selector and subquery that has none. */
#ifndef TESTS_AT_VARIANTS_H
#define TESTS_AT_VARIANTS_H

#include "lib/promql/promql.h"

/*
 * Appends the query with "@ at_ms" wherever it can be put. False: there is no such query, because one of its functions looks at the time
 * it is asked for, or it doesn't parse.
 */
bool at_variant(struct text query, const struct promql_features *f, int64_t at_ms, struct buf *out);

#endif
