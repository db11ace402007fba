/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended range selectors: `anchored` takes the sample before a window as its left end, `smoothed` interpolates what lies at the
 * window's bounds, from samples up to the lookback beyond them. Nothing is extrapolated.
 */
#ifndef PROMQL_EXTENDED_RANGE_H
#define PROMQL_EXTENDED_RANGE_H

#include "lib/promql/range.h"
#include "lib/tsdb/histogram_sum.h"

/* rate, increase and delta over them: a kernel. */
int extended_rate(const struct range_series *s, struct row *out, bool is_counter, bool is_rate);

/* With the samples at the window's bounds put in or made up, as the answer shows it; of n > 0 samples at most n + 2. Returns how many. */
size_t extended_floats(const int64_t *t, const double *v, size_t n, int64_t start, int64_t end,
	bool is_smoothed, int64_t *out_t, double *out_v);

/* What lies at t between two samples; a counter that falls begins at zero. */
double interpolate(int64_t t0, double v0, int64_t t1, double v1, int64_t t, bool is_counter);

/*
 * The same of histograms, in sum, with the notes of range.h added to *notes; -EINVAL where exponential buckets meet custom ones.
 */
int interpolate_histograms(struct histogram_sum *sum, int64_t t0, const struct float_histogram *h0,
	int64_t t1, const struct float_histogram *h1, int64_t t, bool is_counter, unsigned *notes);

/* A smoothed instant selector: at each step what lies between the two samples around it. Takes `from`. */
struct op *smooth_new(const struct expr *selector, struct selected *from, const struct steps *steps,
	const struct lookup *at, int64_t lookback_ms, bool wants_stats);

#endif
