/* SPDX-License-Identifier: Apache-2.0 */
/* The part of lib/tsdb/xor_lanes.c that is for processors with AVX-512. */
#ifndef TSDB_XOR_LANES_AVX512_H
#define TSDB_XOR_LANES_AVX512_H

#include "lib/tsdb/xor_lanes.h"

#define XOR_AVX512_MIN_LANES 4 /* fewer are decoded faster one after another */

/* n of the lanes whose bytes these are, at least 1. False where any of them is garbled, and without AVX-512. */
bool xor_avx512_decode(
	const uint8_t *bytes, const struct xor_lane *const *lane, size_t n, int64_t *t, uint64_t *v);

#endif
