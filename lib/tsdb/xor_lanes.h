/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XOR chunks decoded side by side. Where a sample ends isn't known before it is decoded, so the decoder of one chunk mostly waits: for a
 * load, or for a branch that was foretold wrong. Chunks don't depend on each other: with one in each lane of a vector register, a step
 * decodes a sample of all of them, and has no branch for what a sample looks like.
 *
 * Processors with AVX-512 do so; others decode one chunk after another, with the same results.
 */
#ifndef TSDB_XOR_LANES_H
#define TSDB_XOR_LANES_H

#include "lib/tsdb/bits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XOR_LANES          16
#define XOR_LANE_MAX_BYTES 2048 /* of a chunk's data */
#define XOR_LANE_PAD       32   /* zeros behind it, which who reads past its end may see */

struct xor_lane {
	uint32_t n;    /* samples, at least 1 */
	uint32_t from; /* where its bits begin in `bytes`, in bytes, behind the count; */
	uint32_t to;   /* and where they end */
	size_t place;  /* of its first sample in the columns */
};

/* Its bytes are copies, so that nobody has to keep the chunks. Initialise by xor_lanes_clear; it is too large for small stacks. */
struct xor_lanes {
	size_t n;
	size_t used; /* of bytes */
	struct xor_lane lane[XOR_LANES];
	uint8_t bytes[XOR_LANES * (XOR_LANE_MAX_BYTES + XOR_LANE_PAD)];
};

static inline void xor_lanes_clear(struct xor_lanes *l)
{
	l->n = l->used = 0;
}

static inline bool xor_lanes_are_full(const struct xor_lanes *l)
{
	return l->n == XOR_LANES;
}

/*
 * Adds the data of a CHUNK_XOR, whose samples are to stand in the columns from `place` on. False where that isn't for a lane: it has no
 * sample, is too large, or has fewer bytes than the samples that it claims must take.
 */
bool xor_lanes_add(struct xor_lanes *l, const uint8_t *data, size_t size, size_t place);

/*
 * Decodes them all into the columns (ms, bits of doubles), which must have room. 0, or -EBADMSG with the first one in *bad that ends early or
 * holds what no encoder writes; then their places hold anything. The lanes stay as they are.
 */
int xor_lanes_decode(const struct xor_lanes *l, int64_t *t, uint64_t *v, size_t *bad);

#endif
