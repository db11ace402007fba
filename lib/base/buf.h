/* SPDX-License-Identifier: Apache-2.0 */
/* A growable run of bytes, and the encoders that append to it. Zero-initialise it, buf_fini it. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "lib/base/mem.h"

#include <stdint.h>
#include <string.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
};

void buf_fini(struct buf *b);
static inline void mem_auto_buf(struct buf *b)
{
	buf_fini(b);
}
#define auto_buf __attribute__((cleanup(mem_auto_buf)))

void buf_grow(struct buf *b, size_t extra);

/* Room for `extra` more bytes at b->data + b->len; does not change len. */
static inline uint8_t *buf_reserve(struct buf *b, size_t extra)
{
	if (b->cap - b->len < extra)
		buf_grow(b, extra);
	return b->data + b->len;
}

static inline void buf_reset(struct buf *b)
{
	b->len = 0;
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n) {
		memcpy(buf_reserve(b, n), p, n);
		b->len += n;
	}
}

static inline void buf_add_u8(struct buf *b, uint8_t v)
{
	*buf_reserve(b, 1) = v;
	b->len++;
}

void buf_add_be16(struct buf *b, uint16_t v);
void buf_add_be32(struct buf *b, uint32_t v);
void buf_add_be64(struct buf *b, uint64_t v);
void buf_add_zeros(struct buf *b, size_t n);
void buf_add_str(struct buf *b, const char *s); /* without the NUL */

/* Go's encoding/binary varints, as Prometheus' formats use them. */
static inline size_t uvarint_put(uint8_t *p, uint64_t v)
{
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)v | 0x80;
	p[n++] = (uint8_t)v;
	return n;
}

static inline uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline void buf_add_uvarint(struct buf *b, uint64_t v)
{
	buf_reserve(b, 10);
	b->len += uvarint_put(b->data + b->len, v);
}

static inline void buf_add_varint(struct buf *b, int64_t v)
{
	buf_add_uvarint(b, zigzag(v));
}

void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The bytes as a NUL-terminated string, borrowed until the next change. */
const char *buf_str(struct buf *b);

#endif
