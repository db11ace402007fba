/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the local directory of a merged block: index, slots, block.json and the meta.json that the mount
 * shows. */
#ifndef DEDUP_BLOCK_BUILD_H
#define DEDUP_BLOCK_BUILD_H

#include "dedup/window.h"

#include <semaphore.h>

#define PREDECESSORS_MAX 256 /* remembered; of more, the first that were added */

/* Blocks that the new one takes the place of. */
struct predecessors {
	VEC(struct meta_parent) list;
};

/* What all blocks of a view are built with; everything is borrowed. */
struct block_builder {
	const char *parent; /* the local directory of merged blocks */
	struct bucket *bucket;
	const struct dedup_settings *settings;
	const struct slot_overrides *overrides;
	size_t ahead_bytes; /* most that is held of a window's indexes ahead of the merge, where they come from far away */
	sem_t *merging; /* taken while indexes are merged, not while the bucket is waited for; may be NULL */
};

/*
 * Merges `w` into parent/<ULID>, which appears complete or not at all. On failure *bad_source is the number
 * of the source whose bytes are to blame, and *reason a short name for it ("corrupt-index"); or -1.
 */
int block_build(const struct block_builder *by, const struct window *w, const struct predecessors *before,
	int *bad_source, const char **reason, struct err *e);

/* Adds the block in local directory `dir`, and what it had taken the place of; none of them twice. */
void predecessors_add(struct predecessors *p, const char *dir);

#endif
