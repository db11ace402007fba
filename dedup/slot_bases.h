/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bases of slots that are about to be merged, fetched one after the other and decoded side by side (lib/tsdb/xor_lanes.h). Merging a slot
 * is mostly decoding its base, and a slot by itself has too few chunks for that.
 */
#ifndef DEDUP_SLOT_BASES_H
#define DEDUP_SLOT_BASES_H

#include "dedup/slot_merge.h"
#include "lib/tsdb/xor.h"
#include "lib/tsdb/xor_lanes.h"

struct slot_base {
	uint64_t ref;
	uint16_t source;
	int r; /* what the reader gave */
	uint8_t encoding;
	size_t at, size; /* the chunk's data in `bytes` */
	size_t lane;     /* XOR_LANES: none */
};

/* Zero-initialise it; slot_bases_fini it. */
struct slot_bases {
	struct slot_base base[XOR_LANES];
	size_t n;
	struct buf bytes;
	struct float_columns samples;
	bool are_decoded; /* those that have a lane */
	struct xor_lanes lanes;
};

void slot_bases_fini(struct slot_bases *b);
void slot_bases_clear(struct slot_bases *b);

static inline bool slot_bases_are_full(const struct slot_bases *b)
{
	return b->n == XOR_LANES;
}

/* Fetches the slot's base. The last one can be forgotten again. There must be room. */
void slot_bases_add(struct slot_bases *b, const struct slot *slot, struct slot_reader *reader);
void slot_bases_forget_last(struct slot_bases *b);

/* Decodes what was added. */
void slot_bases_decode(struct slot_bases *b);

/* The base that this source is, borrowed until the next clear; NULL: it isn't there. */
const struct slot_base *slot_bases_find(const struct slot_bases *b, const struct slot_source *s);

/* What the reader gave: its result, and *out, borrowed likewise. */
int slot_base_chunk(const struct slot_bases *b, const struct slot_base *base, struct chunk *out);

/* Appends its samples; false where it isn't decoded. */
bool slot_base_samples(const struct slot_bases *b, const struct slot_base *base, struct float_columns *out);

#endif
