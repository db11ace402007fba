/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filters that decide which complete blocks are shown, with Thanos' meaning of each (thanos
 * pkg/block/fetcher.go), and the reasons for leaving one out.
 */
#ifndef STORE_BLOCK_FILTER_H
#define STORE_BLOCK_FILTER_H

#include "store/catalogue.h"

enum block_skip {
	BLOCK_KEPT,
	BLOCK_PARTIAL,
	BLOCK_CORRUPT_META,
	BLOCK_MISSING_INDEX,
	BLOCK_MISSING_SEGMENT,
	BLOCK_UNREADABLE, /* the bucket refuses to show it */
	BLOCK_TIME_RANGE,
	BLOCK_SELECTOR,
	BLOCK_MARKED,
	BLOCK_TOO_FRESH,
	BLOCK_DOWNSAMPLED,
	BLOCK_REJECTED,
	BLOCK_DUPLICATE
};

/* As the label `reason` of thanosfs_blocks_skipped_total has it. */
const char *block_skip_reason(enum block_skip skip);

/* Something is wrong with the block, as opposed to: it was configured or meant to be left out. */
bool block_skip_is_damage(enum block_skip skip);

/* Thanos keeps a block that touches the limits: max_time >= the lowest and min_time <= the highest. */
bool block_filter_time_range(const struct catalogue_options *o, const struct block_meta *m);

/* Relabels the external labels and __block_id. */
bool block_filter_selector(const struct catalogue_options *o, const struct block_meta *m);

/* True: the mark is old enough for the block to be left out. */
bool block_filter_is_deleted(const struct catalogue_options *o, int64_t mark_time_ms, int64_t now_ms);

/* True: uploaded so recently that other parts of the store may not show it yet. What a compactor made never
 * is. */
bool block_filter_is_too_fresh(const struct catalogue_options *o, const struct block_meta *m, int64_t now_ms);

/*
 * Finds the blocks whose sources are all among another's of the same labels but for the replica labels.
 * covered_by[i] is the number of the block that covers block i, which is itself not covered; or -1. Of two
 * with the same sources the lower ULID stays. A block without sources is its own.
 */
void block_filter_duplicates(const struct catalogue_options *o, const struct block_meta *const *metas,
	size_t n, ssize_t *covered_by);

#endif
