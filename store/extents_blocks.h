/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of a cached object: what is there, reading, checking and storing it. */
#ifndef STORE_EXTENTS_BLOCKS_H
#define STORE_EXTENTS_BLOCKS_H

#include "store/extents_state.h"

/*
 * Reads what can be read of [at, at + n), from the front: the number of bytes, 0 where the first block isn't verified, or
 * -errno where the file can't be read. Takes no lock.
 */
ssize_t extents_blocks_read(struct extents *x, struct extents_object *o, void *out, size_t n, uint64_t at);

/* Whether all blocks of [first, last) can be read now. Takes no lock. */
bool extents_blocks_present(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last);

/* Checks the checksums of those blocks of [first, last) that are present and were not checked. */
void extents_blocks_verify(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last);

/* Takes the blocks of [first, last) out of the cache: they are fetched anew. The ones that are on their way stay so. */
void extents_blocks_distrust(struct extents *x, struct extents_object *o, uint64_t first, uint64_t last);

/*
 * Stores blocks first + i for the bits i of `own`, which the caller's fetch owns; data begins at block `first`. May store
 * less or nothing: where there is no room, or the directory fails.
 */
void extents_blocks_store(struct extents *x, struct extents_object *o, uint64_t first, uint64_t own,
	const uint8_t *data, bool is_unused);

/* The bytes of the blocks of a region that `mask` names. */
uint64_t extents_blocks_bytes(
	const struct extents *x, const struct extents_object *o, uint64_t index, uint64_t mask);

/* The region of a block, NULL where nothing happened there so far; and one made where there was none. */
struct extents_region *extents_blocks_region(
	const struct extents *x, const struct extents_object *o, uint64_t block);
struct extents_region *extents_blocks_make_region_locked(
	struct extents *x, struct extents_object *o, uint64_t block);

#endif
