/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block in a directory, open for reading: index and segments are mapped whole, tombstones are read. Opening looks at no chunk, so
 * that on a mount nothing is fetched before it is known what will be read.
 */
#ifndef TSDB_BLOCK_READ_H
#define TSDB_BLOCK_READ_H

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/index_read.h"
#include "lib/tsdb/tombstones.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_MAX_SEGMENTS (1u << 16) /* more are refused */

struct segment_map {
	const uint8_t *p; /* NULL: it is empty */
	size_t bytes;
};

#define BLOCK_READ_STRIDE (64u << 10) /* that the kernel maps about where a page is touched */

struct block_read {
	char *dir;
	const char *name; /* the last part of dir: its ULID */
	struct segment_map index_map;
	struct index_read *index; /* under a guard */
	struct tombstones tombstones;
	VEC(struct segment_map) segments; /* by the order of their files' names, as refs count them */
};

/* 0; -ENOENT where there is no such directory or no index in it; -EBADMSG, -EIO, ... */
int block_read_open(const char *dir, struct block_read **out, struct err *e);
void block_read_close(struct block_read *b); /* NULL is fine */
DEFINE_AUTO(block_read, struct block_read *, block_read_close)

/* The chunk, borrowed from the mapping, its checksum verified. -EBADMSG in Prometheus' words. Under a guard. */
int block_read_chunk(const struct block_read *b, uint64_t ref, struct chunk *out, struct err *e);

/*
 * Pages that were touched stay in the memory of the process, where they count as its own, though the kernel may take them. What all blocks
 * together have made the process touch since the last true answer: true where it is more than `bytes`. Counted in strides, by each
 * thread for itself, so too much rather than too little.
 */
bool block_read_touched_more_than(uint64_t bytes);

/* Lets go of the block's pages: the kernel's cache keeps them, and who touches one again gets it from there. */
void block_read_let_go(const struct block_read *b);

/* Says that these bytes of a segment are read soon; what of them lies outside of it is left out. Never waits. */
void block_read_announce(const struct block_read *b, uint32_t segment, uint64_t from, uint64_t to);

#endif
