/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot as it stands in the slot map's file. The records of a block are relative to each other; the first is
 * relative to nothing.
 */
#ifndef DEDUP_SLOT_RECORD_H
#define DEDUP_SLOT_RECORD_H

#include "dedup/layout.h"
#include "lib/base/dec.h"

#define SLOT_BLOCK_RECORDS 64 /* at most */

struct slot_encoder;

struct slot_encoder *slot_encoder_new(void);
void slot_encoder_free(struct slot_encoder *x); /* NULL is fine */

/* The next record is the first of a block. */
void slot_encoder_start(struct slot_encoder *x);
void slot_encoder_add(struct slot_encoder *x, const struct slot *s, struct buf *out);

/* A source chunk as later records of the block may refer to it. */
struct known_chunk {
	uint64_t ref, tombstoned_series;
	uint32_t frame_bytes;
};

/* What is known of a block's source: the chunks named last, the newest first. */
struct known_source {
	struct known_chunk last[2];
	uint64_t next;  /* where the newest one ends */
	uint32_t block; /* the writer's count: what is known of an earlier block doesn't count */
	uint16_t source;
};

/* The times that the next record's are relative to. */
struct slot_times {
	int64_t t;          /* the last slot's end, or its start where it has no end */
	uint64_t span, gap; /* the last slot's length, and its distance from its left neighbour */
};

/* A list of sources that records share, and which of their times they have; parts[first .. first + n). */
struct slot_shape {
	uint8_t flags;
	uint32_t n;
	size_t first;
};

struct shape_part {
	uint32_t known; /* its place among the known sources */
	uint16_t rank;
	uint8_t role, kind;
};

/* Zero-initialise it, slot_decoder_fini it. */
struct slot_decoder {
	struct slot_times times;
	VEC(struct known_source) known;
	VEC(struct slot_shape) shapes;
	VEC(struct shape_part) parts;
};

void slot_decoder_start(struct slot_decoder *x);

/* Reads a record; appends its sources to `sources`, where s->sources doesn't point yet. Bad bytes fail `d`. */
void slot_decoder_next(struct slot_decoder *x, struct dec *d, struct slot *s, struct slot_sources *sources);
void slot_decoder_fini(struct slot_decoder *x);

#endif
