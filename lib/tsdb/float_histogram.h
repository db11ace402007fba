/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A native histogram sample with absolute float counts, and its arithmetic: what Prometheus' model/histogram/float_histogram.go has.
 * Bucket i of schema n >= -4 holds (base^(i-1), base^i] with base = 2^(2^-n); schema -53 has custom bounds, bucket i ends at custom[i],
 * the last one at +Inf, and there are neither negative nor zero buckets.
 *
 * One block of memory each: free() is enough. Who is given a `const` pointer may share it, never change it.
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

/* Sample i of a decoded chunk. */
struct float_histogram *float_histogram_of_chunk(const struct histogram_chunk *c, size_t i);

#endif
