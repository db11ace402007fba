/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches: ranges of blocks on their way from the store, each once however many wait for it. A fetch is
 *
 *	queued    in `reads` or `prefetches`, and may still grow (a prefetch) or be dropped
 *	running   in the hands of one thread: one of the pool, or a reader that waits for it and found it queued
 *	done      its data or its error is there for whoever holds a reference; the blocks are being stored
 *	over      out of its object's list; its blocks are present, or not there as before
 *
 * Readers run what they wait for themselves as far as nobody else does, so that they never depend on the pool's threads
 * being free, or on there being any.
 */
#ifndef STORE_EXTENTS_FETCH_H
#define STORE_EXTENTS_FETCH_H

#include "lib/base/blob.h"
#include "store/extents_state.h"

#define EXTENTS_FETCH_MAX_BLOCKS 64
/* Blocks that one call of extents_fetch_read spans at most. */
#define EXTENTS_WINDOW_BLOCKS 128

/* An open object of the inner bucket, shared by its blob and the fetches it began. */
struct extents_source {
	struct blob *inner;
	struct extents_object *o; /* borrowed: who holds a source holds the object too */
	unsigned refs;            /* under the lock, as *open is */
	unsigned *open;           /* sources of this bucket that are not closed */
};

/* Takes `inner`. */
struct extents_source *extents_source_new(
	struct extents *x, struct extents_object *o, struct blob *inner, unsigned *open);
void extents_source_unref(struct extents *x, struct extents_source *s);

/* Reads from the store; -EBADMSG where the object is no longer the one that is cached. */
int extents_source_read(
	struct extents *x, struct extents_source *s, void *out, size_t n, uint64_t at, struct err *e);

/* What to fetch ahead, in blocks; none where first == last. */
struct extents_ahead {
	uint64_t first, last;
};

/*
 * Reads n > 0 bytes at `at`, which span at most EXTENTS_WINDOW_BLOCKS blocks, waiting for what is not there. Announces
 * `ahead` once the read's own fetches are on their way.
 */
int extents_fetch_read(struct extents *x, struct extents_source *s, void *out, size_t n, uint64_t at,
	struct extents_ahead ahead, struct err *e);

/* Queues what is missing of the blocks. Never waits. */
void extents_fetch_announce(struct extents *x, struct extents_source *s, struct extents_ahead ahead);

/* Drops what this bucket queued, and waits until its sources are closed; none of its blobs is open. */
void extents_fetch_drain(struct extents *x, const unsigned *open);

/* Ends the threads. Nothing is queued any more. */
void extents_fetch_stop(struct extents *x);

#endif
