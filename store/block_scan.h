/* SPDX-License-Identifier: Apache-2.0 */
/* Which files a block has in the bucket, as far as a listing tells. */
#ifndef STORE_BLOCK_SCAN_H
#define STORE_BLOCK_SCAN_H

#include "lib/base/err.h"
#include "lib/base/ulid.h"
#include "lib/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define BLOCK_MAX_SEGMENTS (1u << 20) /* a larger number in a file's name is taken for something else */

struct block_segment {
	uint32_t number; /* 1 for chunks/000001 */
	uint64_t bytes;
};

/* Zero-initialise it, block_scan_fini it. */
struct block_scan {
	struct ulid ulid;
	bool has_any, has_meta, has_index, has_deletion_mark, has_tombstones;
	uint64_t index_bytes;
	uint64_t meta_bytes,
		mark_bytes; /* of meta.json and deletion-mark.json; 0 where the listing had no sizes */
	VEC(struct block_segment) segments;
};
void block_scan_fini(struct block_scan *s);

/* The block whose directory `path` begins with; *rest is what follows "ULID/". False: it isn't a block's. */
bool block_scan_path(const char *path, struct ulid *ulid, const char **rest);

/* Adds the file `rest`, a path inside the block's directory. What isn't part of a block only shows that it
 * has any. */
void block_scan_add(struct block_scan *s, const char *rest, uint64_t bytes);

/* Moves what `from` found, of the same block, to `to`. */
void block_scan_merge(struct block_scan *to, struct block_scan *from);

/* Sorts the segments; -EBADMSG names the first one that is missing between them or twice there. */
int block_scan_check_segments(struct block_scan *s, struct err *e);

/* The size of the file `rest` of the block; false: it has none. Segments must be sorted. */
bool block_scan_size(const struct block_scan *s, const char *rest, uint64_t *bytes);

#endif
