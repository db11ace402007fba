/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integers in one of nine sizes, as the histogram encodings have them ("varbit" in Prometheus'
 * tsdb/docs/format/chunks.md): k ones, a zero unless k is 8, and a field of varbit_field[k] bits. Signed
 * fields of n bits hold -(2^(n-1) - 1) ... 2^(n-1).
 */
#ifndef TSDB_VARBIT_H
#define TSDB_VARBIT_H

#include "lib/tsdb/bits.h"

#define VARBIT_MAX_BITS 72
#define VARBIT_WIDEST   8 /* ones of the size that holds 64 bits */

static const uint8_t varbit_field[] = { 0, 3, 6, 9, 12, 18, 25, 56, 64 };

static inline uint64_t varbit_get(struct bit_reader *r, bool is_signed)
{
	uint64_t w = bits_peek_at(r, r->pos);
	if (!(w >> 63)) {
		r->pos++;
		return 0;
	}
	unsigned ones = (unsigned)__builtin_clzll(~w | 1ull << (63 - VARBIT_WIDEST));
	r->pos += ones + (ones < VARBIT_WIDEST);
	unsigned n = varbit_field[ones];
	uint64_t bits = bits_get(r, n);
	return is_signed && ones < VARBIT_WIDEST && bits > 1ull << (n - 1) ? bits - (1ull << n) : bits;
}

static inline uint64_t varbit_get_uint(struct bit_reader *r)
{
	return varbit_get(r, false);
}

static inline int64_t varbit_get_int(struct bit_reader *r)
{
	return (int64_t)varbit_get(r, true);
}

/* Writes v in the size that starts with this many ones. */
static inline void varbit_put_sized(struct bit_writer *w, uint64_t v, unsigned ones)
{
	unsigned n = varbit_field[ones];
	if (ones < VARBIT_WIDEST - 1) {
		uint64_t prefix = (2ull << ones) - 2;
		bits_put(w, prefix << n | (v & ((1ull << n) - 1)), ones + 1 + n);
	} else {
		bits_put(w, ones < VARBIT_WIDEST ? 0xfe : 0xff, 8);
		bits_put_wide(w, ones < VARBIT_WIDEST ? v & ((1ull << n) - 1) : v, n);
	}
}

static inline void varbit_put_uint(struct bit_writer *w, uint64_t v)
{
	unsigned ones = 0;
	if (v)
		for (ones = 1; ones < VARBIT_WIDEST && v >> varbit_field[ones]; ones++)
			;
	varbit_put_sized(w, v, ones);
}

static inline void varbit_put_int(struct bit_writer *w, int64_t v)
{
	unsigned ones = 0;
	uint64_t u = (uint64_t)v;
	if (v)
		for (ones = 1; ones < VARBIT_WIDEST &&
			       (u + (1ull << (varbit_field[ones] - 1)) - 1) >> varbit_field[ones];
			ones++)
			;
	varbit_put_sized(w, u, ones);
}

#endif
