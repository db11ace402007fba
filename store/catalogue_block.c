/* SPDX-License-Identifier: Apache-2.0 */
/* A block of a listing: immutable, and alive as long as anybody refers to it, whatever becomes of it in the
 * bucket. */
#include "store/catalogue.h"

struct catalogue_block *catalogue_block_new(struct block_meta *meta, uint64_t index_bytes,
	uint64_t *segment_bytes, unsigned n_segments, bool has_tombstones)
{
	struct catalogue_block *b = xcalloc(1, sizeof *b);
	atomic_init(&b->refs, 1);
	b->meta = meta;
	ulid_format(&meta->ulid, b->ulid);
	b->index_bytes = index_bytes;
	b->segment_bytes = segment_bytes;
	b->n_segments = n_segments;
	b->has_tombstones = has_tombstones;
	return b;
}

struct catalogue_block *catalogue_block_ref(struct catalogue_block *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void catalogue_block_unref(struct catalogue_block *b)
{
	if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
		block_meta_free(b->meta);
		free(b->segment_bytes);
		free(b);
	}
}
