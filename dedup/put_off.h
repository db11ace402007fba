/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks that a sync leaves out because they can't be read now, remembered from one sync to the next: so that each is named in the
 * log when that begins and when its cause is another, not with every sync. One thread at a time.
 */
#ifndef DEDUP_PUT_OFF_H
#define DEDUP_PUT_OFF_H

#include "lib/base/ulid.h"
#include "lib/base/vec.h"

#include <stdbool.h>

struct put_off {
	VEC(struct put_off_block {
		struct ulid ulid;
		int cause;
		bool is_new; /* of the sync that is under way */
	}) blocks;
};

/* The block is left out by this cause (an errno). True: that is to be said. */
bool put_off_add(struct put_off *p, const struct ulid *block, int cause);

/* A sync is over. Forgets what it didn't leave out, and says how many that were. */
size_t put_off_sync_ends(struct put_off *p);

void put_off_fini(struct put_off *p);

#endif
