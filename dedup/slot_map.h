/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot map of a merged block: one local file that says, for each slot of its synthetic segments, where it
 * lies, how much it may hold and which source chunks make it.
 */
#ifndef DEDUP_SLOT_MAP_H
#define DEDUP_SLOT_MAP_H

#include "dedup/slot_record.h"

#define SLOT_FIRST_OFFSET \
	(128u << 10) /* of the first slot in a segment: an open reads what comes before it */

struct slot_map_writer;

int slot_map_writer_open(const char *path, struct slot_map_writer **out, struct err *e);

/* Gives the slot its place: synthetic segment *segment (from 0) at *offset. Places rise from call to call. */
int slot_map_writer_add(
	struct slot_map_writer *w, const struct slot *s, uint32_t *segment, uint32_t *offset, struct err *e);

/* Writes the directory of the map; fsyncs. */
int slot_map_writer_finish(struct slot_map_writer *w, struct err *e);
void slot_map_writer_close(struct slot_map_writer *w); /* NULL is fine */
DEFINE_AUTO(slot_map_writer, struct slot_map_writer *, slot_map_writer_close)

/* A slot as the map gives it back. `sources` is borrowed from the cursor. */
struct mapped_slot {
	struct slot slot;
	uint64_t number;  /* of the slot in the map, from 0 */
	uint32_t segment; /* the synthetic segment, and where in it */
	uint32_t offset;
};

struct slot_map;

/* Verifies the directory; the records are checked as they are read. */
int slot_map_open(const char *path, struct slot_map **out, struct err *e);
void slot_map_close(struct slot_map *m); /* NULL is fine */
DEFINE_AUTO(slot_map, struct slot_map *, slot_map_close)

uint64_t slot_map_slots(const struct slot_map *m);
uint32_t slot_map_segments(const struct slot_map *m);
uint64_t slot_map_segment_bytes(const struct slot_map *m, uint32_t segment);
uint64_t slot_map_segment_first(const struct slot_map *m, uint32_t segment); /* number of its first slot */

/* Walks slots in order. Zero-initialise it; a cursor that is kept makes the next seek in its neighbourhood
 * cheap. */
struct slot_cursor {
	uint64_t block; /* of the map, whose slots are decoded, + 1 */
	VEC(struct mapped_slot) slots;
	struct slot_sources sources;
	struct slot_decoder decoder;
	size_t at;
};

/* To the first slot of `segment` that ends after offset `at`. 1: there is one, 0: not, -EBADMSG: the map is
 * damaged. */
int slot_map_seek(struct slot_map *m, struct slot_cursor *c, uint32_t segment, uint64_t at, struct err *e);

/* The slot under the cursor, borrowed until it moves. */
static inline const struct mapped_slot *slot_cursor_get(const struct slot_cursor *c)
{
	return &c->slots.data[c->at];
}

/* To the next slot, if it is in the same segment: 1, else 0, or -EBADMSG. */
int slot_map_next(struct slot_map *m, struct slot_cursor *c, struct err *e);
void slot_cursor_fini(struct slot_cursor *c);

#endif
