/* SPDX-License-Identifier: Apache-2.0 */
/* Byte ranges of source segments: what will be read to make some slots. */
#ifndef DEDUP_SOURCE_RANGES_H
#define DEDUP_SOURCE_RANGES_H

#include "dedup/layout.h"

struct source_range {
	uint16_t source; /* number of the block in the window, and a segment of it, from 0 */
	uint32_t segment;
	uint64_t from, to;
};

/* Zero-initialise it; vec_fini it. */
struct source_ranges {
	struct source_range *data;
	size_t len, cap;
};

/* The chunk's frame. Chunks that follow each other, as those of neighbouring slots do, make one range at once. */
void source_ranges_add(struct source_ranges *l, const struct slot_source *s);

/* Sorts them and joins what lies close together. */
void source_ranges_join(struct source_ranges *l);

/* The range that holds this byte, borrowed; NULL: there is none. They must have been joined. */
const struct source_range *source_ranges_find(
	const struct source_ranges *l, uint16_t source, uint32_t segment, uint64_t at);

#endif
