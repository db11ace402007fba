/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoders of the float encodings share with float_chunk_decode and nobody else. */
#ifndef TSDB_FLOAT_CHUNK_H
#define TSDB_FLOAT_CHUNK_H

#include "lib/tsdb/bits.h"

/*
 * Decode the samples of a chunk's data behind its header into t[n] and v[n], n >= 1. False where the bytes
 * end early or hold what no encoder writes; then the arrays hold anything. start[n] may be NULL.
 */
bool xor_decode(struct bit_reader r, size_t n, int64_t *t, uint64_t *v);
bool xor2_decode(struct bit_reader r, size_t n, uint8_t header, int64_t *t, uint64_t *v, int64_t *start);

/* Whether n samples of CHUNK_XOR may fit so many bytes, behind the header. */
bool xor_may_hold(size_t bytes, size_t n);

#endif
