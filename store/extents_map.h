/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The companion of a cached object's file: whose bytes they are, and which blocks are there, each with its checksum. Numbers
 * are big-endian:
 *
 *	┌──────────────────────────────────────────────────────────────┐
 *	│ "TFSEXT1\n" <8 bytes>                                        │
 *	│ block size <u32> │ object's size <u64> │ last use <u64>      │
 *	│ name's length <uvarint> │ name │ version's length │ version  │
 *	│ regions <u32>                                                │
 *	│ ┌──────────────────────────────────────────────────────────┐ │
 *	│ │ number <u32> │ last use <u64> │ present blocks <u64 bits> │ │  rising numbers; the lowest bit is the first
 *	│ │ CRC-32C of each present block <u32>                      │ │  block; a region is 1 MiB
 *	│ └──────────────────────────────────────────────────────────┘ │
 *	│ CRC-32C of all that <u32>                                    │
 *	└──────────────────────────────────────────────────────────────┘
 *
 * Uses are numbers of a clock that ticks once a fetch.
 */
#ifndef STORE_EXTENTS_MAP_H
#define STORE_EXTENTS_MAP_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/vec.h"

#include <stdint.h>

#define EXTENTS_REGION_BYTES     (1ull << 20)
#define EXTENTS_OBJECT_MAX_BYTES (64ull << 30)
#define EXTENTS_NAME_MAX         4095
#define EXTENTS_VERSION_MAX      127
#define EXTENTS_MAP_MAX_BYTES    (32u << 20) /* an object of 64 GiB, complete, in blocks of 16 KiB: 17 MiB */

struct extents_map_region {
	uint32_t index;
	uint64_t used;
	uint64_t present;
	size_t crc; /* of the first present block, in extents_map.crcs; the others follow */
};

struct extents_map {
	uint32_t block_bytes;
	uint64_t size, used;
	char *name, *version;
	VEC(struct extents_map_region) regions;
	VEC(uint32_t) crcs;
};

void extents_map_fini(struct extents_map *m);
static inline void mem_auto_extents_map(struct extents_map *m)
{
	extents_map_fini(m);
}
#define auto_extents_map __attribute__((cleanup(mem_auto_extents_map)))

/* Appends the file's content. */
void extents_map_write(const struct extents_map *m, struct buf *out);

/* `m` is zeroed before. -EBADMSG: the bytes are not what extents_map_write wrote; `m` is empty then. */
int extents_map_parse(const char *path, const void *p, size_t n, struct extents_map *m, struct err *e);

/* The bits of the blocks that region `index` of an object of this size has. */
uint64_t extents_map_region_mask(uint64_t size, uint32_t block_bytes, uint64_t index);

#endif
