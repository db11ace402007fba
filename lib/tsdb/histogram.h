/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native histogram chunks, integer and float (Prometheus' tsdb/chunkenc/histogram.go, float_histogram.go and
 * tsdb/docs/format/chunks.md): decoded into columns, and encoded again from any choice of samples.
 */
#ifndef TSDB_HISTOGRAM_H
#define TSDB_HISTOGRAM_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/tsdb/xor.h"

#include <stdbool.h>
#include <stdint.h>

/* The counter reset header: the top two bits of a chunk's third byte. */
enum histogram_header {
	HISTOGRAM_UNKNOWN_RESET = 0x00,
	HISTOGRAM_NOT_RESET = 0x40,
	HISTOGRAM_RESET = 0x80,
	HISTOGRAM_GAUGE = 0xc0
};

struct histogram_span {
	int32_t offset;
	uint32_t length;
};

/* What all samples of one chunk share. */
struct histogram_layout {
	int32_t schema; /* -53: custom bounds */
	double zero_threshold;
	struct histogram_span *positive, *negative;
	uint32_t n_positive, n_negative; /* spans */
	uint32_t positive_buckets, negative_buckets;
	double *custom;
	uint32_t n_custom;
};

/*
 * A decoded chunk. Sample i: t[i], sum[i] (bits of a double), count[i], zero_count[i] and the absolute (not delta) bucket
 * counts buckets[i * (positive + negative)...], positive first. Integer chunks hold uint64 counts (buckets int64),
 * float chunks the bits of doubles. A stale sample has sum == STALE_NAN_BITS and nothing else that counts.
 */
struct histogram_chunk {
	bool is_float;
	uint8_t header; /* enum histogram_header */
	struct histogram_layout layout;
	size_t n;
	int64_t *t;
	int64_t *start; /* from when each counts, ms; 0: not known. NULL: none is */
	uint64_t *sum, *count, *zero_count;
	uint64_t *buckets;
};

/* `encoding` is CHUNK_HISTOGRAM, CHUNK_FLOAT_HISTOGRAM or their _ST forms. -EBADMSG. */
int histogram_chunk_decode(
	uint8_t encoding, const uint8_t *data, size_t size, struct histogram_chunk **out, struct err *e);
void histogram_chunk_free(struct histogram_chunk *c);
DEFINE_AUTO(histogram_chunk, struct histogram_chunk *, histogram_chunk_free)

struct histogram_pick {
	const struct histogram_chunk *from;
	uint32_t index;
};

/*
 * Appends to `out` the data of one chunk that holds the first picks, in order, and returns how many: fewer than n
 * where the next one can't stand in the same chunk: another schema, zero threshold, custom bounds or number type, or,
 * for counters, a fall (Prometheus starts a new chunk at each reset and trusts that there is none inside one).
 * Bucket layouts that differ are widened to their union, as Prometheus does. All picks of one gauge-ness.
 * Start times are dropped. `header` is what the chunk's flag will be. n >= 1, at most XOR_CHUNK_MAX_SAMPLES.
 */
size_t histogram_chunk_encode(const struct histogram_pick *picks, size_t n, uint8_t header, struct buf *out);

#endif
