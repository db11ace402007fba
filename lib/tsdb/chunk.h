/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks as they stand in a segment (Prometheus' tsdb/docs/format/chunks.md):
 *
 *	┌───────────────┬───────────────────┬──────────────┬────────────────┐
 *	│ len <uvarint> │ encoding <1 byte> │ data <len>   │ CRC32C <4 b>   │   the checksum covers encoding and data
 *	└───────────────┴───────────────────┴──────────────┴────────────────┘
 *
 * A segment starts with 8 bytes: magic 0x85bd40dd, version 1, three zero bytes. A chunk's ref is its segment's place
 * in the sorted list of files (from 0) << 32 | the frame's offset.
 */
#ifndef TSDB_CHUNK_H
#define TSDB_CHUNK_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SEGMENT_MAGIC        0x85bd40ddu
#define SEGMENT_VERSION      1
#define SEGMENT_HEADER_BYTES 8
#define CHUNK_MAX_BYTES      (64u << 20) /* longer data is refused */
#define CHUNK_FRAME_EXTRA    10          /* at most: 5 length, 1 encoding, 4 checksum */

enum chunk_encoding {
	CHUNK_NONE = 0,
	CHUNK_XOR = 1,
	CHUNK_HISTOGRAM = 2,
	CHUNK_FLOAT_HISTOGRAM = 3,
	CHUNK_XOR2 = 4,              /* 3.14: read, never written */
	CHUNK_HISTOGRAM_ST = 5,      /* 3.14 */
	CHUNK_FLOAT_HISTOGRAM_ST = 6 /* 3.14 */
};

struct chunk_meta {
	int64_t mint, maxt; /* ms, both inclusive */
	uint64_t ref;
};

static inline uint32_t chunk_ref_segment(uint64_t ref)
{
	return (uint32_t)(ref >> 32);
}

static inline uint32_t chunk_ref_offset(uint64_t ref)
{
	return (uint32_t)ref;
}

/* A chunk inside somebody's bytes. */
struct chunk {
	uint8_t encoding;
	const uint8_t *data; /* borrowed */
	size_t size;         /* of data */
};

/*
 * Reads the frame at p. Returns its whole length in bytes with *out filled and the checksum verified;
 * otherwise *out is empty.
 * -EAGAIN: n bytes are too few, *need says how many there must be; -EBADMSG: length or checksum is wrong.
 */
int chunk_frame_read(const uint8_t *p, size_t n, struct chunk *out, size_t *need, struct err *e);

/* The length the frame of `size` bytes of data will have. */
size_t chunk_frame_bytes(size_t size);

/* Appends a frame. */
void chunk_frame_write(struct buf *out, uint8_t encoding, const void *data, size_t size);

/* NaN payloads that mean something: the stale marker (model/value/value.go). */
#define STALE_NAN_BITS 0x7ff0000000000002ull

#endif
