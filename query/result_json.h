/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series of an answer as the HTTP API prints them (web/api/v1/json_codec.go, util/jsonutil): times as seconds with as many of three
 * decimals as they need, values as strings.
 */
#ifndef QUERY_RESULT_JSON_H
#define QUERY_RESULT_JSON_H

#include "lib/promql/promql.h"

/* Each appends. */
void result_json_point(struct buf *out, int64_t t, double v); /* [1435781430.781,"1"] */

/* The same for scalars and strings, whose times have no zeros at the end, and whose values never an exponent. */
void result_json_scalar(struct buf *out, int64_t t, double v);
void result_json_string(struct buf *out, int64_t t, struct text value);

/* What stands behind "metric":{...} of a vector's series: "value":[...] or "histogram":[...]. Of a matrix's: "values" and "histograms". */
void result_json_sample(struct buf *out, const struct promql_series *s);

/* Calls `flush` every few hundred points: a series may be longer than there is memory for its text. 0, or what that failed with. */
int result_json_points(struct buf *out, const struct promql_series *s, int (*flush)(void *arg), void *arg);

#endif
