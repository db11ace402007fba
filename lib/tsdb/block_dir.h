/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks in a directory. It is looked at again when somebody asks and the last look is a second old or more, by one who asks, while
 * the others go on with what was seen last. A block never changes, but may come or go at any time: whoever holds one keeps it open.
 * One that turned out to be bad is looked at anew, as its name may stand for other files by then: of a mount that was made again.
 *
 * What is not taken for a block: names that aren't ULIDs, directories without a meta.json, blocks that another one was made from
 * (its parents), and those whose meta.json can't be read, which is logged. Where the mount is gone, looking fails instead.
 */
#ifndef TSDB_BLOCK_DIR_H
#define TSDB_BLOCK_DIR_H

#include "lib/base/err.h"
#include "lib/base/ulid.h"
#include "lib/base/vec.h"
#include "lib/tsdb/block_read.h"

#include <stdatomic.h>
#include <stdint.h>

#define BLOCK_DIR_LOOK_US 1000000

#define BLOCK_DIR_PAGES (48u << 20) /* of blocks that a process keeps in its memory, about */

struct listed_block {
	struct ulid ulid;
	int64_t min_time, max_time; /* ms; min_time <= t < max_time */
	VEC(struct ulid) parents;

	/* private */
	char *dir;
	atomic_uint users;
	atomic_bool is_bad;
	struct block_read *_Atomic open; /* NULL: nobody needed it yet */
};

struct block_dir;

/* Looks at the directory for the first time. */
int block_dir_open(const char *dir, struct block_dir **out, struct err *e);
void block_dir_close(struct block_dir *d); /* NULL is fine; blocks in use stay */
DEFINE_AUTO(block_dir, struct block_dir *, block_dir_close)

/* Some of the blocks, held. Zero-initialise it. */
struct held_blocks {
	VEC(struct listed_block *) list;
};

/*
 * Those that may have samples with mint <= t <= maxt, by the time they begin. `now_us` is the monotonic clock's time; INT64_MAX makes it
 * look in any case. -errno where the directory can't be listed.
 */
int block_dir_hold(struct block_dir *d, int64_t mint, int64_t maxt, int64_t now_us, struct held_blocks *out,
	struct err *e);
void listed_block_hold(
	struct listed_block *b, struct held_blocks *out); /* one that is held already, once more */
void held_blocks_fini(struct held_blocks *h);

/* The block, opened when it is first asked for; borrowed. -errno as block_read_open's; the next one who asks tries again. */
int listed_block_open(struct listed_block *b, struct block_read **out, struct err *e);

/* What reading it gave: where bytes can't be read (-EIO) or are wrong (-EBADMSG) the next look takes what stands under its name then. */
void listed_block_gave(struct listed_block *b, int r);

/* To be called now and then while chunks are read: lets go of all blocks' pages where they are more than BLOCK_DIR_PAGES. */
void block_dir_let_go(struct block_dir *d);

/* The block that ends last, held, if there is any; -errno as block_dir_hold's. */
int block_dir_hold_newest(struct block_dir *d, int64_t now_us, struct held_blocks *out, struct err *e);

#endif
