/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at one block in the bucket: is it complete, what does its meta.json say, is it marked. What never
 * changes is taken over from the last look.
 */
#ifndef STORE_BLOCK_LOOK_H
#define STORE_BLOCK_LOOK_H

#include "store/block_filter.h"
#include "store/block_scan.h"

/* What is known of a block from looks before. */
struct block_known {
	struct catalogue_block *block; /* NULL: it was never found complete */
	bool has_mark;                 /* and it could be read */
	int64_t mark_time_ms;
	bool has_bad_mark; /* it was said in the log that it can't be read */
};

struct block_look {
	struct block_scan scan; /* with flat_listing: filled by the listing; else only the ULID */
	enum block_skip skip;   /* BLOCK_KEPT: complete */
	char *detail;           /* why not; owned */
	bool is_absent;         /* nothing is there, not even a part */
	bool is_done;           /* for who has several: nothing is left to look at */
	struct ulid covered_by; /* where that is why it is left out: by which block */
};

/*
 * Brings *known up to date, where known->block, once set, stays. With a bucket that has no flat_listing, one
 * listing for a block that is known.
 */
void block_look(struct bucket *bucket, struct block_known *known, struct block_look *look);

void block_look_fini(struct block_look *look);

/* Drops what nobody needs once the files' sizes are known. */
void block_meta_slim(struct block_meta *m);

#endif
