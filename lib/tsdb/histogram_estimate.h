/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a native histogram lets one say of the observations in it (Prometheus' promql/quantile.go). Within a bucket they are taken to
 * lie evenly on a logarithmic scale, on a linear one in custom buckets and in the zero bucket, which ends at 0 where the histogram has
 * buckets on its other side only.
 */
#ifndef TSDB_HISTOGRAM_ESTIMATE_H
#define TSDB_HISTOGRAM_ESTIMATE_H

#include "lib/tsdb/bucket_walk.h"

enum histogram_nan_note {
	NAN_NONE,
	NAN_RESULT,  /* NaN observations stand where the quantile does */
	NAN_SKEW,    /* there are some, which count as larger than all others */
	NAN_LEFT_OUT /* there are some, which are in no fraction */
};

/* NaN of no observations or for a NaN, -Inf below q = 0, +Inf above 1. */
double histogram_quantile(const struct float_histogram *h, double q, enum histogram_nan_note *note);

/* The share of observations between the two. NaN of no observations or for a NaN; 0 where lower >= upper. */
double histogram_fraction(
	const struct float_histogram *h, double lower, double upper, enum histogram_nan_note *note);

/* The variance, every observation taken to lie in the middle of its bucket: the geometric one, or in custom buckets the arithmetic. */
double histogram_variance(const struct float_histogram *h);

/* The share of a bucket's observations that lie at or below v, for lower < v < upper, neither infinite. */
double histogram_bucket_share(const struct histogram_bucket *b, double v, bool is_linear);

#endif
