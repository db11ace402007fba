/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte of encoding and a float chunk's data. What decodes must come back when it is encoded again, whatever
 * switches the encoder is told of.
 */
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/xor.h"

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
	float_columns_fini(&samples);
	return 0;
}
