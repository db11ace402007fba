/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunks of one series on their way into its samples. Float chunks are gathered, whatever blocks they come from, and decoded side by
 * side (lib/tsdb/xor_lanes.h); each has its place among the samples from the start, so that their order is that in which they were added.
 */
#ifndef TSDB_CHUNK_BATCH_H
#define TSDB_CHUNK_BATCH_H

#include "lib/base/err.h"
#include "lib/tsdb/block_read.h"
#include "lib/tsdb/series_source.h"
#include "lib/tsdb/xor_lanes.h"

struct chunk_origin {
	const struct block_read *block;
	uint64_t ref;
};

/* Initialise it by chunk_batch_init. It holds nothing that must be freed. */
struct chunk_batch {
	struct samples *out; /* those of chunks that wait are counted, but hold anything until the flush */
	const struct block_read *at_fault; /* after a failure: whose chunk it is that can't be had */
	struct chunk_origin of[XOR_LANES]; /* each lane's chunk */
	struct xor_lanes lanes;
};

void chunk_batch_init(struct chunk_batch *b, struct samples *out);

/* Adds a chunk of floats: its bytes may go then. 0, or -EBADMSG for it or for another one that waited, in Prometheus' words. */
int chunk_batch_add(struct chunk_batch *b, struct chunk_origin of, const struct chunk *c, struct err *e);

/* Decodes what waits. 0 or -EBADMSG. */
int chunk_batch_flush(struct chunk_batch *b, struct err *e);

/* What is said of a chunk that can't be had, for the reason that is in e. Returns r. */
int chunk_batch_fail(struct chunk_batch *b, struct chunk_origin of, int r, struct err *e);

#endif
