/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte of encoding and a float chunk's data. What decodes must come back when it is encoded again, whatever
 * switches the encoder is told of; and in company of other chunks it must decode, or not, as it does alone.
 */
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/xor.h"
#include "lib/tsdb/xor_lanes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void encode_again(const struct float_columns *in, const uint8_t *data, size_t n, bool with_switches)
{
	struct float_columns out = { 0 };
	auto_buf struct buf chunk = { 0 };
	struct xor_encoder x;
	xor_encoder_init(&x, &chunk);
	for (size_t i = 0; i < in->len; i++) {
		if (with_switches && data[i % n] % 8 == 0)
			xor_encoder_switch(&x);
		xor_encoder_add(&x, in->t[i], in->v[i]);
	}
	xor_encoder_finish(&x);
	if (float_chunk_decode(CHUNK_XOR, chunk.data, chunk.len, &out, NULL) < 0 || out.len != in->len)
		abort();
	if (in->len && (memcmp(in->t, out.t, in->len * sizeof *in->t) ||
			       memcmp(in->v, out.v, in->len * sizeof *in->v)))
		abort();
	float_columns_fini(&out);
}

/* Whoever wants start times gets the same samples. */
static void decode_with_starts(const uint8_t *data, size_t n, const struct float_columns *want)
{
	struct float_columns got = { .start = xcalloc(1, sizeof *got.start) };
	int r = float_chunk_decode(data[0], data + 1, n - 1, &got, NULL);
	if (got.len != want->len || (r < 0 && got.len))
		abort();
	if (got.len && (memcmp(got.t, want->t, got.len * sizeof *got.t) ||
			       memcmp(got.v, want->v, got.len * sizeof *got.v)))
		abort();
	for (size_t i = 0; !float_chunk_has_starts(data[0], data + 1, n - 1) && i < got.len; i++)
		if (got.start[i])
			abort();
	float_columns_fini(&got);
}

/* The input's ends, each as a chunk. */
static void decode_side_by_side(const uint8_t *data, size_t n)
{
	static struct xor_lanes lanes;
	struct float_columns alone = { 0 }, together = { 0 };
	size_t first_bad = XOR_LANES, bad;
	xor_lanes_clear(&lanes);
	for (size_t at = 0; at < n && !xor_lanes_are_full(&lanes); at++) {
		if (!xor_lanes_add(&lanes, data + at, n - at, alone.len))
			continue;
		uint32_t count = lanes.lane[lanes.n - 1].n;
		if (float_chunk_decode(CHUNK_XOR, data + at, n - at, &alone, NULL) == 0)
			continue;
		first_bad = MIN_OF(first_bad, lanes.n - 1);
		float_columns_reserve(&alone, count);
		memset(alone.t + alone.len, 0, count * sizeof *alone.t);
		memset(alone.v + alone.len, 0, count * sizeof *alone.v);
		alone.len += count;
	}
	float_columns_reserve(&together, alone.len);
	int r = xor_lanes_decode(&lanes, together.t, together.v, &bad);
	if (r < 0 ? bad != first_bad : first_bad < XOR_LANES)
		abort();
	if (r == 0 && alone.len &&
		(memcmp(alone.t, together.t, alone.len * sizeof *alone.t) ||
			memcmp(alone.v, together.v, alone.len * sizeof *alone.v)))
		abort();
	float_columns_fini(&alone);
	float_columns_fini(&together);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct float_columns samples = { 0 };
	if (n == 0)
		return 0;
	if (float_chunk_decode(data[0], data + 1, n - 1, &samples, NULL) < 0) {
		if (samples.len)
			abort();
	} else {
		encode_again(&samples, data, n, false);
		encode_again(&samples, data, n, true);
	}
	decode_with_starts(data, n, &samples);
	decode_side_by_side(data + 1, n - 1);
	float_columns_fini(&samples);
	return 0;
}
