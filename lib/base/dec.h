/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor over foreign bytes whose error sticks: read a whole record, then check `err` once.
 * After an error every read gives 0 and the cursor stays where it is.
 */
#ifndef BASE_DEC_H
#define BASE_DEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dec {
	const uint8_t *p, *end;
	int err; /* 0, or -EBADMSG */
};

int dec_fail(struct dec *d); /* makes the error stick; returns it */

static inline struct dec dec_over(const void *p, size_t n)
{
	return (struct dec){ .p = p, .end = (const uint8_t *)p + n };
}

static inline size_t dec_left(const struct dec *d)
{
	return d->err ? 0 : (size_t)(d->end - d->p);
}

/* The next n bytes, borrowed; NULL when there are fewer. */
static inline const uint8_t *dec_bytes(struct dec *d, size_t n)
{
	if (dec_left(d) < n) {
		dec_fail(d);
		return NULL;
	}
	const uint8_t *p = d->p;
	d->p += n;
	return p;
}

static inline uint8_t dec_u8(struct dec *d)
{
	const uint8_t *p = dec_bytes(d, 1);
	return p ? *p : 0;
}

uint16_t dec_be16(struct dec *d);
uint32_t dec_be32(struct dec *d);
uint64_t dec_be64(struct dec *d);
uint64_t dec_uvarint_slow(struct dec *d);

static inline uint64_t dec_uvarint(struct dec *d)
{
	if (!d->err && d->p < d->end && *d->p < 0x80)
		return *d->p++;
	return dec_uvarint_slow(d);
}

/* A uvarint that must fit 32 bits. */
uint32_t dec_uvarint32(struct dec *d);

static inline int64_t dec_varint(struct dec *d)
{
	uint64_t v = dec_uvarint(d);
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
