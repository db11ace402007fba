/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an index merge reads of its window's blocks: their indexes and tombstones, once the heads of all segments have been
 * looked at. From a distant bucket all of it is asked for at once, and indexes are fetched ahead of the merge in parts.
 */
#ifndef DEDUP_BLOCK_INPUTS_H
#define DEDUP_BLOCK_INPUTS_H

#include "dedup/index_merge.h"
#include "dedup/window.h"

struct block_inputs {
	struct index_merge_input *data;
	struct tombstones *tombstones;
	size_t n;
};

/*
 * `ahead_bytes` bounds what is held of all indexes together, but for 128 KiB a source. On failure *bad_source and *reason
 * are as block_build.h has them; call _fini all the same.
 */
int block_inputs_open(struct bucket *bucket, const struct window *w, size_t ahead_bytes,
	struct block_inputs *out, int *bad_source, const char **reason, struct err *e);
void block_inputs_fini(struct block_inputs *in);

#endif
