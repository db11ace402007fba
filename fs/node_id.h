/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node ids: 64 bits by which the kernel names a file, and a pure function of what the file is, so that every
 * process that ever serves this mount gives the same id to the same file.
 *
 *	bit 63  62..60         59..0
 *	 0      0  fixed       1 is the root; see below
 *	 0      1  block       44 bits: hash of the merged block's ULID | 16 bits: place in the block
 *	 0      2  bucket      28 bits: hash of the name's first part | 32 bits: hash of the whole name
 *	 0      3  upper       20 bits: hash of the backing inode's generation | 40 bits: its number
 */
#ifndef FS_NODE_ID_H
#define FS_NODE_ID_H

#include "lib/base/ulid.h"

#include <stddef.h>
#include <stdint.h>

enum node_kind { NODE_FIXED, NODE_BLOCK, NODE_BUCKET, NODE_UPPER };

#define NODE_ROOT    1u
#define NODE_CONTROL 2u /* the directory .thanosfs */
#define NODE_RAW     3u /* .thanosfs/bucket */
#define NODE_TEXTS   4u /* the first of the files of .thanosfs */

#define NODE_BLOCK_FILES_MAX 65534u /* of a merged block; more have no id */

/* Places in a block: the directory itself, its directory chunks, then its files in their order. */
enum node_place { NODE_PLACE_DIR, NODE_PLACE_CHUNKS, NODE_PLACE_FILES };

static inline enum node_kind node_kind(uint64_t id)
{
	return (enum node_kind)(id >> 60 & 7);
}

/* 44 bits. */
uint64_t node_block_hash(const struct ulid *u);

static inline uint64_t node_block(uint64_t block_hash, unsigned place)
{
	return (uint64_t)NODE_BLOCK << 60 | block_hash << 16 | place;
}

static inline uint64_t node_block_hash_of(uint64_t id)
{
	return id >> 16 & ((1ull << 44) - 1);
}

static inline unsigned node_place_of(uint64_t id)
{
	return (unsigned)(id & 0xffff);
}

/* `name` is an object's or directory's name from the bucket's root, without a slash at its end. */
uint64_t node_bucket(const char *name);

/* The upper 32 bits, which all names with this first part share. */
static inline uint32_t node_bucket_first_part(uint64_t id)
{
	return (uint32_t)(id >> 32);
}

/* A backing inode's number and whatever tells it from an earlier file that had the same number. */
uint64_t node_upper(uint64_t ino, const void *generation, size_t n);

/* 17 bits that stand for a set of blocks, given in one order. */
uint32_t node_set_tag(const struct ulid *all, size_t n);

/* 60 bits: the place of a name in a directory that is listed in the order of hashes. */
uint64_t node_name_hash(const char *name);

#endif
