/* SPDX-License-Identifier: Apache-2.0 */
/* Where observations stand in a histogram, native or classic: quantiles, and the fraction between two values. */
#ifndef PROMQL_HISTOGRAM_POSITION_H
#define PROMQL_HISTOGRAM_POSITION_H

#include "lib/promql/op.h"

enum histogram_position { POSITION_FRACTION, POSITION_QUANTILE, POSITION_QUANTILES };

/* As histogram_function_new. */
struct op *histogram_position_new(
	const struct expr *call, enum histogram_position position, struct op **args, size_t n);

#endif
