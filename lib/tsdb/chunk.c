/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame around a chunk. A reader seldom knows how long a frame is before it has seen its first bytes, so
 * a short buffer is no error of the data: the answer is how much more it takes.
 */
#include "lib/tsdb/chunk.h"

#include "lib/base/crc32c.h"

#include <endian.h>
#include <errno.h>

#define LENGTH_MAX_BYTES 5
#define FRAME_MIN_BYTES \
	6 /* one byte of length, the encoding, the checksum; no shorter than the longest length */
#define CRC_BYTES 4

/* Returns the bytes the length takes, 0 where p ends too early, or -EBADMSG. */
static int read_length(const uint8_t *p, size_t n, uint64_t *length)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < LENGTH_MAX_BYTES; i++) {
		if (i == n)
			return 0;
		v |= (uint64_t)(p[i] & 0x7f) << 7 * i;
		if (p[i] < 0x80) {
			*length = v;
			return (int)i + 1;
		}
	}
	return -EBADMSG;
}

static int too_short(size_t n, size_t wanted, size_t *need, struct err *e)
{
	*need = wanted;
	return err_set(e, -EAGAIN, "chunk frame takes %zu bytes, there are %zu", wanted, n);
}

int chunk_frame_read(const uint8_t *p, size_t n, struct chunk *out, size_t *need, struct err *e)
{
	*out = (struct chunk){ 0 };
	uint64_t length = 0;
	int head = read_length(p, n, &length);
	if (head < 0 || length > CHUNK_MAX_BYTES)
		return err_set(e, -EBADMSG, "chunk length is more than %u bytes", CHUNK_MAX_BYTES);
	if (head == 0)
		return too_short(n, FRAME_MIN_BYTES, need, e);
	size_t whole = (size_t)head + 1 + length + CRC_BYTES;
	if (n < whole)
		return too_short(n, whole, need, e);
	const uint8_t *body = p + head;
	uint32_t want;
	memcpy(&want, body + 1 + length, sizeof want);
	want = be32toh(want);
	uint32_t have = crc32c(0, body, 1 + length);
	if (want != have)
		return err_set(e, -EBADMSG, "chunk checksum is %08x, its bytes give %08x", want, have);
	*out = (struct chunk){ .encoding = *body, .data = body + 1, .size = length };
	return (int)whole;
}

static size_t length_bytes(size_t size)
{
	size_t n = 1;
	for (; size >= 0x80; size >>= 7)
		n++;
	return n;
}

size_t chunk_frame_bytes(size_t size)
{
	return length_bytes(size) + 1 + size + CRC_BYTES;
}

void chunk_frame_write(struct buf *out, uint8_t encoding, const void *data, size_t size)
{
	buf_reserve(out, chunk_frame_bytes(size));
	buf_add_uvarint(out, size);
	buf_add_u8(out, encoding);
	buf_add(out, data, size);
	buf_add_be32(out, crc32c(crc32c(0, &encoding, 1), data, size));
}
