/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of an object's bytes through the cache, and announcements of what will be read. */
#ifndef STORE_EXTENTS_READ_H
#define STORE_EXTENTS_READ_H

#include "store/extents_source.h"

/* Blocks that one call of extents_read spans at most. */
#define EXTENTS_WINDOW_BLOCKS 128

/* What to fetch ahead, in blocks; none where first == last. */
struct extents_ahead {
	uint64_t first, last;
};

/*
 * Reads n > 0 bytes at `at`, which span at most EXTENTS_WINDOW_BLOCKS blocks, waiting for what is not there. Announces
 * `ahead` once the read's own fetches are on their way.
 */
int extents_read(struct extents *x, struct extents_source *s, void *out, size_t n, uint64_t at,
	struct extents_ahead ahead, struct err *e);

/* Queues what is missing of the blocks. Never waits. */
void extents_announce(struct extents *x, struct extents_source *s, struct extents_ahead ahead);

#endif
