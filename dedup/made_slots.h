/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots of one synthetic segment that have been made: a sparse local file of the segment's whole size,
 * and a bit a slot. The bits reach the disk only after the slots they stand for, so a crash costs at most
 * making some again.
 */
#ifndef DEDUP_MADE_SLOTS_H
#define DEDUP_MADE_SLOTS_H

#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct made_slots;

/* Opens or creates `path` (and path.made) for a segment of this size whose slots have numbers first ... first
 * + slots - 1. */
int made_slots_open(const char *path, uint64_t segment_bytes, uint64_t first, uint64_t slots,
	struct made_slots **out, struct err *e);

/*
 * In the place of one that can't be opened, as where the disk is full: its descriptor is an empty segment, and it keeps nothing,
 * so that every put fails with -ENOSPC.
 */
int made_slots_stand_in(const char *path, uint64_t segment_bytes, uint64_t first, uint64_t slots,
	struct made_slots **out, struct err *e);

/* Of such a one: how long it has stood in; -1 for others. */
int64_t made_slots_stands_in_us(const struct made_slots *m);

/* Whoever reads the descriptor holds a reference: the file of a discarded one goes on being whole. */
struct made_slots *made_slots_ref(struct made_slots *m);
void made_slots_unref(struct made_slots *m); /* NULL is fine; the last one saves */

bool made_slots_has(const struct made_slots *m, uint64_t slot);

/* Writes a slot's bytes (none: the slot stays zeros) and marks it as made. Two threads may write the same
 * slot: the bytes are the same. */
int made_slots_put(
	struct made_slots *m, uint64_t slot, uint64_t offset, const void *p, size_t n, struct err *e);

/*
 * Says that the caller is about to make the slot; false: somebody else is. Two may make one all the same: it is wasted
 * work, nothing worse.
 */
bool made_slots_claim(struct made_slots *m, uint64_t slot);
void made_slots_unclaim(struct made_slots *m, uint64_t slot);

int made_slots_fd(const struct made_slots *m);

/* Says that it is in use now: its file's time follows within a minute, for the cache's limit. */
void made_slots_touch(struct made_slots *m);

/* fdatasync, then the bits; cheap where nothing is new. */
int made_slots_save(struct made_slots *m, struct err *e);

/* Puts an empty file in the place of the made one, and takes the bits away; who holds a reference goes on
 * reading. */
void made_slots_discard(struct made_slots *m);
void made_slots_clear(const char *path); /* the same where it isn't open */

#endif
