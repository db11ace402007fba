/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks that are left out now, and why: what the last sync left out, and what was rejected since. A rejected block may
 * have been spoilt on the way here, so it is tried again after some syncs, and, rejected again, ever more seldom. Any thread;
 * one of them syncs.
 */
#ifndef STORE_LEFT_OUT_H
#define STORE_LEFT_OUT_H

#include "lib/base/ulid.h"

#include <stdbool.h>
#include <stddef.h>

#define LEFT_OUT_FIRST_TRIAL_SYNCS 4 /* after so many syncs; each pause is twice the last one */
#define LEFT_OUT_MAX_TRIAL_SYNCS   64

struct left_out;

struct left_out_block {
	struct ulid ulid;
	const char *reason; /* lives as long as struct left_out; NULL: what it was rejected for */
	char *detail;       /* owned */
};

struct left_out *left_out_new(void);
void left_out_free(struct left_out *l); /* NULL is fine */

/* Counts a block in thanosfs_blocks_skipped_total{reason}, and names it in the log: as a warning where it is damaged. */
void left_out_say(
	const char *bucket, const struct ulid *block, const char *reason, const char *detail, bool is_damage);

/* Rejects a block; true: for the first time. */
bool left_out_reject(struct left_out *l, const struct ulid *block, const char *reason, const char *detail);

/*
 * A sync: first the blocks that the last one tried, and that nobody has rejected since, are whole after all. Then it asks once
 * about each block that nothing else speaks against: the detail of why it is rejected, the caller's; NULL: it is listed,
 * rejected or not. At the end it says what it left out, sorted by ULID, and hands over the details.
 */
void left_out_sync_begins(struct left_out *l);
char *left_out_why_rejected(struct left_out *l, const struct ulid *block);
void left_out_sync_ends(struct left_out *l, struct left_out_block *blocks, size_t n);

/* Each block that is left out now, by ULID. `fn` must not call these functions. */
void left_out_each(struct left_out *l,
	void (*fn)(void *arg, const struct ulid *block, const char *reason, const char *detail), void *arg);

#endif
