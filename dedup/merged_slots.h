/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes slots of a merged block, for who reads them now and for who will.
 *
 *	read		all slots of the range are there when it returns, in the file or, loose, in memory
 *	ahead		slots whose sources are at hand, or announced, are made; what others need is announced
 *	ahead, last	those others too
 */
#ifndef DEDUP_MERGED_SLOTS_H
#define DEDUP_MERGED_SLOTS_H

#include "dedup/merged_private.h"

/* A reference to the segment's made slots. */
int merged_slots_open(
	struct merged_block *b, struct holdings *h, uint32_t segment, struct made_slots **out, struct err *e);

/* A maker of the block's, given back with _done. */
struct maker *merged_slots_maker(struct merged_block *b, struct holdings *h);
void merged_slots_done(struct merged_block *b, struct holdings *h, struct maker *k);

/*
 * Makes the slots in [at, at + n) that aren't: in the file, or else in k->loose. Costs a distant bucket one round trip, and
 * a second one where some base has a gap. -errno: the slot map is damaged.
 */
int merged_slots_make(struct merged_block *b, struct holdings *h, struct maker *k, struct made_slots *made,
	uint32_t segment, uint64_t at, uint64_t n, bool *incomplete, struct err *e);

/*
 * The same for later: what somebody else is making is left to them, and what can't be had by a read's deadline isn't kept.
 */
void merged_slots_make_ahead(
	struct merged_block *b, struct holdings *h, uint32_t segment, uint64_t at, uint64_t n, bool is_last);

/* Announces what the slots in [at, at + n) that aren't made will be made of: their bases. */
void merged_slots_announce(
	struct merged_block *b, struct holdings *h, uint32_t segment, uint64_t at, uint64_t n);

#endif
