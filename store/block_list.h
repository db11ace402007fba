/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists what blocks a bucket holds. Of a flat bucket the listing tells what files each has too; blocks that are new are looked
 * at while it goes on (store/look_ahead.h).
 */
#ifndef STORE_BLOCK_LIST_H
#define STORE_BLOCK_LIST_H

#include "store/look_ahead.h"

/*
 * Zero-initialise it, block_list_fini it. A look that is not done has found no more than what the listing tells; one that is
 * comes with what it found out of the block.
 */
struct block_list {
	VEC(struct looked) blocks; /* sorted by ULID, each once */
};
void block_list_fini(struct block_list *l);

/* What is known of a block by now, valid during the listing; NULL: nothing. */
typedef const struct block_known *block_list_known_fn(void *arg, const struct ulid *ulid);

/* -errno where the bucket can't be listed: *out is of no use then, but for block_list_fini. */
int block_list(
	struct bucket *b, block_list_known_fn *known, void *arg, struct block_list *out, struct err *e);

#endif
