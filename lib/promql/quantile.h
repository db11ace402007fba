/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of a handful of numbers, as promql/quantile.go has them. */
#ifndef PROMQL_QUANTILE_H
#define PROMQL_QUANTILE_H

#include <stddef.h>

/*
 * Interpolated between the two nearest ranks; NaNs count as the smallest. -Inf for q < 0, +Inf for q > 1, NaN for q NaN or n 0.
 * Puts v into another order.
 */
double quantile_of(double q, double *v, size_t n);

#endif
