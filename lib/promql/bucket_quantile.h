/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiles and fractions of classic histograms: cumulative counts of observations at or below bounds (Prometheus' promql/quantile.go).
 * Within a bucket observations are taken to lie evenly; the first one begins at 0 where it ends above.
 */
#ifndef PROMQL_BUCKET_QUANTILE_H
#define PROMQL_BUCKET_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>

struct classic_bucket {
	double bound, count;
};

/* What had to be done so that counts don't fall from one bound to the next. */
struct bucket_fix {
	bool is_forced;         /* and not only what rounding explains */
	double lowest, highest; /* the bounds whose counts were raised, */
	double difference;      /* and the most by which */
};

/*
 * Buckets by rising bounds, n >= 1; they are changed. NaN where the last bound isn't +Inf, where there are no observations, of fewer than
 * two buckets, or for a NaN; -Inf below q = 0, +Inf above 1.
 */
double bucket_quantile(double q, struct classic_bucket *b, size_t n, struct bucket_fix *fix);

/* The share of observations between the two; 0 where lower >= upper. */
double bucket_fraction(double lower, double upper, struct classic_bucket *b, size_t n);

#endif
