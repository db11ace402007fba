/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache as a whole: opening, closing, limits, figures, and the keeper: a thread that writes down every few seconds
 * what is there, makes stubs of objects that nobody has used for a while, and brings the cache below a new limit.
 */
#include "store/extents.h"

#include "lib/base/file.h"
#include "lib/base/thread.h"
#include "lib/base/vec.h"
#include "store/extents_fetch.h"
#include "store/extents_object.h"
#include "store/extents_room.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define KEEPER_STACK_BYTES (512u << 10)
#define FIRST_CHAINS       64
#define IDLE_ROUNDS        6    /* saves that an unused object survives before it becomes a stub */
#define MANY_OBJECTS       1024 /* loaded; then one is enough */

static int check_options(const struct extents_options *o, struct err *e)
{
	uint32_t block = o->block_bytes;
	if (block < EXTENTS_MIN_BLOCK_BYTES || block > EXTENTS_REGION_BYTES || (block & (block - 1)))
		return err_set(
			e, -EINVAL, "blocks of %u bytes: must be a power of two from 16 KiB to 1 MiB", block);
	if (o->part_bytes < block || o->part_bytes / block > EXTENTS_FETCH_MAX_BLOCKS)
		return err_set(
			e, -EINVAL, "parts of %u bytes: must be 1 to 64 blocks of %u", o->part_bytes, block);
	if (o->threads > EXTENTS_MAX_THREADS || o->save_ms < 1 || o->max_fds < 1)
		return err_set(e, -EINVAL,
			"%u threads, a save every %lld ms, %u descriptors are out of range", o->threads,
			(long long)o->save_ms, o->max_fds);
	return 0;
}

/* Every loaded object, referenced. */
static void collect_locked(struct extents *x, struct extents_object ***out, size_t *n)
{
	VEC(struct extents_object *) all = { 0 };
	for (struct extents_object *o = TAILQ_FIRST(&x->loaded); o; o = TAILQ_NEXT(o, link)) {
		o->refs++;
		vec_push(&all, o);
	}
	*out = all.data;
	*n = all.len;
}

static void keep(struct extents *x, bool may_unload)
{
	struct extents_object **all;
	size_t n;
	pthread_mutex_lock(&x->lock);
	collect_locked(x, &all, &n);
	pthread_mutex_unlock(&x->lock);
	for (size_t i = 0; i < n; i++) {
		extents_object_save(x, all[i]);
		pthread_mutex_lock(&x->lock);
		all[i]->idle_rounds = all[i]->refs == 1 ? all[i]->idle_rounds + 1 : 0;
		bool is_idle = all[i]->idle_rounds > (x->n_loaded > MANY_OBJECTS ? 1 : IDLE_ROUNDS);
		pthread_mutex_unlock(&x->lock);
		if (may_unload && is_idle)
			extents_object_unload(x, all[i]);
		extents_object_unref(x, all[i]);
	}
	free(all);
}

static void *keeper(void *arg)
{
	struct extents *x = arg;
	pthread_mutex_lock(&x->lock);
	while (!x->is_stopping) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += x->options.save_ms / 1000;
		until.tv_nsec += x->options.save_ms % 1000 * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		int r = 0;
		while (r == 0 && !x->is_stopping && !x->is_trim_wanted)
			r = pthread_cond_timedwait(&x->keep, &x->lock, &until);
		if (x->is_stopping)
			break;
		if (x->is_trim_wanted) {
			x->is_trim_wanted = false;
			extents_room_trim_locked(x, x->max_bytes);
			continue;
		}
		pthread_mutex_unlock(&x->lock);
		keep(x, true);
		pthread_mutex_lock(&x->lock);
	}
	pthread_mutex_unlock(&x->lock);
	return NULL;
}

static int start_keeper(struct extents *x)
{
	int r = thread_start(&x->keeper, KEEPER_STACK_BYTES, 0, keeper, x);
	x->has_keeper = r == 0;
	return r;
}

