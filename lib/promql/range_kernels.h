/* SPDX-License-Identifier: Apache-2.0 */
/* What functions over ranges compute, by file; the table that names them is in range_functions.c. */
#ifndef PROMQL_RANGE_KERNELS_H
#define PROMQL_RANGE_KERNELS_H

#include "lib/promql/range.h"

/* rate.c */
range_kernel_fn range_rate, range_increase, range_delta, range_irate, range_idelta;

/* over_time.c */
range_kernel_fn range_count, range_present, range_sum, range_avg, range_min, range_max, range_first,
	range_last;
range_kernel_fn range_ts_of_first, range_ts_of_last, range_ts_of_min, range_ts_of_max;

/* spread.c */
range_kernel_fn range_stddev, range_stdvar, range_quantile, range_mad;

/* regression.c */
range_kernel_fn range_deriv, range_predict_linear, range_smoothing;

/* range_changes.c */
range_kernel_fn range_changes, range_resets;

/* By a function's name; NULL: not a function over ranges. */
const struct range_kernel *range_kernel_find(const char *name);

#endif
