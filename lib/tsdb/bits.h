/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bits, most significant first, as the chunk encodings pack them. Both cursors move whole 64-bit words and
 * have no branch for where in a byte they stand.
 */
#ifndef TSDB_BITS_H
#define TSDB_BITS_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Reads past the end give zeros and still move `pos`, so a decoder whose loops are bounded checks once, at a
 * record's end or at the very end. Nothing outside p[0..size) is touched.
 */
struct bit_reader {
	const uint8_t *p;
	size_t size;
	uint64_t pos; /* in bits */
};

static inline bool bits_is_over(const struct bit_reader *r)
{
	return r->pos > (uint64_t)r->size * 8;
}

static inline uint64_t bits_left(const struct bit_reader *r)
{
	return bits_is_over(r) ? 0 : (uint64_t)r->size * 8 - r->pos;
}

/* bits_peek_at's word where fewer than 8 bytes are left. */
uint64_t bits_word_at_end(const struct bit_reader *r, size_t at);

/* The bits from `pos` on, the first one on top: at least 57 of them, zeros below. */
static inline uint64_t bits_peek_at(const struct bit_reader *r, uint64_t pos)
{
	size_t at = pos >> 3;
	uint64_t w;
	if (__builtin_expect(at + sizeof w <= r->size, 1)) {
		memcpy(&w, r->p + at, sizeof w);
		w = be64toh(w);
	} else {
		w = bits_word_at_end(r, at);
	}
	return w << (pos & 7);
}

#define BITS_PEEK 57 /* that every peek holds */

/* The n bits from `pos` on, 1 <= n <= 64. */
static inline uint64_t bits_at(const struct bit_reader *r, uint64_t pos, unsigned n)
{
	uint64_t w = bits_peek_at(r, pos);
	if (n > BITS_PEEK)
		w |= bits_peek_at(r, pos + 32) >> 32;
	return w >> (64 - n);
}

static inline uint64_t bits_get(struct bit_reader *r, unsigned n)
{
	uint64_t v = bits_at(r, r->pos, n);
	r->pos += n;
	return v;
}

/* A Go varint at any bit; false for one of more than 64 bits. */
static inline bool bits_get_uvarint(struct bit_reader *r, uint64_t *out)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint64_t byte = bits_get(r, 8);
		if (shift == 63 && byte > 1)
			return false;
		v |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = v;
			return true;
		}
	}
	return false;
}

/* Writes at p, where whoever holds it has made room: 8 bytes beyond what is put. */
struct bit_writer {
	uint8_t *p;
	uint64_t pending; /* bits not written as part of a whole byte yet, on top */
	unsigned n_pending;
};

#define BITS_PUT_MAX 56

/* Appends the n low bits of v, 1 <= n <= BITS_PUT_MAX; the bits above must be zero. */
static inline void bits_put(struct bit_writer *w, uint64_t v, unsigned n)
{
	w->pending |= v << (64 - w->n_pending - n);
	w->n_pending += n;
	uint64_t word = htobe64(w->pending);
	memcpy(w->p, &word, sizeof word);
	unsigned whole = w->n_pending >> 3;
	w->p += whole;
	w->pending <<= 8 * whole;
	w->n_pending &= 7;
}

/* The same for 1 <= n <= 64. */
static inline void bits_put_wide(struct bit_writer *w, uint64_t v, unsigned n)
{
	if (n > BITS_PUT_MAX) {
		bits_put(w, v >> 32, n - 32);
		v &= UINT32_MAX;
		n = 32;
	}
	bits_put(w, v, n);
}

/* Fills the last byte with zeros. */
static inline void bits_finish(struct bit_writer *w)
{
	if (w->n_pending) {
		*w->p++ = (uint8_t)(w->pending >> 56);
		*w = (struct bit_writer){ .p = w->p };
	}
}

#endif
