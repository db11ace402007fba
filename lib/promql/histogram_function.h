/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of histograms: histogram_avg, _count, _fraction, _quantile, _quantiles, _stddev, _stdvar and _sum. */
#ifndef PROMQL_HISTOGRAM_FUNCTION_H
#define PROMQL_HISTOGRAM_FUNCTION_H

#include "lib/promql/op.h"

bool histogram_function_is(const struct function *f);

/* Takes args, one of each argument of the call, n of them; NULL where that is a string. */
struct op *histogram_function_new(const struct expr *call, struct op **args, size_t n);

#endif
