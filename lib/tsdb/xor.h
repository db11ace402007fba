/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Float chunks: Gorilla's XOR encoding as Prometheus has it (tsdb/chunkenc/xor.go): two bytes of sample
 * count, then for each sample the delta of delta of its time and the XOR of its value, as bits.
 */
#ifndef TSDB_XOR_H
#define TSDB_XOR_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/tsdb/xor_value.h"

#include <stdbool.h>
#include <stdint.h>

/* Samples in columns: times in ms, values as the bits of a double, so that NaN payloads survive. */
struct float_columns {
	int64_t *t;
	uint64_t *v;
	int64_t *start; /* from when each counts, ms; 0: not known. NULL: that is not wanted */
	size_t len, cap;
};

void float_columns_fini(struct float_columns *c);
void float_columns_reserve(struct float_columns *c, size_t n);

/* The sample count in a chunk's first two bytes, for CHUNK_XOR, _HISTOGRAM and _FLOAT_HISTOGRAM. */
int chunk_sample_count(const uint8_t *data, size_t size);

/* The bits of the first value of a CHUNK_XOR chunk, without decoding it: 0; -ENODATA: it has none, -EBADMSG, or -ENOTSUP for another encoding. */
int float_chunk_first(uint8_t encoding, const uint8_t *data, size_t size, uint64_t *v);

/* Whether any sample of the chunk may have a start time. */
bool float_chunk_has_starts(uint8_t encoding, const uint8_t *data, size_t size);

/*
 * Appends the samples of float chunk `encoding` (CHUNK_XOR or CHUNK_XOR2).
 * -EBADMSG for bytes that end early; then nothing was appended. Times are not checked for order.
 */
int float_chunk_decode(
	uint8_t encoding, const uint8_t *data, size_t size, struct float_columns *out, struct err *e);

/* Writes one XOR chunk. Fields are private. */
struct xor_encoder {
	struct buf *out;
	size_t start; /* of this chunk in out */
	uint64_t pending;
	unsigned n_pending;
	uint32_t n;
	int64_t t;
	uint64_t delta;
	uint64_t v;
	struct xor_window window;
	uint8_t renew; /* changed values still to come that get a window of their own */
	bool has_switched;
};

#define XOR_CHUNK_MAX_SAMPLES 65535

/* Starts a chunk at the end of `out`, which must outlive the encoder and not be touched before _finish. */
void xor_encoder_init(struct xor_encoder *x, struct buf *out);

/* Adds a sample; t must rise. At most XOR_CHUNK_MAX_SAMPLES. */
void xor_encoder_add(struct xor_encoder *x, int64_t t, uint64_t v);

/*
 * Says that the samples that follow come from another source: the XOR windows of the next two changed values
 * are written anew instead of widened for good, and later ones follow the values both ways, so that a
 * subsequence of a chunk stays about as small as it was. Without it the bytes are those Prometheus writes.
 */
void xor_encoder_switch(struct xor_encoder *x);

/* Writes the count and the last bits. */
void xor_encoder_finish(struct xor_encoder *x);

#endif
