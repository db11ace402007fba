/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers only note the time in their region; a region is moved to its place in the list when it comes up for eviction.
 * A stub's regions come into the list, at its end, when the stub is older than what stands there.
 */
#include "store/extents_room.h"

#include "lib/base/metrics.h"
#include "store/extents_blocks.h"
#include "store/extents_object.h"

METRIC_GAUGE(bytes_gauge, "thanosfs_extents_bytes", "Bytes of remote objects that are cached on disk.")
METRIC_COUNTER(evicted_bytes, "thanosfs_extents_evicted_bytes_total",
	"Cached bytes that had to go for others, or for a limit.")
METRIC_COUNTER(unused_bytes, "thanosfs_extents_prefetched_unused_bytes_total",
	"Bytes fetched ahead that were evicted without having been read.")

void extents_room_give_back_locked(struct extents *x, uint64_t bytes)
{
	x->bytes -= bytes;
	metric_set(bytes_gauge, x->bytes);
	pthread_cond_broadcast(&x->changed);
}

void extents_room_list_locked(struct extents *x, struct extents_region *r, uint64_t used, bool as_oldest)
{
	if (r->is_listed)
		TAILQ_REMOVE(&x->lru, r, lru);
	r->listed = used;
	r->is_listed = true;
	if (as_oldest)
		TAILQ_INSERT_TAIL(&x->lru, r, lru);
	else
		TAILQ_INSERT_HEAD(&x->lru, r, lru);
}

void extents_room_unlist_locked(struct extents *x, struct extents_region *r)
{
	if (r->is_listed)
		TAILQ_REMOVE(&x->lru, r, lru);
	r->is_listed = false;
}

/*
 * Takes the readable blocks away from a region unless somebody reads it. A reader counts itself first and looks at the
 * blocks then, here it is the other way round: one of the two sees the other.
 */
static bool detach_locked(struct extents_region *r)
{
	if (r->fetching || r->is_evicting || r->o->holds)
		return false;
	uint64_t verified = atomic_exchange(&r->verified, 0);
	if (atomic_load(&r->pins) == 0)
		return true;
	atomic_store(&r->verified, verified);
	return false;
}

/* The region used longest ago that can go, detached; NULL: there is none. */
static struct extents_region *pick_locked(struct extents *x, bool *is_stub_older)
{
	struct extents_region *r = TAILQ_LAST(&x->lru, extents_regions), *first_kept = NULL;
	const struct extents_object *stub = TAILQ_FIRST(&x->stubs);
	while (r && r != first_kept) {
		struct extents_region *before = TAILQ_PREV(r, extents_regions, lru);
		uint64_t used = atomic_load_explicit(&r->used, memory_order_relaxed);
		if (stub && !stub->is_busy && stub->used < used && stub->used < r->listed) {
			*is_stub_older = true;
			return NULL;
		}
		if (used == r->listed && detach_locked(r))
			return r;
		if (used == r->listed && !first_kept)
			first_kept = r;
		extents_room_list_locked(x, r, used, false);
		r = before ? before : TAILQ_LAST(&x->lru, extents_regions);
	}
	*is_stub_older = stub && !stub->is_busy;
	return NULL;
}

/* Frees some room, or comes nearer to it; false: there is nothing that can go. Lets go of the lock meanwhile. */
static bool evict_locked(struct extents *x)
{
	bool is_stub_older = false;
	struct extents_region *r = pick_locked(x, &is_stub_older);
	if (!r && is_stub_older) {
		struct extents_object *stub = TAILQ_FIRST(&x->stubs);
		stub->refs++;
		extents_object_load_locked(x, stub);
		pthread_mutex_unlock(&x->lock);
		extents_object_unref(x, stub);
		pthread_mutex_lock(&x->lock);
		return true;
	}
	if (!r)
		return false;
	struct extents_object *o = r->o;
	uint64_t bytes = extents_blocks_bytes(x, o, r->index, r->present);
	metric_add(evicted_bytes, bytes);
	metric_add(unused_bytes,
		extents_blocks_bytes(x, o, r->index, atomic_exchange(&r->unused, 0) & r->present));
	extents_room_unlist_locked(x, r);
	r->present = 0;
	r->is_evicting = true;
	o->bytes -= bytes;
	o->is_dirty = true;
	o->refs++;
	x->evicting_bytes += bytes;
	pthread_mutex_unlock(&x->lock);
	int failed = extents_object_punch(x, o, r->index);
	if (failed < 0) /* a file system without holes: the file goes as a whole */
		extents_object_kill(x, o);
	pthread_mutex_lock(&x->lock);
	r->is_evicting = false;
	x->evicting_bytes -= bytes;
	extents_room_give_back_locked(x, bytes);
	pthread_mutex_unlock(&x->lock);
	extents_object_unref(x, o);
	pthread_mutex_lock(&x->lock);
	return true;
}

/* Makes x->bytes at most `most`. What others are evicting counts as gone, but is waited for. */
static bool shrink_locked(struct extents *x, uint64_t most)
{
	while (x->bytes > most) {
		if (x->bytes - x->evicting_bytes > most && evict_locked(x))
			continue;
		const struct extents_object *stub = TAILQ_FIRST(&x->stubs);
		if (x->evicting_bytes == 0 && !(stub && stub->is_busy))
			return x->bytes <= most;
		pthread_cond_wait(&x->changed, &x->lock);
	}
	return true;
}

bool extents_room_reserve_locked(struct extents *x, uint64_t bytes)
{
	if (bytes > x->max_bytes || !shrink_locked(x, x->max_bytes - bytes))
		return false;
	x->bytes += bytes;
	metric_set(bytes_gauge, x->bytes);
	return true;
}

bool extents_room_trim_locked(struct extents *x, uint64_t bytes)
{
	return shrink_locked(x, bytes);
}
