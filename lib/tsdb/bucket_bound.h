/* SPDX-License-Identifier: Apache-2.0 */
/* Where the buckets of exponential histograms end. */
#ifndef TSDB_BUCKET_BOUND_H
#define TSDB_BUCKET_BOUND_H

#include <stdint.h>

/*
 * The upper bound of a positive bucket, -9 <= schema <= 8: 2^(number * 2^-schema), 0 or infinite where that is no double. The bucket
 * that ends at 2^1024 ends at DBL_MAX instead: infinite observations stand in the one after it.
 */
double bucket_bound(int32_t schema, int32_t number);

#endif
