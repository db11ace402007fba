/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot map of a merged block: one local file that says, for each slot of its synthetic segments, where it lies, how
 * much it may hold and which source chunks make it.
 */
#ifndef DEDUP_SLOT_MAP_H
#define DEDUP_SLOT_MAP_H

#include "dedup/layout.h"

#define SLOT_FIRST_OFFSET (128u << 10) /* of the first slot in a segment: an open reads what comes before it */

struct slot_map_writer;

int slot_map_writer_open(const char *path, struct slot_map_writer **out, struct err *e);

/* Gives the slot its place: synthetic segment *segment (from 0) at *offset. Places rise from call to call. */
int slot_map_writer_add(
	struct slot_map_writer *w, const struct slot *s, uint32_t *segment, uint32_t *offset, struct err *e);

/* Writes the directory of the map; fsyncs. */
int slot_map_writer_finish(struct slot_map_writer *w, struct err *e);
void slot_map_writer_close(struct slot_map_writer *w); /* NULL is fine */
DEFINE_AUTO(slot_map_writer, struct slot_map_writer *, slot_map_writer_close)

#endif
