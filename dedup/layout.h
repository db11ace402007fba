/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which chunks a merged series will have, decided from the chunk metas of its sources alone: chunks that
 * nothing overlaps pass through; the rest of the time line is cut into slots, each of which depends on
 * nothing outside the source chunks that overlap it.
 */
#ifndef DEDUP_LAYOUT_H
#define DEDUP_LAYOUT_H

#include "dedup/source.h"
#include "lib/base/vec.h"
#include "lib/tsdb/chunk.h"

struct layout_input {
	struct chunk_meta meta;     /* ref as in the source block */
	uint64_t tombstoned_series; /* the series' ref in the source block where some of the chunk's samples
				       are deleted; else 0 */
	uint32_t frame_bytes;       /* of the chunk's frame, estimated from the next ref */
	uint16_t source;            /* number of the block in the window */
	uint16_t replica;           /* number of the replica identity; lower wins ties */
};

/* What a source chunk is to a slot. */
enum slot_role {
	SLOT_MEMBER, /* some of its samples may stand in the slot */
	SLOT_BEFORE, /* the chunk before the slot that shows its last sample: looked at where that may be a stale marker */
	SLOT_AFTER, /* the one after it, likewise */
};

/* A source chunk of a slot. */
struct slot_source {
	uint64_t ref;
	uint64_t tombstoned_series;
	uint32_t frame_bytes;
	uint16_t source;
	uint16_t rank; /* of its replica in the series: the lowest among the members is the slot's base */
	uint8_t role;  /* enum slot_role */
};

struct slot_sources {
	struct slot_source *data;
	size_t len, cap;
};

/* A piece of the time line whose samples are made, not found. */
struct slot {
	int64_t from, to;    /* its samples: from <= t < to */
	int64_t left, right; /* samples known to stand before and after it; INT64_MIN, INT64_MAX: none */
	uint32_t capacity;   /* bytes its frame may take */
	uint32_t n_sources;
	const struct slot_source *sources; /* members sorted by rank, then by time; then the others */
};

struct planned_chunk {
	int64_t mint, maxt; /* inclusive; may be wider than the samples */
	bool is_slot;
	/* is_slot */
	struct slot slot;
	/* passed through */
	uint16_t source;
	uint64_t ref;
};

struct layout;
struct slot_overrides; /* exact sizes of slots that turned out too small: dedup/slot_overrides.h */

/* Borrows all three; `overrides` may be NULL. */
struct layout *layout_new(const struct dedup_source *sources, size_t n_sources, enum dedup_func func,
	const struct slot_overrides *overrides);
void layout_free(struct layout *l);

/*
 * Plans one series from all its sources' chunks, given in any order. Returns the number of chunks; *out is
 * borrowed until the next call: sorted, not overlapping. The result is the same for any order of `in`.
 */
size_t layout_series(
	struct layout *l, const struct layout_input *in, size_t n, const struct planned_chunk **out);

/* The same for any series, without the short way that most of them can take: what that is tested against. */
size_t layout_series_any(
	struct layout *l, const struct layout_input *in, size_t n, const struct planned_chunk **out);

#endif
