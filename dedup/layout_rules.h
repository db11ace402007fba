/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of planning that don't depend on how many replicas there are; layout.c says what they are for. */
#ifndef DEDUP_LAYOUT_RULES_H
#define DEDUP_LAYOUT_RULES_H

#include "dedup/layout.h"

#define SMALL_GAP_MS 30000
#define SWITCH_BYTES \
	64 /* what changing the source costs: times and windows written anew, some more than once */
#define MIN_CAPACITY   16                 /* an empty chunk's frame has 9 bytes */
#define TIME_LIMIT     ((int64_t)1 << 61) /* times beyond it are cut to it, so that no difference overflows */
#define COVERAGE_STEPS 64 /* replicas whose coverage differs by less than a 64th of the best count as equal */

static inline bool is_within_limits(const struct layout_input *c)
{
	return c->meta.mint >= -TIME_LIMIT && c->meta.maxt <= TIME_LIMIT;
}

/* How much of the time line a chunk covers. */
static inline uint64_t chunk_coverage(const struct layout_input *c)
{
	return (uint64_t)c->meta.maxt - (uint64_t)c->meta.mint + 1;
}

static inline uint64_t coverage_step(uint64_t best)
{
	return best / COVERAGE_STEPS + 1;
}

/* Whether a gap of a replica is left to the slot of the run beside it, of this length, instead of being filled. */
static inline bool is_small_gap(int64_t gap, int64_t run_ms)
{
	return gap <= MAX_OF(run_ms / 4, SMALL_GAP_MS);
}

/* The bytes of a chunk's frame that fall into a <= t <= b, about. */
static inline uint64_t bytes_between(const struct layout_input *c, int64_t a, int64_t b)
{
	uint64_t part = (uint64_t)b - (uint64_t)a + 1, whole = chunk_coverage(c);
	if (part == whole)
		return c->frame_bytes + 1ull;
	if (part <= UINT32_MAX)
		return part * c->frame_bytes / whole + 1;
	return (uint64_t)((unsigned __int128)part * c->frame_bytes / whole) + 1;
}

/* What a slot may take whose content was `bytes` long in its sources; `switches`: it may be written anew. */
static inline uint32_t slot_capacity(uint64_t bytes, bool switches)
{
	if (switches)
		bytes += SWITCH_BYTES + bytes / 16;
	return (uint32_t)MIN_OF(MAX_OF(bytes, MIN_CAPACITY), CHUNK_MAX_BYTES);
}

static inline struct slot_source slot_source_of(
	const struct layout_input *c, size_t rank, enum slot_role role)
{
	return (struct slot_source){
		.ref = c->meta.ref,
		.tombstoned_series = c->tombstoned_series,
		.frame_bytes = c->frame_bytes,
		.source = c->source,
		.rank = (uint16_t)rank,
		.role = (uint8_t)role,
	};
}

#endif
