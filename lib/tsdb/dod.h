/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The delta of two deltas of times, as XOR chunks have it:
 *
 *	0, 10 <14>, 110 <17>, 1110 <20>, 1111 <64>
 *
 * where a field of n bits holds -(2^(n-1) - 1) ... 2^(n-1).
 */
#ifndef TSDB_DOD_H
#define TSDB_DOD_H

#include "lib/tsdb/bits.h"

/* The n bits below the top `skip` of w, as a field. */
static inline uint64_t dod_field(uint64_t w, unsigned skip, unsigned n)
{
	uint64_t bits = w << skip >> (64 - n);
	return bits > 1ull << (n - 1) ? bits - (1ull << n) : bits;
}

/* Reads one whose first bit, on top of w, is set; w is what bits_peek_at gave. */
static inline uint64_t dod_read(struct bit_reader *r, uint64_t w)
{
	if (!(w >> 62 & 1)) {
		r->pos += 2 + 14;
		return dod_field(w, 2, 14);
	}
	if (!(w >> 61 & 1)) {
		r->pos += 3 + 17;
		return dod_field(w, 3, 17);
	}
	if (!(w >> 60 & 1)) {
		r->pos += 4 + 20;
		return dod_field(w, 4, 20);
	}
	r->pos += 4;
	return bits_get(r, 64);
}

#endif
