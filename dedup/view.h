/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view: the set of merged blocks that is published now. A sync brings it up to the bucket and swaps the
 * whole set at once; who holds the old snapshot goes on seeing the old set.
 */
#ifndef DEDUP_VIEW_H
#define DEDUP_VIEW_H

#include "dedup/merged_block.h"
#include "dedup/source.h"
#include "store/catalogue.h"

struct view;

struct view_snapshot {
	_Atomic unsigned refs;
	uint64_t generation;          /* rises by one a publication */
	struct merged_block **blocks; /* sorted by ULID; a reference each */
	size_t n;
};

struct view_snapshot *view_snapshot(struct view *v); /* a reference to the current one */
void view_snapshot_unref(struct view_snapshot *s);

/* The block of this ULID in the snapshot, borrowed; NULL: not there. */
struct merged_block *view_snapshot_find(const struct view_snapshot *s, const struct ulid *u);

/*
 * A block that was published at some time and whose files may still be open: from the snapshot, or retired, also by a
 * process before this one. A reference, or NULL. (For node ids that the kernel still knows after the listing changed.)
 */
struct merged_block *view_find_any(struct view *v, const struct ulid *u);

#define VIEW_LATELY_MS 60000

/*
 * A block that left the listing less than VIEW_LATELY_MS ago: whoever read the listing just before must find what it
 * named. A reference, or NULL.
 */
struct merged_block *view_find_lately(struct view *v, const struct ulid *u);

/* Calls fn(arg, old, new) after each publication, from the thread that synced, with no lock held. */
void view_on_publish(struct view *v,
	void (*fn)(void *arg, const struct view_snapshot *before, const struct view_snapshot *after),
	void *arg);

/* blocks.json, and the view's part of status.json as one value without a newline: JSON text appended to out. */
void view_blocks_json(struct view *v, struct buf *out);
void view_status_json(struct view *v, struct buf *out);

struct view_options {
	const char *dir; /* local directory for merged indexes, slot maps and made slots */
	struct dedup_settings dedup;
	struct bucket *chunks;    /* where segments are read; NULL: in the bucket itself; borrowed */
	uint64_t cache_max_bytes; /* of made slots ... */
	/* ... or what this gives, asked after each sync with what they take; NULL: the former */
	uint64_t (*made_limit)(void *arg, uint64_t made_bytes);
	void *made_limit_arg;
	int64_t settle_ms; /* slots that turned out too small are laid out anew when none was found for this long, or after ten times as long */
	unsigned threads;  /* that merge; 0: one a processor */
	int64_t read_deadline_ms; /* of one read of a block; 0: none */
	int64_t sync_deadline_ms; /* of each operation of a sync on the bucket; 0: as its layers have it */
};

/* Borrows bucket and catalogue and what options point to. */
int view_open(const struct view_options *options, struct bucket *bucket, struct catalogue *catalogue,
	struct view **out, struct err *e);
void view_close(struct view *v);

/*
 * Publishes what the process before this one had published last, from local files alone and without a look at the bucket.
 * Right after view_open, before the first sync. -ENOENT: there was none; -EBADMSG: it is damaged.
 */
int view_restore(struct view *v, struct err *e);

/*
 * Syncs the catalogue, merges what is new and publishes. -errno where the bucket can't be listed, a block that is
 * published can't be read now, or the local disk fails; the published set stands then.
 */
int view_sync(struct view *v, int64_t now_ms, struct err *e);

/* Whether a slot turned out too small since the last sync, so that a sync would improve on what is published.
 */
bool view_has_news(struct view *v);

#endif
