/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue: what blocks a bucket holds, as of the last sync. meta.json files are immutable, so each is
 * fetched once and kept in one local file; a later start needs only a listing.
 */
#ifndef STORE_CATALOGUE_H
#define STORE_CATALOGUE_H

#include "lib/base/vec.h"
#include "lib/tsdb/meta.h"
#include "store/bucket.h"
#include "store/relabel.h"

#include <stdatomic.h>

/* One block of the bucket that passed every filter. Immutable once made; shared by reference counts. */
struct catalogue_block {
	_Atomic unsigned refs;
	struct block_meta *meta;
	char ulid[ULID_CHARS + 1];
	uint64_t index_bytes;
	uint64_t *segment_bytes; /* chunks/000001 ... in order */
	unsigned n_segments;
	bool has_tombstones;
};

/* Takes meta and segment_bytes. */
struct catalogue_block *catalogue_block_new(struct block_meta *meta, uint64_t index_bytes,
	uint64_t *segment_bytes, unsigned n_segments, bool has_tombstones);
struct catalogue_block *catalogue_block_ref(struct catalogue_block *b);
void catalogue_block_unref(struct catalogue_block *b); /* NULL is fine */

struct catalogue_options {
	int64_t min_time_ms,
		max_time_ms; /* blocks wholly outside are left out; INT64_MIN and INT64_MAX: no limit */
	const struct relabel_configs *selector; /* may be NULL; borrowed */
	const char *const *replica_labels;      /* borrowed */
	size_t n_replica_labels;
	int64_t ignore_deletion_marks_delay_ms;
	int64_t consistency_delay_ms;
};

/* What a sync found. Blocks are sorted by ULID. */
struct catalogue_listing {
	VEC(struct catalogue_block *) blocks; /* a reference each */
	/*
	 * Blocks left out only since another one has all their sources, sorted too: they take its place where it turns out
	 * that it can't be read.
	 */
	VEC(struct catalogue_spare {
		struct catalogue_block *block; /* a reference */
		struct ulid covered_by;
	}) spares;
	size_t seen; /* blocks in the bucket, those left out too */
};
void catalogue_listing_fini(struct catalogue_listing *l);

struct catalogue;

/* `dir` is a local directory that the catalogue has to itself; `bucket` and what `options` points to are
 * borrowed. */
int catalogue_open(const char *dir, struct bucket *bucket, const struct catalogue_options *options,
	struct catalogue **out, struct err *e);
void catalogue_close(struct catalogue *c);

/* Sets the limits anew, for those that move with the time. Counts from the next sync on; not while one runs.
 */
void catalogue_set_time_range(struct catalogue *c, int64_t min_time_ms, int64_t max_time_ms);

/*
 * Lists the bucket and applies the filters, in this order: meta.json (missing: a partial upload; malformed),
 * time range, selector relabelling, deletion marks, consistency delay, downsampled blocks, and blocks whose
 * compaction.sources are a subset of another's with the same labels but for the replica labels (a tie: the
 * lower ULID stays). Every block that is left out is counted in thanosfs_blocks_skipped_total{reason} and,
 * the first time, named in the log with the file and what is wrong. -errno only where the bucket itself can't
 * be listed; the blocks of the last sync go on being valid then. One sync at a time; the other functions may
 * be called meanwhile.
 */
int catalogue_sync(struct catalogue *c, int64_t now_ms, struct catalogue_listing *out, struct err *e);

/*
 * Leaves a block out of further listings: its index or segments turned out to be corrupt. Counted and logged under `reason` like the
 * others. As it may have been the way here that spoilt them, the block is listed once more after 4 syncs, and, rejected again,
 * after 8, 16, and so on up to 64; nothing more is said of it until it passes.
 */
void catalogue_reject(struct catalogue *c, const struct ulid *block, const char *reason, const char *detail);

typedef void catalogue_skipped_fn(
	void *arg, const struct ulid *block, const char *reason, const char *detail);

/* Each block of the bucket that is left out now, by ULID. `fn` must not call the catalogue. */
void catalogue_skipped(struct catalogue *c, catalogue_skipped_fn *fn, void *arg);

#endif
