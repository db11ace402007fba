/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value as the XOR with the value before it (Gorilla, VLDB 2015, section 4.1.2): only the bits of
 * a window that leaves out leading and trailing zeros are stored, and the window stays until a value
 * doesn't fit it.
 *
 *	0			unchanged
 *	10 <bits>		in the window there is
 *	11 <5> <6> <bits>	in a new window: its leading zeros, its width (64 as 0)
 */
#ifndef TSDB_XOR_VALUE_H
#define TSDB_XOR_VALUE_H

#include "lib/tsdb/bits.h"

struct xor_window {
	uint8_t leading, trailing;
};

#define XOR_NO_WINDOW         ((struct xor_window){ .leading = 0xff }) /* an encoder's start: nothing fits it */
#define XOR_LEADING_MAX       31
#define XOR_WINDOW_EXTRA_BITS 11 /* that a new window costs beyond its value */
#define XOR_VALUE_MAX_BITS    77

/* The narrowest window that holds x, which isn't 0. */
static inline struct xor_window xor_window_of(uint64_t x)
{
	unsigned leading = (unsigned)__builtin_clzll(x);
	return (struct xor_window){
		.leading = (uint8_t)(leading > XOR_LEADING_MAX ? XOR_LEADING_MAX : leading),
		.trailing = (uint8_t)__builtin_ctzll(x),
	};
}

static inline unsigned xor_window_bits(struct xor_window w)
{
	return 64u - w.leading - w.trailing;
}

static inline bool xor_window_holds(struct xor_window outer, struct xor_window inner)
{
	return inner.leading >= outer.leading && inner.trailing >= outer.trailing;
}

static inline void xor_put_in_window(struct bit_writer *w, uint64_t x, struct xor_window window)
{
	unsigned n = xor_window_bits(window);
	x >>= window.trailing;
	if (n <= BITS_PUT_MAX - 2) {
		bits_put(w, 2ull << n | x, n + 2);
	} else {
		bits_put(w, 2, 2);
		bits_put_wide(w, x, n);
	}
}

static inline void xor_put_new_window(struct bit_writer *w, uint64_t x, struct xor_window window)
{
	unsigned n = xor_window_bits(window);
	bits_put(w, 3u << 11 | (unsigned)window.leading << 6 | (n & 63), 13);
	bits_put_wide(w, x >> window.trailing, n);
}

/* Appends x, the XOR of the two values, and keeps *window as Prometheus' encoder does. */
static inline void xor_put(struct bit_writer *w, uint64_t x, struct xor_window *window)
{
	if (!x) {
		bits_put(w, 0, 1);
		return;
	}
	struct xor_window own = xor_window_of(x);
	if (xor_window_holds(*window, own)) {
		xor_put_in_window(w, x, *window);
	} else {
		*window = own;
		xor_put_new_window(w, x, own);
	}
}

/* Reads a new window's two fields, which end at the reader's position, into *window; false where they make no
 * sense. */
static inline bool xor_read_window(uint64_t fields, struct xor_window *window)
{
	unsigned leading = fields >> 6 & 31, n = fields & 63;
	n = n ? n : 64;
	window->leading = (uint8_t)leading;
	window->trailing = (uint8_t)(64 - leading - n);
	return leading + n <= 64;
}

/* Reads the XOR with the value before; false for a window that can't be. */
static inline bool xor_get(struct bit_reader *r, struct xor_window *window, uint64_t *x)
{
	uint64_t w = bits_peek_at(r, r->pos);
	if (!(w >> 63)) {
		r->pos++;
		*x = 0;
		return true;
	}
	r->pos += 2;
	if (w >> 62 == 3) {
		r->pos += 11;
		if (!xor_read_window(w >> 51, window))
			return false;
	}
	*x = bits_get(r, xor_window_bits(*window)) << window->trailing;
	return true;
}

#endif
