/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A native histogram sample with absolute float counts (Prometheus' model/histogram/float_histogram.go). Bucket i of schema n >= -4
 * holds (base^(i-1), base^i] with base = 2^(2^-n); schema -53 has custom bounds, bucket i ends at custom[i], the last one at +Inf,
 * and there are neither negative nor zero buckets.
 *
 * One block of memory each: free() is enough. Who is given a `const` pointer may share it, never change it.
 *
 * This page: what they are made of, comparison, and sums of two. histogram_sum.h adds up many; histogram_average.h has means,
 * bucket_walk.h the buckets in order, histogram_estimate.h quantiles and the like, histogram_text.h how they are printed.
 */
#ifndef TSDB_FLOAT_HISTOGRAM_H
#define TSDB_FLOAT_HISTOGRAM_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/tsdb/histogram.h"

#include <stdbool.h>
#include <stdint.h>

#define HISTOGRAM_CUSTOM_SCHEMA (-53)
#define HISTOGRAM_MIN_SCHEMA    (-4)
#define HISTOGRAM_MAX_SCHEMA    8

enum reset_hint { RESET_UNKNOWN, RESET_YES, RESET_NO, RESET_GAUGE };

struct float_histogram {
	enum reset_hint reset_hint;
	int32_t schema;
	double zero_threshold, zero_count, count, sum; /* a stale sample: sum is the stale marker's bits */
	/* A span's offset is from the end of the one before it, the first one's from bucket 0. */
	struct histogram_span *positive_spans, *negative_spans;
	uint32_t n_positive_spans, n_negative_spans;
	double *positive, *negative; /* the buckets that the spans name */
	uint32_t n_positive, n_negative;
	double *custom; /* upper bounds, rising, without +Inf */
	uint32_t n_custom;
};

/* A new one with room as `shape` says in its n_ fields and everything else copied from it but for the arrays, which are zero. */
struct float_histogram *float_histogram_new(const struct float_histogram *shape);
struct float_histogram *float_histogram_copy(const struct float_histogram *h);
size_t float_histogram_bytes(const struct float_histogram *h); /* what it takes of memory */

/*
 * Sample i of a decoded chunk. Its reset hint: a gauge's, RESET_NO behind a counter chunk's first sample, else unknown, because the
 * chunk before may be gone. Schemas above 8 are reduced. Of a stale sample only the sum is set.
 */
struct float_histogram *float_histogram_of_chunk(const struct histogram_chunk *c, size_t i);

static inline bool float_histogram_is_custom(const struct float_histogram *h)
{
	return h->schema == HISTOGRAM_CUSTOM_SCHEMA;
}

bool float_histogram_is_stale(const struct float_histogram *h);

/*
 * The same buckets, even empty ones, with the same bits in every number; reset hints don't count. (The operators == and !=, on compacted
 * histograms.)
 */
bool float_histogram_is_equal(const struct float_histogram *a, const struct float_histogram *b);

/* The same buckets, with numbers that is_almost (almost.h) takes for the same. */
bool float_histogram_is_near(
	const struct float_histogram *a, const struct float_histogram *b, double epsilon);

/* -EINVAL, in upstream's words, where spans, buckets and bounds don't fit together or a count is negative. */
int float_histogram_check(const struct float_histogram *h, struct err *e);

/*
 * Whether a counter was reset between the two: h's hint says so, or doesn't say and a count fell, a populated bucket is gone, or the
 * resolution rose.
 */
bool float_histogram_is_reset(const struct float_histogram *h, const struct float_histogram *previous);

/*
 * a + b and a - b, compacted; for others see histogram_sum.h, which has the rules and the flags, given in *noted. NULL where one of
 * them has exponential and the other custom buckets.
 */
struct float_histogram *float_histogram_add(
	const struct float_histogram *a, const struct float_histogram *b, int *noted);
struct float_histogram *float_histogram_sub(
	const struct float_histogram *a, const struct float_histogram *b, int *noted); /* a gauge */

/* Compacted, too. */
struct float_histogram *float_histogram_mul(const struct float_histogram *h, double factor);
struct float_histogram *float_histogram_div(const struct float_histogram *h, double by);

/* The operators </ (keeps_below) and >/, which compact only what they have cut. */
struct float_histogram *float_histogram_trim(const struct float_histogram *h, double at, bool keeps_below);

#endif
