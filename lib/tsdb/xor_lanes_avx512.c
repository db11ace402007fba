/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight chunks are a group: lane k of each of its registers belongs to chunk k. A step takes 50 cycles, nearly all of it waiting for the
 * loads that say where the next sample begins; so two groups take turns, and each works while the other waits.
 *
 * Positions count bits from the start of the lanes' bytes. What a garbled chunk makes of a position is cut to just behind its end, from where
 * all that a step may read lies within the padding.
 */
#include "lib/tsdb/xor_lanes_avx512.h"

#ifdef __x86_64__

#include "lib/base/avx512.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/tsdb/dod.h"
#include "lib/tsdb/xor_value.h"

#include <immintrin.h>

#define GROUP        8
#define OVER_BITS    8 /* how far behind the end a position may stand */
#define DOD_SHORT    14
#define DOD_OF_SHORT (2 + DOD_SHORT)
#define NEW_WINDOW   (2 + XOR_WINDOW_EXTRA_BITS)

struct group {
	__m512i at, limit;       /* bits: of the next sample; where positions are cut */
	__m512i n;               /* samples, from the first one on */
	__m512i t, delta, v;     /* of the last sample */
	__m512i width, trailing; /* of the values' window */
	__mmask8 is_bad;
};

AVX512_INLINE __m512i all(uint64_t x)
{
	return _mm512_set1_epi64((long long)x);
}

/* bits_peek_at of each lane. */
AVX512_INLINE __m512i peek(const uint8_t *bytes, __m512i at)
{
	const __m512i reversed =
		_mm512_broadcast_i32x4(_mm_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607));
	/*
	 * A gather waits for what was in its register before, even if all of it is replaced: zeros are there at once. A gcc that sees that all of it
	 * is replaced leaves them out.
	 */
	__mmask8 each = 0xff;
	__asm__("" : "+Yk"(each));
	__m512i w =
		_mm512_mask_i64gather_epi64(_mm512_setzero_si512(), each, _mm512_srli_epi64(at, 3), bytes, 1);
	return _mm512_sllv_epi64(_mm512_shuffle_epi8(w, reversed), _mm512_and_si512(at, all(7)));
}

/*
 * Reads a delta of deltas of 17 bits or more, which scrapes that come as they should don't have, at *at. A function of its own that has no use for
 * vectors: then the compiler keeps those of the caller where they are.
 */
__attribute__((noinline, cold)) static uint64_t read_long_dod(const uint8_t *bytes, uint64_t *at)
{
	struct bit_reader r = { .p = bytes, .size = SIZE_MAX, .pos = *at };
	uint64_t dod = dod_read(&r, bits_peek_at(&r, r.pos));
	*at = r.pos;
	return dod;
}

AVX512_INLINE void read_long_dods(const uint8_t *bytes, unsigned lanes, __m512i *at, __m512i *delta)
{
	_Alignas(64) uint64_t positions[GROUP], deltas[GROUP];
	_mm512_store_si512(positions, *at);
	_mm512_store_si512(deltas, *delta);
	for (; lanes; lanes &= lanes - 1) {
		unsigned k = (unsigned)__builtin_ctz(lanes);
		deltas[k] += read_long_dod(bytes, &positions[k]);
	}
	*at = _mm512_load_si512(positions);
	*delta = _mm512_load_si512(deltas);
}

/* Reads what moves the deltas. Returns what follows it: the bits of the value. */
AVX512_INLINE __m512i read_dods(const uint8_t *bytes, __mmask8 alive, __m512i *at, __m512i *delta)
{
	__m512i w = peek(bytes, *at);
	__mmask8 some = _mm512_movepi64_mask(w),
		 is_long = _mm512_mask_cmpge_epu64_mask(alive, w, all(3ull << 62));
	__m512i dod = _mm512_srli_epi64(_mm512_slli_epi64(w, 2), 64 - DOD_SHORT);
	__mmask8 negative = _mm512_cmpgt_epi64_mask(dod, all(1u << (DOD_SHORT - 1)));
	__m512i bits = _mm512_mask_mov_epi64(all(1), some, all(DOD_OF_SHORT));
	dod = _mm512_mask_sub_epi64(dod, negative, dod, all(1u << DOD_SHORT));
	if (__builtin_expect(is_long, 0)) {
		read_long_dods(bytes, is_long, at, delta);
		*delta = _mm512_mask_add_epi64(*delta, some & ~is_long, *delta, dod);
		*at = _mm512_mask_add_epi64(*at, (__mmask8)~is_long, *at, bits);
		return peek(bytes, *at);
	}
	*delta = _mm512_mask_add_epi64(*delta, some, *delta, dod);
	*at = _mm512_add_epi64(*at, bits);
	return _mm512_sllv_epi64(w, bits);
}

