/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The series of a query on several blocks, as one set: gathered block by block, in the order in which the blocks begin, then merged by
 * labels.
 */
#ifndef TSDB_BLOCK_SERIES_H
#define TSDB_BLOCK_SERIES_H

#include "lib/tsdb/block_dir.h"
#include "lib/tsdb/block_select.h"
#include "lib/tsdb/series_source.h"

struct block_series_set;

/* The blocks' directory is borrowed, the budget is charged for labels; it may be NULL. */
struct block_series_set *block_series_new(struct block_dir *dir, struct budget *budget);
void block_series_free(struct block_series_set *s);

/* Holds the block; what it has goes, sorted, to where the answer points, which is good until the next call. */
struct block_selection *block_series_add(
	struct block_series_set *s, struct listed_block *held, struct block_read *open);
struct arena *block_series_arena(struct block_series_set *s);

/* Takes s. Samples outside of the range are never asked for. */
struct series_set *block_series_finish(struct block_series_set *s, int64_t mint, int64_t maxt);

#endif
