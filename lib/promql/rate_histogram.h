/* SPDX-License-Identifier: Apache-2.0 */
/* What rate, increase and delta make of one window that holds histograms. */
#ifndef PROMQL_RATE_HISTOGRAM_H
#define PROMQL_RATE_HISTOGRAM_H

#include "lib/promql/range.h"
#include "lib/tsdb/histogram_sum.h"

/* `sum` is for working in. */
void rate_of_histograms(const struct range_series *s, struct histogram_sum *sum, struct row *out, uint32_t i,
	bool is_counter, bool is_rate);

#endif
