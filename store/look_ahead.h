/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at blocks while the listing that finds them goes on: its pages come one after the other, and the store has time for
 * other requests meanwhile. One thread adds blocks, threads of its own look at them, more of them the more there is to do.
 */
#ifndef STORE_LOOK_AHEAD_H
#define STORE_LOOK_AHEAD_H

#include "store/block_look.h"

#define LOOK_AHEAD_MAX_THREADS 128

struct look_ahead;

/* What a look found, of a block that was not known before. */
struct looked {
	struct block_look look;
	struct block_known known;
};

/* `bucket` is borrowed and has a flat_listing. `threads`: as many at most. */
struct look_ahead *look_ahead_new(struct bucket *bucket, size_t threads);

/*
 * Soon looks at the block that was listed as *scan, and takes the scan's content. has_bad_mark: as in struct block_known. Needs a
 * thread; where there is none to be had, it is looked at in look_ahead_wait.
 */
void look_ahead_add(struct look_ahead *a, struct block_scan *scan, bool has_bad_mark);

/* Helps, and returns once all blocks were looked at. No more may be added then. */
void look_ahead_wait(struct look_ahead *a);

/* After look_ahead_wait: how many there are, and the i-th that was added. The caller may take its content. */
size_t look_ahead_count(const struct look_ahead *a);
struct looked *look_ahead_get(struct look_ahead *a, size_t i);

/* Waits only for the looks that have begun, and frees what was not taken. NULL is fine. */
void look_ahead_free(struct look_ahead *a);

#endif
