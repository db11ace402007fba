/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds merged blocks by ULID, those too that left the listing: somebody may have one open, or know its name from a listing
 * of a moment ago. What a process before this one has retired is found on disk, and is retired here from then on.
 */
#include "dedup/view_private.h"
#include "lib/base/clock.h"

static struct retired_block *find_retired_locked(struct view *v, const struct ulid *u)
{
	vec_each (b, &v->retired)
		if (ulid_cmp(merged_block_ulid(b->block), u) == 0)
			return b;
	return NULL;
}

struct merged_block *view_find_loaded(struct view *v, const struct ulid *u)
{
	pthread_mutex_lock(&v->lock);
	struct merged_block *b = view_snapshot_find(v->current, u);
	struct retired_block *retired = b ? NULL : find_retired_locked(v, u);
	if (retired)
		b = retired->block;
	if (b)
		merged_block_ref(b);
	pthread_mutex_unlock(&v->lock);
	return b;
}

struct merged_block *view_find_any(struct view *v, const struct ulid *u)
{
	int64_t since_ms;
	struct merged_block *b = view_find_loaded(v, u);
	if (b || !(b = view_find_on_disk(v, u, &since_ms)))
		return b;
	pthread_mutex_lock(&v->lock);
	struct retired_block *retired = find_retired_locked(v, u);
	if (retired) { /* another thread was faster */
		merged_block_unref(b);
		b = merged_block_ref(retired->block);
	} else {
		vec_push(&v->retired, (struct retired_block){ merged_block_ref(b), since_ms });
	}
	pthread_mutex_unlock(&v->lock);
	return b;
}

struct merged_block *view_find_lately(struct view *v, const struct ulid *u)
{
	pthread_mutex_lock(&v->lock);
	struct retired_block *retired = find_retired_locked(v, u);
	struct merged_block *b = NULL;
	bool is_known = retired != NULL;
	if (retired && clock_unix_ms() - retired->since_ms < VIEW_LATELY_MS)
		b = merged_block_ref(retired->block);
	is_known |= view_snapshot_find(v->current, u) != NULL || !v->is_restored;
	pthread_mutex_unlock(&v->lock);
	if (is_known)
		return b;
	/* A process before this one may have retired it. */
	merged_block_unref(view_find_any(v, u));
	pthread_mutex_lock(&v->lock);
	retired = find_retired_locked(v, u);
	if (retired && clock_unix_ms() - retired->since_ms < VIEW_LATELY_MS)
		b = merged_block_ref(retired->block);
	pthread_mutex_unlock(&v->lock);
	return b;
}
