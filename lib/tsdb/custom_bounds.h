/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of custom bucket bounds: rising, without +Inf. n bounds make n + 1 buckets. */
#ifndef TSDB_CUSTOM_BOUNDS_H
#define TSDB_CUSTOM_BOUNDS_H

#include "lib/tsdb/bucket_cursor.h"

bool custom_bounds_are_equal(const double *a, uint32_t n_a, const double *b, uint32_t n_b);

/* Writes those that are in both to `out`, which may be a, and has room for the shorter one; returns how many. */
uint32_t custom_bounds_common(const double *a, uint32_t n_a, const double *b, uint32_t n_b, double *out);

/*
 * Adds `sign` times the cursor's buckets, whose bounds are these, to those that have only the `common` ones of them: counts[n_common + 1],
 * and what rounding takes to lost[n_common + 1].
 */
void custom_bounds_pour(struct bucket_cursor c, const double *bounds, uint32_t n, const double *common,
	uint32_t n_common, double sign, double *counts, double *lost);

#endif