/* Reads the values, whose first bits, at least 41 of them, are on top of w. */
AVX512_INLINE void read_values(const uint8_t *bytes, __mmask8 alive, __m512i w, __m512i *at, struct group *g)
{
	__mmask8 changed = _mm512_movepi64_mask(w), renewed = _mm512_cmpge_epu64_mask(w, all(3ull << 62));
	__m512i leading = _mm512_srli_epi64(_mm512_slli_epi64(w, 2), 59);
	__m512i width = _mm512_srli_epi64(_mm512_slli_epi64(w, 7), 58); /* 64 as 0 */
	width = _mm512_add_epi64(_mm512_and_si512(_mm512_sub_epi64(width, all(1)), all(63)), all(1));
	__m512i trailing = _mm512_sub_epi64(_mm512_sub_epi64(all(64), leading), width);
	g->is_bad |= alive & renewed & _mm512_movepi64_mask(trailing);
	g->width = _mm512_mask_mov_epi64(g->width, renewed, width);
	g->trailing = _mm512_mask_mov_epi64(g->trailing, renewed, trailing);

	__m512i bits = _mm512_mask_mov_epi64(all(1), changed, all(2));
	bits = _mm512_mask_mov_epi64(bits, renewed, all(NEW_WINDOW));
	__m512i value_at = _mm512_add_epi64(*at, bits), x = peek(bytes, value_at);
	*at = _mm512_mask_add_epi64(value_at, changed, value_at, g->width);
	if (__builtin_expect(_mm512_mask_cmpgt_epi64_mask(changed, g->width, all(BITS_PEEK)), 0))
		x = _mm512_or_si512(
			x, _mm512_srli_epi64(peek(bytes, _mm512_add_epi64(value_at, all(32))), 32));
	x = _mm512_sllv_epi64(_mm512_srlv_epi64(x, _mm512_sub_epi64(all(64), g->width)), g->trailing);
	g->v = _mm512_mask_xor_epi64(g->v, changed, g->v, x);
}

/* Decodes the next sample of those lanes. The others stay where they are, and what they give means nothing. */
AVX512_INLINE void step(struct group *g, const uint8_t *bytes, __mmask8 alive, __m512i *t, __m512i *v)
{
	__m512i at = g->at;
	__m512i w = read_dods(bytes, alive, &at, &g->delta);
	read_values(bytes, alive, w, &at, g);
	g->at = _mm512_mask_min_epu64(g->at, alive, at, g->limit);
	*t = g->t = _mm512_add_epi64(g->t, g->delta);
	*v = g->v;
}

/* The lanes that have a sample i. */
AVX512_INLINE __mmask8 alive_at(const struct group *g, size_t i)
{
	return _mm512_cmpgt_epu64_mask(g->n, all(i));
}

/* What was in register k of lane i is in register i of lane k then. */
AVX512_INLINE void transpose(__m512i r[GROUP])
{
	__m512i a[GROUP], b[GROUP];
	for (size_t i = 0; i < GROUP; i += 2) {
		a[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
		a[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
	}
	for (size_t i = 0; i < GROUP; i += 4)
		for (size_t k = 0; k < 2; k++) {
			b[i + k] = _mm512_shuffle_i64x2(a[i + k], a[i + 2 + k], 0x88);
			b[i + 2 + k] = _mm512_shuffle_i64x2(a[i + k], a[i + 2 + k], 0xdd);
		}
	for (size_t k = 0; k < GROUP / 2; k++) {
		r[k] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0x88);
		r[k + 4] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0xdd);
	}
}

/* Samples [i, i + GROUP) of n lanes of a group, a register a sample, go where they belong. */
AVX512_INLINE void put(__m512i t[GROUP], __m512i v[GROUP], const struct xor_lane *const *lane, size_t n,
	size_t i, int64_t *t_out, uint64_t *v_out)
{
	transpose(t);
	transpose(v);
	for (size_t k = 0; k < n; k++) {
		if (lane[k]->n <= i)
			continue;
		size_t rest = lane[k]->n - i;
		__mmask8 which = rest < GROUP ? (__mmask8)((1u << rest) - 1) : 0xff;
		_mm512_mask_storeu_epi64(t_out + lane[k]->place + i, which, t[k]);
		_mm512_mask_storeu_epi64(v_out + lane[k]->place + i, which, v[k]);
	}
}

/* The first two samples, which are written otherwise than those that follow. */
struct heads {
	_Alignas(64) uint64_t at[XOR_LANES], limit[XOR_LANES], n[XOR_LANES];
	_Alignas(64) uint64_t t[XOR_LANES], delta[XOR_LANES], v[XOR_LANES];
	_Alignas(64) uint64_t width[XOR_LANES], trailing[XOR_LANES];
};

