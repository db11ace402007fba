/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published set on the local disk: the file `published` beside the merged blocks. What lets the next process show the
 * same listing at once, without a look at the bucket.
 */
#ifndef DEDUP_PUBLISHED_H
#define DEDUP_PUBLISHED_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/ulid.h"
#include "lib/base/vec.h"

#include <stdint.h>

#define PUBLISHED_MAX_BLOCKS (1u << 20)
#define PUBLISHED_MAX_BYTES  (40u + PUBLISHED_MAX_BLOCKS * 32u)

struct published_block {
	struct ulid ulid;
	int64_t min_time, max_time; /* ms */
};

struct published {
	uint64_t generation;
	VEC(struct published_block) blocks; /* sorted by ULID, no ULID twice */
};

void published_fini(struct published *p);

/*
 * All numbers big-endian: magic "TFSPUBL1", generation, number of blocks (64 bits each), the blocks (ULID of 16 bytes, min and
 * max time of 64 bits each), CRC32C of all that stands before it.
 */
void published_write(const struct published *p, struct buf *out);
int published_parse(const char *name, const void *bytes, size_t n, struct published *out, struct err *e);

#endif
