/* SPDX-License-Identifier: Apache-2.0 */
/* The inputs of one window: its blocks, and which replica each block is of. */
#ifndef DEDUP_SOURCE_H
#define DEDUP_SOURCE_H

#include "lib/base/blob.h"
#include "lib/tsdb/tombstones.h"
#include "store/catalogue.h"

#define DEDUP_MAX_SOURCES 4096 /* blocks in one window */

enum dedup_func { DEDUP_COMPLETE, DEDUP_PENALTY, DEDUP_CHAIN };

extern const char *const dedup_func_names[]; /* by enum, as --deduplication.func has them; ends with NULL */

struct dedup_settings {
	enum dedup_func func;
	const char *const *replica_labels; /* sorted, no name twice; borrowed */
	size_t n_replica_labels;
};

struct dedup_source {
	struct catalogue_block *block; /* borrowed */
	unsigned replica; /* number of this block's replica identity (the dropped labels' values) in the
			     window: numbers follow the order of the identities' names, so a lower number wins
			     ties */
	bool passthrough; /* chunks that nothing overlaps stay in the source's segments; false where another
			     replica of the same target set covers the window, so that copying what only this
			     one has is cheaper than listing its segments beside the merged one */
};

#endif
