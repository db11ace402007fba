/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernel a function over ranges is. */
#include "lib/promql/range_kernels.h"

static const struct range_kernel kernels[] = {
	/* The engine turns what is present into what is absent. */
	{ "absent_over_time", range_present, 0 },
	{ "avg_over_time", range_avg, 0 },
	{ "changes", range_changes, RANGE_ANCHORED },
	{ "count_over_time", range_count, 0 },
	{ "delta", range_delta, RANGE_ANCHORED | RANGE_SMOOTHED },
	{ "deriv", range_deriv, 0 },
	{ "double_exponential_smoothing", range_smoothing, 0 },
	{ "first_over_time", range_first, RANGE_KEEPS_NAME },
	{ "idelta", range_idelta, 0 },
	{ "increase", range_increase, RANGE_IS_COUNTER | RANGE_ANCHORED | RANGE_SMOOTHED | RANGE_STARTS },
	{ "irate", range_irate, RANGE_STARTS },
	{ "last_over_time", range_last, RANGE_KEEPS_NAME },
	{ "mad_over_time", range_mad, 0 },
	{ "max_over_time", range_max, 0 },
	{ "min_over_time", range_min, 0 },
	{ "predict_linear", range_predict_linear, 0 },
	{ "present_over_time", range_present, 0 },
	{ "quantile_over_time", range_quantile, 0 },
	{ "rate", range_rate, RANGE_IS_COUNTER | RANGE_ANCHORED | RANGE_SMOOTHED | RANGE_STARTS },
	{ "resets", range_resets, RANGE_ANCHORED | RANGE_STARTS },
	{ "stddev_over_time", range_stddev, 0 },
	{ "stdvar_over_time", range_stdvar, 0 },
	{ "sum_over_time", range_sum, 0 },
	{ "ts_of_first_over_time", range_ts_of_first, 0 },
	{ "ts_of_last_over_time", range_ts_of_last, 0 },
	{ "ts_of_max_over_time", range_ts_of_max, 0 },
	{ "ts_of_min_over_time", range_ts_of_min, 0 },
};

const struct range_kernel *range_kernel_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
		if (strcmp(kernels[i].name, name) == 0)
			return &kernels[i];
	return NULL;
}