static bool read_head(
	struct heads *h, size_t k, const uint8_t *bytes, const struct xor_lane *lane, int64_t *t, uint64_t *v)
{
	struct bit_reader r = { .p = bytes, .size = lane->to, .pos = (uint64_t)lane->from * 8 };
	struct xor_window window = { 0 };
	uint64_t x;
	if (!bits_get_uvarint(&r, &h->t[k]))
		return false;
	h->t[k] = (uint64_t)unzigzag(h->t[k]);
	h->v[k] = bits_get(&r, 64);
	t[0] = (int64_t)h->t[k];
	v[0] = h->v[k];
	if (lane->n > 1) {
		if (!bits_get_uvarint(&r, &h->delta[k]) || !xor_get(&r, &window, &x))
			return false;
		t[1] = (int64_t)(h->t[k] += h->delta[k]);
		v[1] = h->v[k] ^= x;
	}
	h->n[k] = lane->n;
	h->at[k] = r.pos;
	h->limit[k] = (uint64_t)lane->to * 8 + OVER_BITS;
	h->width[k] = xor_window_bits(window);
	h->trailing[k] = window.trailing;
	return !bits_is_over(&r);
}

AVX512_INLINE struct group group_of(const struct heads *h, size_t k)
{
	return (struct group){
		.at = _mm512_load_si512(h->at + k),
		.limit = _mm512_load_si512(h->limit + k),
		.n = _mm512_load_si512(h->n + k),
		.t = _mm512_load_si512(h->t + k),
		.delta = _mm512_load_si512(h->delta + k),
		.v = _mm512_load_si512(h->v + k),
		.width = _mm512_load_si512(h->width + k),
		.trailing = _mm512_load_si512(h->trailing + k),
	};
}

/* Whether all of it was read, and nothing beyond. */
AVX512_INLINE bool is_sound(const struct group *g)
{
	__mmask8 used = _mm512_test_epi64_mask(g->n, g->n);
	__m512i end = _mm512_sub_epi64(g->limit, all(OVER_BITS));
	return !(g->is_bad & used) && !_mm512_mask_cmpgt_epu64_mask(used, g->at, end);
}

/* Lanes of one group, or of two; samples [2, least) are in all of them, and none has more than `most`. */
struct job {
	const uint8_t *bytes;
	const struct heads *heads;
	const struct xor_lane *const *lane;
	size_t n, least, most;
	int64_t *t;
	uint64_t *v;
};

AVX512 static bool decode_group(const struct job *j)
{
	struct group g = group_of(j->heads, 0);
	for (size_t i = 2; i < j->most; i += GROUP) {
		__m512i t[GROUP], v[GROUP];
		if (i + GROUP <= j->least)
			for (size_t k = 0; k < GROUP; k++)
				step(&g, j->bytes, 0xff, &t[k], &v[k]);
		else
			for (size_t k = 0; k < GROUP; k++)
				step(&g, j->bytes, alive_at(&g, i + k), &t[k], &v[k]);
		put(t, v, j->lane, j->n, i, j->t, j->v);
	}
	return is_sound(&g);
}

AVX512 static bool decode_two_groups(const struct job *j)
{
	struct group a = group_of(j->heads, 0), b = group_of(j->heads, GROUP);
	for (size_t i = 2; i < j->most; i += GROUP) {
		__m512i t[2][GROUP], v[2][GROUP];
		if (i + GROUP <= j->least)
			for (size_t k = 0; k < GROUP; k++) {
				step(&a, j->bytes, 0xff, &t[0][k], &v[0][k]);
				step(&b, j->bytes, 0xff, &t[1][k], &v[1][k]);
			}
		else
			for (size_t k = 0; k < GROUP; k++) {
				step(&a, j->bytes, alive_at(&a, i + k), &t[0][k], &v[0][k]);
				step(&b, j->bytes, alive_at(&b, i + k), &t[1][k], &v[1][k]);
			}
		put(t[0], v[0], j->lane, GROUP, i, j->t, j->v);
		put(t[1], v[1], j->lane + GROUP, j->n - GROUP, i, j->t, j->v);
	}
	return is_sound(&a) && is_sound(&b);
}

bool xor_avx512_decode(
	const uint8_t *bytes, const struct xor_lane *const *lane, size_t n, int64_t *t, uint64_t *v)
{
	struct heads h = { 0 };
	struct job j = {
		.bytes = bytes, .heads = &h, .lane = lane, .n = n, .least = SIZE_MAX, .t = t, .v = v
	};
	for (size_t k = 0; k < n; k++) {
		if (!read_head(&h, k, bytes, lane[k], t + lane[k]->place, v + lane[k]->place))
			return false;
		j.least = MIN_OF(j.least, (size_t)lane[k]->n);
		j.most = MAX_OF(j.most, (size_t)lane[k]->n);
	}
	for (size_t k = n; k < XOR_LANES; k++) /* what they read are zeros */
		h.at[k] = h.limit[k] = (uint64_t)lane[0]->to * 8;
	return n > GROUP ? decode_two_groups(&j) : decode_group(&j);
}

#else

bool xor_avx512_decode(
	const uint8_t *bytes, const struct xor_lane *const *lane, size_t n, int64_t *t, uint64_t *v)
{
	(void)bytes, (void)lane, (void)n, (void)t, (void)v;
	return false;
}

#endif
