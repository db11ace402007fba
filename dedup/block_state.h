/* SPDX-License-Identifier: Apache-2.0 */
/* What a merged block remembers of its merge, beside its index and slot map: the local file block.json. */
#ifndef DEDUP_BLOCK_STATE_H
#define DEDUP_BLOCK_STATE_H

#include "dedup/index_merge.h"

#define JSON_STATE_MAX_BYTES (64u << 20)

struct block_state {
	struct index_merge_result merge;
	uint64_t overrides; /* slots that were laid out anew after they turned out too small */
};

void block_state_write(const struct block_state *s, struct catalogue_block *const *sources, size_t n_sources,
	struct buf *out);

/* Refuses what does not fit sources of these sizes. */
int block_state_parse(const char *name, const void *text, size_t n, struct catalogue_block *const *sources,
	size_t n_sources, struct block_state *out, struct err *e);
void block_state_fini(struct block_state *s);

struct source_list {
	VEC(struct catalogue_block *) blocks; /* a reference each */
};

/*
 * The sources as the file names them, with as much of each as reading a merged block takes (no labels, no times): for a
 * block that some process still has open after the bucket and the catalogue have forgotten its sources.
 */
int block_state_sources(const char *name, const void *text, size_t n, struct source_list *out, struct err *e);
void source_list_fini(struct source_list *l);

#endif
