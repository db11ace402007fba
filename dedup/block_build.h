/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the local directory of a merged block: index, slots, block.json and the meta.json that the mount
 * shows. */
#ifndef DEDUP_BLOCK_BUILD_H
#define DEDUP_BLOCK_BUILD_H

#include "dedup/window.h"

#define PREDECESSORS_MAX 256 /* remembered; of more, the first that were added */

/* Blocks that the new one takes the place of. */
struct predecessors {
	VEC(struct meta_parent) list;
};

/*
 * Merges `w` into parent/<ULID>, which appears complete or not at all. On failure *bad_source is the number
 * of the source whose bytes are to blame, and *reason a short name for it ("corrupt-index"); or -1.
 */
int block_build(const char *parent, const struct window *w, struct bucket *bucket,
	const struct dedup_settings *settings, const struct slot_overrides *overrides,
	const struct predecessors *before, int *bad_source, const char **reason, struct err *e);

/* Adds the block in local directory `dir`, and what it had taken the place of; none of them twice. */
void predecessors_add(struct predecessors *p, const char *dir);

#endif
