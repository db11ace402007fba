/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/xor_lanes.h"

#include "lib/base/avx512.h"
#include "lib/base/mem.h"
#include "lib/tsdb/float_chunk.h"
#include "lib/tsdb/xor.h"
#include "lib/tsdb/xor_lanes_avx512.h"

#include <errno.h>

#define COUNT_BYTES 2
#define FEW_BITS    4 /* a sample: of long stretches where nothing changes, which one decoder is faster at */

bool xor_lanes_add(struct xor_lanes *l, const uint8_t *data, size_t size, size_t place)
{
	int n = chunk_sample_count(data, size);
	if (n <= 0 || size > XOR_LANE_MAX_BYTES || !xor_may_hold(size - COUNT_BYTES, (size_t)n))
		return false;
	size -= COUNT_BYTES;
	uint8_t *to = l->bytes + l->used;
	__asm__(""
		: "+r"(size)); /* gcc copies what it knows to be small by `rep movsq`, which is slow to begin */
	memcpy(to, data + COUNT_BYTES, size);
	memset(to + size, 0, XOR_LANE_PAD);
	l->lane[l->n++] = (struct xor_lane){
		.n = (uint32_t)n, .from = (uint32_t)l->used, .to = (uint32_t)(l->used + size), .place = place
	};
	l->used += size + XOR_LANE_PAD;
	return true;
}

static bool decode_one(const struct xor_lanes *l, const struct xor_lane *one, int64_t *t, uint64_t *v)
{
	const struct bit_reader r = { .p = l->bytes + one->from, .size = one->to - one->from };
	return xor_decode(r, one->n, t + one->place, v + one->place);
}

static bool changes_much(const struct xor_lane *one)
{
	return (uint64_t)(one->to - one->from) * 8 > (uint64_t)one->n * FEW_BITS;
}

/* The lanes that were decoded together, as bits. */
static unsigned decode_together(const struct xor_lanes *l, int64_t *t, uint64_t *v)
{
	const struct xor_lane *which[XOR_LANES];
	unsigned together = 0;
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (!changes_much(&l->lane[i]))
			continue;
		which[n++] = &l->lane[i];
		together |= 1u << i;
	}
	return n >= XOR_AVX512_MIN_LANES && xor_avx512_decode(l->bytes, which, n, t, v) ? together : 0;
}

int xor_lanes_decode(const struct xor_lanes *l, int64_t *t, uint64_t *v, size_t *bad)
{
	unsigned done = avx512_is_there() ? decode_together(l, t, v) : 0;
	for (size_t i = 0; i < l->n; i++)
		if (!(done >> i & 1) && !decode_one(l, &l->lane[i], t, v)) {
			*bad = i;
			return -EBADMSG;
		}
	return 0;
}
