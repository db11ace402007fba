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
 * being free, or on there being any. What is fetched for whom store/extents_read.h plans.
 */
#ifndef STORE_EXTENTS_FETCH_H
#define STORE_EXTENTS_FETCH_H

#include "store/extents_source.h"

#define EXTENTS_FETCH_MAX_BLOCKS 64 /* bits of `own` */

enum extents_fetch_state { FETCH_QUEUED, FETCH_RUNNING, FETCH_DONE };

struct extents_fetch {
	struct extents_source *source;
	struct extents_object *o;
	uint64_t first, last; /* blocks */
	uint64_t own;         /* bit i: block first + i is marked as being fetched by this one */
	unsigned refs;
	enum extents_fetch_state state;
	bool is_wanted; /* a read waits for it, or did */
	bool is_prefetch;
	TAILQ_ENTRY(extents_fetch) queue;
	TAILQ_ENTRY(extents_fetch) link; /* of the object's */
	pthread_cond_t done;
	uint8_t *data; /* once it is done and did not fail */
	int r;         /* what became of it, with err */
	struct err err;
};

/* Marks the owned blocks, or takes the marks away. */
void extents_fetch_mark_locked(struct extents *x, struct extents_fetch *f, uint64_t own, bool is_fetching);

/* With one reference, which the queue, and later who runs it, has. */
struct extents_fetch *extents_fetch_new_locked(
	struct extents *x, struct extents_source *s, uint64_t first, uint64_t last, uint64_t own);
void extents_fetch_unref(struct extents *x, struct extents_fetch *f);
void extents_fetch_unref_all(struct extents *x, struct extents_fetches *all);

/* Into and out of the queue that is_wanted names. */
void extents_fetch_queue_locked(struct extents *x, struct extents_fetch *f);
void extents_fetch_unqueue_locked(struct extents *x, struct extents_fetch *f);

/* From queued to running: the caller runs it. */
void extents_fetch_start_locked(struct extents *x, struct extents_fetch *f);

/* A queued one that nobody waits for goes, to `out`. */
void extents_fetch_drop_locked(struct extents *x, struct extents_fetch *f, struct extents_fetches *out);

/* Fetches, tells who waits, and stores. The lock is not held; the fetch is running, and its first reference is used up. */
void extents_fetch_run(struct extents *x, struct extents_fetch *f);

/* Sees to it that a thread looks at the queues. Without any, readers still fetch for themselves. */
void extents_fetch_wake_locked(struct extents *x);

/* Drops what this bucket queued, and waits until its sources are closed; none of its blobs is open. */
void extents_fetch_drain(struct extents *x, const unsigned *open);

/* Ends the threads. Nothing is queued any more. */
void extents_fetch_stop(struct extents *x);

#endif
