/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source chunks of a merged block: its blocks' segments, opened when first needed, and readers that fetch
 * chunks from them in long strides, since the slots of neighbouring series have their sources side by side.
 */
#ifndef DEDUP_SOURCE_CHUNKS_H
#define DEDUP_SOURCE_CHUNKS_H

#include "dedup/slot_merge.h"

struct source_chunks;

/* Borrows the bucket; takes a reference to each block. */
struct source_chunks *source_chunks_new(
	struct bucket *bucket, struct catalogue_block *const *blocks, size_t n);
void source_chunks_free(struct source_chunks *s); /* no reader must be left */

/* The object of one segment, from 0; borrowed until _release or _free. */
int source_chunks_segment(
	struct source_chunks *s, uint16_t source, uint32_t segment, struct blob **out, struct err *e);

/* Opens all segments of all sources, so that they go on being readable when their blocks are deleted. */
void source_chunks_pin(struct source_chunks *s);

/* Closes what is open. Nobody must be reading. */
void source_chunks_release(struct source_chunks *s);

/* Reads chunks for one thread at a time; is a slot_reader. */
struct source_reader;
struct source_reader *source_reader_new(struct source_chunks *s);
void source_reader_free(struct source_reader *r); /* NULL is fine */
struct slot_reader *source_reader_slots(struct source_reader *r);

#endif