static struct extents *new_extents(const struct extents_options *o)
{
	struct extents *x = xcalloc(1, sizeof *x);
	pthread_condattr_t attr;
	x->options = *o;
	x->dir = xstrdup(o->dir);
	x->options.dir = x->dir;
	x->max_bytes = o->max_bytes;
	x->region_blocks = (uint32_t)(EXTENTS_REGION_BYTES / o->block_bytes);
	x->part_blocks = o->part_bytes / o->block_bytes;
	x->gap_blocks = o->gap_bytes / o->block_bytes;
	x->n_chains = FIRST_CHAINS;
	x->chains = xcalloc(x->n_chains, sizeof(struct extents_object *));
	atomic_init(&x->tick, 1);
	TAILQ_INIT(&x->stubs);
	TAILQ_INIT(&x->loaded);
	TAILQ_INIT(&x->fds);
	TAILQ_INIT(&x->lru);
	TAILQ_INIT(&x->reads);
	TAILQ_INIT(&x->prefetches);
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->changed, NULL);
	pthread_cond_init(&x->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&x->keep, &attr);
	pthread_condattr_destroy(&attr);
	return x;
}

int extents_open(const struct extents_options *o, struct extents **out, struct err *e)
{
	int r = check_options(o, e);
	if (r == 0)
		r = file_mkdirs(o->dir, 0700, e);
	if (r < 0)
		return r;
	struct extents *x = new_extents(o);
	r = extents_object_scan(x, e);
	if (r == 0) {
		pthread_mutex_lock(&x->lock);
		extents_room_trim_locked(x, x->max_bytes);
		pthread_mutex_unlock(&x->lock);
		r = start_keeper(x);
		if (r < 0)
			err_errno(e, r, "starting the thread that keeps %s", x->dir);
	}
	if (r < 0) {
		extents_close(x);
		return r;
	}
	*out = x;
	return 0;
}

void extents_close(struct extents *x)
{
	if (!x)
		return;
	extents_fetch_stop(x);
	pthread_cond_signal(&x->keep);
	if (x->has_keeper)
		pthread_join(x->keeper, NULL);
	keep(x, false);
	extents_object_free_all(x);
	pthread_cond_destroy(&x->keep);
	pthread_cond_destroy(&x->work);
	pthread_cond_destroy(&x->changed);
	pthread_mutex_destroy(&x->lock);
	free(x->dir);
	free(x);
}

uint64_t extents_bytes(struct extents *x)
{
	pthread_mutex_lock(&x->lock);
	uint64_t bytes = x->bytes;
	pthread_mutex_unlock(&x->lock);
	return bytes;
}

void extents_set_max(struct extents *x, uint64_t max_bytes)
{
	pthread_mutex_lock(&x->lock);
	x->max_bytes = max_bytes;
	x->is_trim_wanted = true;
	pthread_cond_signal(&x->keep);
	pthread_mutex_unlock(&x->lock);
}

int extents_trim(struct extents *x, uint64_t bytes, struct err *e)
{
	pthread_mutex_lock(&x->lock);
	bool is_done = extents_room_trim_locked(x, bytes);
	uint64_t left = x->bytes;
	pthread_mutex_unlock(&x->lock);
	if (is_done)
		return 0;
	return err_set(e, -EBUSY, "%s: %llu bytes are in use, and can't be evicted now", x->dir,
		(unsigned long long)left);
}

void extents_save(struct extents *x)
{
	keep(x, false);
}

void extents_stats(struct extents *x, struct extents_stats *out)
{
	pthread_mutex_lock(&x->lock);
	*out = (struct extents_stats){
		.bytes = x->bytes,
		.max_bytes = x->max_bytes,
		.held_bytes = x->held_bytes,
		.objects = x->n_objects,
		.loaded_objects = x->n_loaded,
		.fds = x->n_fds,
		.queued_reads = x->n_reads,
		.queued_prefetches = x->n_prefetches,
		.fetching = x->n_fetching,
		.threads = x->n_threads,
		.failing = x->failing,
	};
	pthread_mutex_unlock(&x->lock);
}

void extents_write_json(struct extents *x, struct json_writer *w)
{
	struct extents_stats s;
	extents_stats(x, &s);
	json_write_key_str(w, "dir", x->dir);
	json_write_key_u64(w, "bytes", s.bytes);
	json_write_key_u64(w, "max_bytes", s.max_bytes);
	json_write_key_u64(w, "held_bytes", s.held_bytes);
	json_write_key_u64(w, "objects", s.objects);
	json_write_key_u64(w, "loaded_objects", s.loaded_objects);
	json_write_key_u64(w, "descriptors", s.fds);
	json_write_key_u64(w, "queued_reads", s.queued_reads);
	json_write_key_u64(w, "queued_prefetches", s.queued_prefetches);
	json_write_key_u64(w, "fetching", s.fetching);
	json_write_key_u64(w, "threads", s.threads);
	json_write_key_bool(w, "failing", s.failing != 0);
	if (s.failing)
		json_write_key_str(w, "reason", strerror(s.failing));
}
