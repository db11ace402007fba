/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding float chunks, one at a time. Times are two varints, then deltas of deltas. Scrapes are regular and values keep
 * their XOR window, so the branches go the same way for long stretches; then the position of the next sample
 * depends on nothing that has to be loaded first, and the processor works on several samples at once.
 */
#include "lib/tsdb/xor.h"

#include "lib/base/dec.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/dod.h"
#include "lib/tsdb/float_chunk.h"

#include <errno.h>

#define COUNT_BYTES     2
#define XOR2_HEADER     3 /* the count, and a byte about start times */
#define FIRST_MIN_BITS  72
#define SECOND_MIN_BITS 9
#define RUN             8 /* unchanged samples taken at once */
#define RUN_BITS        (2 * RUN)
#define XOR_MIN_BITS    2 /* a sample after the second */
#define XOR2_MIN_BITS   1

void float_columns_fini(struct float_columns *c)
{
	free(c->t);
	free(c->v);
	free(c->start);
	*c = (struct float_columns){ 0 };
}

void float_columns_reserve(struct float_columns *c, size_t n)
{
	if (c->cap - c->len >= n)
		return;
	size_t cap = MAX_OF(c->len + n, c->cap * 2);
	c->t = xreallocarray(c->t, cap, sizeof *c->t);
	c->v = xreallocarray(c->v, cap, sizeof *c->v);
	if (c->start)
		c->start = xreallocarray(c->start, cap, sizeof *c->start);
	c->cap = cap;
}

int chunk_sample_count(const uint8_t *data, size_t size)
{
	return size < COUNT_BYTES ? -EBADMSG : data[0] << 8 | data[1];
}

int float_chunk_first(uint8_t encoding, const uint8_t *data, size_t size, uint64_t *v)
{
	int n = chunk_sample_count(data, size);
	if (encoding != CHUNK_XOR)
		return -ENOTSUP;
	if (n <= 0)
		return n < 0 ? n : -ENODATA;
	struct dec d = dec_over(data + COUNT_BYTES, size - COUNT_BYTES);
	dec_varint(&d); /* its time */
	*v = dec_be64(&d);
	return d.err;
}

bool xor_decode(struct bit_reader r, size_t n, int64_t *t_out, uint64_t *v_out)
{
	uint64_t t, delta = 0, x;
	struct xor_window window = { 0 };
	if (!bits_get_uvarint(&r, &t))
		return false;
	t = (uint64_t)unzigzag(t);
	uint64_t v = bits_get(&r, 64);
	t_out[0] = (int64_t)t;
	v_out[0] = v;
	if (n > 1) {
		if (!bits_get_uvarint(&r, &delta) || !xor_get(&r, &window, &x))
			return false;
		t_out[1] = (int64_t)(t += delta);
		v_out[1] = v ^= x;
	}
	unsigned width = xor_window_bits(window);
	for (size_t i = 2; i < n; i++) {
		uint64_t w = bits_peek_at(&r, r.pos);
		if (!(w >> (64 - RUN_BITS)) && n - i >= RUN) {
			for (size_t k = 0; k < RUN; k++) {
				t_out[i + k] = (int64_t)(t += delta);
				v_out[i + k] = v;
			}
			r.pos += RUN_BITS;
			i += RUN - 1;
			continue;
		}
		if (w >> 63) {
			delta += dod_read(&r, w);
			w = bits_peek_at(&r, r.pos);
		} else {
			w <<= 1; /* BITS_PEEK - 1 are left */
			r.pos++;
		}
		t += delta;
		t_out[i] = (int64_t)t;
		if (!(w >> 63)) {
			r.pos++;
		} else if (!(w >> 62 & 1)) {
			r.pos += 2;
			x = width <= BITS_PEEK - 3 ? w << 2 >> (64 - width) : bits_at(&r, r.pos, width);
			r.pos += width;
			v ^= x << window.trailing;
		} else {
			r.pos += 13;
			if (!xor_read_window(w >> 51, &window))
				return false;
			width = xor_window_bits(window);
			v ^= bits_get(&r, width) << window.trailing;
		}
		v_out[i] = v;
	}
	return !bits_is_over(&r);
}

/* The bits n samples take at least, behind the header. */
static uint64_t min_bits(size_t n, unsigned bits_a_sample)
{
	return (n > 0 ? FIRST_MIN_BITS : 0) + (n > 1 ? SECOND_MIN_BITS + (n - 2) * bits_a_sample : 0);
}

bool xor_may_hold(size_t bytes, size_t n)
{
	return min_bits(n, XOR_MIN_BITS) <= (uint64_t)bytes * 8;
}

bool float_chunk_has_starts(uint8_t encoding, const uint8_t *data, size_t size)
{
	return encoding == CHUNK_XOR2 && size >= XOR2_HEADER && data[COUNT_BYTES];
}

int float_chunk_decode(
	uint8_t encoding, const uint8_t *data, size_t size, struct float_columns *out, struct err *e)
{
	if (encoding != CHUNK_XOR && encoding != CHUNK_XOR2)
		return err_set(e, -EBADMSG, "chunk of encoding %u holds no floats", encoding);
	bool is_xor2 = encoding == CHUNK_XOR2;
	size_t header = is_xor2 ? XOR2_HEADER : COUNT_BYTES;
	if (size < header)
		return err_set(e, -EBADMSG, "float chunk has %zu bytes", size);
	size_t n = (size_t)chunk_sample_count(data, size);
	struct bit_reader r = { .p = data + header, .size = size - header };
	if (min_bits(n, is_xor2 ? XOR2_MIN_BITS : XOR_MIN_BITS) > bits_left(&r))
		return err_set(e, -EBADMSG, "float chunk of %zu bytes claims %zu samples", size, n);
	if (!n)
		return 0;
	float_columns_reserve(out, n);
	int64_t *t = out->t + out->len;
	uint64_t *v = out->v + out->len;
	int64_t *start = out->start ? out->start + out->len : NULL;
	if (start && !is_xor2)
		memset(start, 0, n * sizeof *start);
	if (!(is_xor2 ? xor2_decode(r, n, data[COUNT_BYTES], t, v, start) : xor_decode(r, n, t, v)))
		return err_set(e, -EBADMSG,
			"float chunk of %zu bytes and %zu samples ends early or is garbled", size, n);
	out->len += n;
	return 0;
}
