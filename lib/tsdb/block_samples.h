/* SPDX-License-Identifier: Apache-2.0 */
/* The samples of one series in one block. */
#ifndef TSDB_BLOCK_SAMPLES_H
#define TSDB_BLOCK_SAMPLES_H

#include "lib/tsdb/block_read.h"
#include "lib/tsdb/series_source.h"

#include <stdint.h>

/*
 * Appends the samples of the series with mint <= t <= maxt that no tombstone covers, in the order of its chunks; those outside of the
 * range aren't looked at. `joins`: samples of other blocks stand beside these, so that the first histogram says nothing of a reset
 * before it. After a failure `out` may hold some of them. -EBADMSG, -EIO.
 */
int block_samples(const struct block_read *b, uint32_t ref, int64_t mint, int64_t maxt, bool joins,
	struct samples *out, struct err *e);

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
