/* SPDX-License-Identifier: Apache-2.0 */
/* The samples of one series in one block. */
#ifndef TSDB_BLOCK_SAMPLES_H
#define TSDB_BLOCK_SAMPLES_H

#include "lib/tsdb/chunk_batch.h"

#include <stdint.h>

/*
 * Adds the chunks of the series that overlap [mint, maxt] to the batch, in their order, without samples that a tombstone covers; histograms
 * outside of the range are left out, too, floats aren't. `joins`: samples of other blocks stand beside these, so that the first histogram says
 * nothing of a reset before it. After a failure the batch's samples may hold some of them, and its at_fault is set. -EBADMSG, -EIO.
 */
int block_samples(const struct block_read *b, uint32_t ref, int64_t mint, int64_t maxt, bool joins,
	struct chunk_batch *batch, struct err *e);

/* Where the chunks of one block lie that are read soon, gathered into ranges that have little between them. Zero-initialise it. */
struct block_ahead {
	const struct block_read *block;
	uint32_t segment;
	uint64_t from, to; /* from == to: nothing gathered */
	struct index_entry entry;
};

/* Adds the chunks of a series; announces what was gathered where these don't join it. What can't be read isn't announced. */
void block_ahead_add(struct block_ahead *a, uint32_t ref, int64_t mint, int64_t maxt);

/* Announces the rest. */
void block_ahead_end(struct block_ahead *a);

#endif
