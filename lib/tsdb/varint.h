/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Varints for the hot loops of the index: Go's encoding/binary form, one or two bytes by branch (nearly all
 * lengths in an index repeat from entry to entry, so the branches predict well), longer ones eight bytes at a
 * time.
 */
#ifndef TSDB_VARINT_H
#define TSDB_VARINT_H

#include "lib/base/buf.h"
#include "lib/base/dec.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Bytes that must be readable past `end`, and writable past the last byte put. */
#define VARINT_SLACK 16

static inline uint64_t varint_load(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof w);
	return le64toh(w);
}

/*
 * Reads a uvarint at p and returns the byte behind it, which is past `end` where the number is malformed or
 * leaves the range: check once a record. VARINT_SLACK bytes behind `end` must be readable.
 */
static inline const uint8_t *varint_get(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
	if (p[0] < 0x80) {
		*v = p[0];
		return p + 1;
	}
	if (p[1] < 0x80) {
		*v = (p[0] & 0x7fu) | (unsigned)p[1] << 7;
		return p + 2;
	}
	if (p[2] < 0x80) {
		*v = (p[0] & 0x7fu) | (p[1] & 0x7fu) << 7 | (unsigned)p[2] << 14;
		return p + 3;
	}
	uint64_t w = varint_load(p), stop = ~w & 0x8080808080808080u;
	if (stop) {
		w &= stop ^ (stop - 1);
		w = (w & 0x007f007f007f007fu) | (w & 0x7f007f007f007f00u) >> 1;
		w = (w & 0x00003fff00003fffu) | (w & 0x3fff00003fff0000u) >> 2;
		*v = (w & 0x0fffffffu) | (w & 0x0fffffff00000000u) >> 4;
		return p + (__builtin_ctzll(stop) >> 3) + 1;
	}
	struct dec d = { .p = p, .end = p <= end ? end : p };
	*v = dec_uvarint_slow(&d);
	return d.err ? end + 1 : d.p;
}

/* Writes a uvarint; up to VARINT_SLACK bytes at p are clobbered. */
static inline uint8_t *varint_put(uint8_t *p, uint64_t v)
{
	if (v < 1u << 7) {
		p[0] = (uint8_t)v;
		return p + 1;
	}
	if (v < 1u << 14) {
		p[0] = (uint8_t)v | 0x80;
		p[1] = (uint8_t)(v >> 7);
		return p + 2;
	}
	if (v < 1u << 21) {
		p[0] = (uint8_t)v | 0x80;
		p[1] = (uint8_t)(v >> 7) | 0x80;
		p[2] = (uint8_t)(v >> 14);
		return p + 3;
	}
	if (v >= 1ull << 56)
		return p + uvarint_put(p, v);
	unsigned n = (unsigned)(70 - __builtin_clzll(v)) / 7; /* bytes: 4 to 8 */
	v = (v & 0x0fffffffu) | (v & 0x00fffffff0000000u) << 4;
	v = (v & 0x00003fff00003fffu) | (v & 0x0fffc0000fffc000u) << 2;
	v = (v & 0x007f007f007f007fu) | (v & 0x3f803f803f803f80u) << 1;
	v = htole64(v | 0x8080808080808080u >> (72 - 8 * n));
	memcpy(p, &v, sizeof v);
	return p + n;
}

#endif
