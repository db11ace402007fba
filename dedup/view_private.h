/* SPDX-License-Identifier: Apache-2.0 */
/* A view's state, shared by what syncs it (view.c, view_merge.c) and what tells of it (view_find.c, view_json.c). */
#ifndef DEDUP_VIEW_PRIVATE_H
#define DEDUP_VIEW_PRIVATE_H

#include "dedup/put_off.h"
#include "dedup/slot_overrides.h"
#include "dedup/view.h"
#include "dedup/window.h"

#include <pthread.h>

#define VIEW_MAX_THREADS 64

struct retired_block {
	struct merged_block *block;
	int64_t since_ms;
};

struct view {
	struct view_options options;
	char *dir; /* of merged blocks */
	char *published_path;
	bool is_restored; /* from what a process before this one had published; set before others use the view */
	struct bucket *bucket;
	struct catalogue *catalogue;
	struct slot_overrides *overrides;
	struct merged_block_env env;
	struct news news;
	pthread_mutex_t syncing; /* one sync at a time */
	struct put_off put_off;  /* under it */

	pthread_mutex_t lock;
	/* under lock */
	struct view_snapshot *current;
	VEC(struct retired_block) retired;
	void (*on_publish)(void *arg, const struct view_snapshot *before, const struct view_snapshot *after);
	void *on_publish_arg;
	int64_t last_sync_ms, last_sync_us;
	uint64_t syncs;
	bool last_failed;
	struct err last_error;
};

/* One merge of a sync's list, and what came of it. */
struct view_merge {
	const struct window *window; /* borrowed */
	int result, bad_source;      /* 0 or -errno; the source that is to blame, or -1 */
	const char *reason;          /* as for catalogue_reject */
	struct err err;
};

/* view_merge.c: does them all. */
void view_merge(struct view *v, struct view_merge *list, size_t n);

/* view_find.c: a block that is published or retired, and known to this process: a reference, or NULL. */
struct merged_block *view_find_loaded(struct view *v, const struct ulid *u);

/* view_disk.c: a path below a merged block's directory, to be freed. */
char *view_block_path(const struct view *v, const struct ulid *u, const char *name);

/* A block of which only the local directory is left, and when it left the listing; a reference, or NULL. */
struct merged_block *view_find_on_disk(struct view *v, const struct ulid *u, int64_t *since_ms);

/*
 * What a process that comes after this one will show. It must reach the disk before the set is shown: a listing never goes
 * back to what it was.
 */
void view_keep_published(struct view *v, const struct view_snapshot *s);

/* After a sync (view_house.c). */
void view_keep_house(struct view *v, int64_t now_ms);

#endif
