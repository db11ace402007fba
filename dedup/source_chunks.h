/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source chunks of a merged block: its blocks' segments, opened when first needed, and readers that fetch
 * chunks from them.
 *
 * The slots of neighbouring series have their sources side by side. Where a segment takes hints, its bytes are far away:
 * all that a piece of work will read is announced before any of it is read, and then exactly that is read, so that it
 * costs one round trip. Elsewhere chunks are read in long strides.
 */
#ifndef DEDUP_SOURCE_CHUNKS_H
#define DEDUP_SOURCE_CHUNKS_H

#include "dedup/slot_merge.h"
#include "dedup/source_ranges.h"

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

/* Whether its bytes are far away and can be asked for ahead; opens it. */
bool source_chunks_takes_hints(struct source_chunks *s, uint16_t source, uint32_t segment);

/* Says of what was joined that it will be read. */
void source_chunks_announce(struct source_chunks *s, const struct source_ranges *l);

/* Reads chunks for one thread at a time; is a slot_reader. */
struct source_reader;
struct source_reader *source_reader_new(struct source_chunks *s);
void source_reader_free(struct source_reader *r); /* NULL is fine */
struct slot_reader *source_reader_slots(struct source_reader *r);

/*
 * What was announced: joined, and borrowed until the next call; NULL: nothing. With `later`, a chunk outside of it that is
 * far away is not waited for: it is added to `later`, and reading it fails with -EINPROGRESS.
 */
void source_reader_expect(
	struct source_reader *r, const struct source_ranges *announced, struct source_ranges *later);

/* Whether a chunk was put off since the last call. */
bool source_reader_put_off(struct source_reader *r);

#endif
