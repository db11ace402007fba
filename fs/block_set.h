/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published blocks as the filesystem needs them: by the hash that is in their node ids, which is also the
 * order in which they are listed. And the blocks that were published before, which the kernel may still ask
 * for.
 */
#ifndef FS_BLOCK_SET_H
#define FS_BLOCK_SET_H

#include "dedup/view.h"
#include "lib/base/err.h"

struct block_ref {
	uint64_t hash;
	struct merged_block *block; /* borrowed from the snapshot */
};

/* Immutable; shared by reference counts. */
struct block_set {
	_Atomic unsigned refs;
	struct view_snapshot *snapshot;
	int64_t since_ms; /* when it was published, for the root's mtime */
	uint32_t tag;     /* 17 bits that tell this set of blocks from others, in any process */
	size_t n;
	struct block_ref *by_hash;
};

struct block_sets;

/* `path` is the file that keeps which blocks have been published, for a process that comes after this one. */
int block_sets_open(struct view *view, const char *path, struct block_sets **out, struct err *e);
void block_sets_close(struct block_sets *s); /* NULL is fine */

/* Takes up what is published now. */
void block_sets_update(struct block_sets *s);

struct block_set *block_sets_get(struct block_sets *s); /* a reference */

/*
 * The set that a listing began with, so that it ends with it too: one that shows blocks of two sets would show windows
 * twice. The present one where that set has been gone for long. A reference.
 */
struct block_set *block_sets_get_tagged(struct block_sets *s, uint32_t tag);

void block_set_unref(struct block_set *b); /* NULL is fine */
DEFINE_AUTO(block_set, struct block_set *, block_set_unref)

/* The first block whose hash is not below. */
size_t block_set_from(const struct block_set *b, uint64_t hash);

/* Borrowed; NULL: not published. */
struct merged_block *block_set_find(const struct block_set *b, const struct ulid *u);

/* A block that is or was published, by the hash of its ULID: a reference, or NULL. */
struct merged_block *block_sets_find_any(struct block_sets *s, uint64_t hash);

#endif
