/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the local directory of a merged block: index, slots, block.json and the meta.json that the mount
 * shows. */
#ifndef DEDUP_BLOCK_BUILD_H
#define DEDUP_BLOCK_BUILD_H

#include "dedup/window.h"

/*
 * Merges `w` into parent/<ULID>, which appears complete or not at all. On failure *bad_source is the number
 * of the source whose bytes are to blame, and *reason a short name for it ("corrupt-index"); or -1.
 */
int block_build(const char *parent, const struct window *w, struct bucket *bucket,
	const struct dedup_settings *settings, const struct slot_overrides *overrides, int *bad_source,
	const char **reason, struct err *e);

#endif
