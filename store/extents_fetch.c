/* SPDX-License-Identifier: Apache-2.0 */
/* The lives of fetches, and the threads that run them. */
#include "store/extents_fetch.h"

#include "lib/base/metrics.h"
#include "lib/base/thread.h"
#include "store/extents_blocks.h"
#include "store/extents_object.h"

#include <errno.h>

#define STACK_BYTES (512u << 10) /* what TLS and an HTTP client need, many times over */

METRIC_COUNTER(
	fetched_bytes, "thanosfs_extents_fetched_bytes_total", "Bytes fetched from the store into the cache.")
METRIC_FAMILY(fetches, METRIC_TYPE_COUNTER, "thanosfs_extents_fetches_total",
	"Ranges fetched from the store: for a read that waits, or ahead.", "for")
METRIC_COUNTER(failed_fetches, "thanosfs_extents_failed_fetches_total", "Ranges that could not be fetched.")

void extents_fetch_mark_locked(struct extents *x, struct extents_fetch *f, uint64_t own, bool is_fetching)
{
	for (uint64_t left = own; left; left &= left - 1) {
		uint64_t block = f->first + (uint64_t)__builtin_ctzll(left);
		struct extents_region *r = extents_blocks_make_region_locked(x, f->o, block);
		uint64_t bit = 1ull << block % x->region_blocks;
		r->fetching = is_fetching ? r->fetching | bit : r->fetching & ~bit;
	}
}

struct extents_fetch *extents_fetch_new_locked(
	struct extents *x, struct extents_source *s, uint64_t first, uint64_t last, uint64_t own)
{
	struct extents_fetch *f = xcalloc(1, sizeof *f);
	f->source = s;
	f->o = s->o;
	f->first = first;
	f->last = last;
	f->own = own;
	f->refs = 1;
	s->refs++;
	f->o->refs++;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->done, &attr);
	pthread_condattr_destroy(&attr);
	TAILQ_INSERT_TAIL(&f->o->fetches, f, link);
	extents_fetch_mark_locked(x, f, own, true);
	return f;
}

static void free_fetch(struct extents *x, struct extents_fetch *f)
{
	struct extents_object *o = f->o;
	extents_source_unref(x, f->source);
	extents_object_unref(x, o);
	pthread_cond_destroy(&f->done);
	free(f->data);
	free(f);
}

void extents_fetch_unref(struct extents *x, struct extents_fetch *f)
{
	pthread_mutex_lock(&x->lock);
	bool is_last = --f->refs == 0;
	pthread_mutex_unlock(&x->lock);
	if (is_last)
		free_fetch(x, f);
}

void extents_fetch_unqueue_locked(struct extents *x, struct extents_fetch *f)
{
	TAILQ_REMOVE(f->is_wanted ? &x->reads : &x->prefetches, f, queue);
	x->n_reads -= f->is_wanted;
	x->n_prefetches -= !f->is_wanted;
}

void extents_fetch_queue_locked(struct extents *x, struct extents_fetch *f)
{
	TAILQ_INSERT_TAIL(f->is_wanted ? &x->reads : &x->prefetches, f, queue);
	x->n_reads += f->is_wanted;
	x->n_prefetches += !f->is_wanted;
}

void extents_fetch_start_locked(struct extents *x, struct extents_fetch *f)
{
	extents_fetch_unqueue_locked(x, f);
	f->state = FETCH_RUNNING;
	x->n_fetching++;
	x->n_prefetching += !f->is_wanted;
	/* What a read joins later goes on counting as a prefetch here. */
	f->is_prefetch = !f->is_wanted;
}

void extents_fetch_drop_locked(struct extents *x, struct extents_fetch *f, struct extents_fetches *out)
{
	extents_fetch_unqueue_locked(x, f);
	TAILQ_REMOVE(&f->o->fetches, f, link);
	extents_fetch_mark_locked(x, f, f->own, false);
	f->state = FETCH_DONE;
	f->r = err_set(&f->err, -ECANCELED, "%s: no longer wanted", f->source->inner->name);
	pthread_cond_broadcast(&f->done);
	TAILQ_INSERT_TAIL(out, f, queue);
}

void extents_fetch_unref_all(struct extents *x, struct extents_fetches *all)
{
	for (struct extents_fetch *f; (f = TAILQ_FIRST(all));) {
		TAILQ_REMOVE(all, f, queue);
		extents_fetch_unref(x, f);
	}
}

void extents_fetch_run(struct extents *x, struct extents_fetch *f)
{
	uint64_t block = x->options.block_bytes, at = f->first * block;
	size_t n = (size_t)(MIN_OF(f->last * block, f->o->size) - at);
	uint8_t *data = xmalloc(n);
	struct err err = { 0 };
	int r = extents_source_read(x, f->source, data, n, at, &err);
	metric_add(metric_of(&fetches, f->is_prefetch ? "prefetch" : "read"), 1);
	if (r == 0)
		metric_add(fetched_bytes, n);
	else
		metric_add(failed_fetches, 1);

	pthread_mutex_lock(&x->lock);
	f->state = FETCH_DONE;
	f->r = r;
	f->err = err;
	f->data = data;
	bool was_wanted = f->is_wanted;
	pthread_cond_broadcast(&f->done);
	pthread_mutex_unlock(&x->lock);

	if (r == 0)
		extents_blocks_store(x, f->o, f->first, f->own, data, !was_wanted);

	pthread_mutex_lock(&x->lock);
	TAILQ_REMOVE(&f->o->fetches, f, link);
	extents_fetch_mark_locked(x, f, f->own, false);
	x->n_fetching--;
	x->n_prefetching -= f->is_prefetch;
	if (f->is_prefetch && x->n_prefetches > 0)
		pthread_cond_signal(&x->work);
	pthread_mutex_unlock(&x->lock);
	extents_fetch_unref(x, f);
}

/* The pool */

/* Prefetches leave a quarter of the threads to reads. */
static struct extents_fetch *next_locked(struct extents *x)
{
	struct extents_fetch *f = TAILQ_FIRST(&x->reads);
	if (!f && x->n_prefetching < x->options.threads - x->options.threads / 4)
		f = TAILQ_FIRST(&x->prefetches);
	if (f)
		extents_fetch_start_locked(x, f);
	return f;
}

static void *serve(void *arg)
{
	struct extents *x = arg;
	pthread_mutex_lock(&x->lock);
	while (!x->is_stopping) {
		struct extents_fetch *f = next_locked(x);
		if (f) {
			pthread_mutex_unlock(&x->lock);
			extents_fetch_run(x, f);
			pthread_mutex_lock(&x->lock);
			continue;
		}
		x->n_idle++;
		pthread_cond_wait(&x->work, &x->lock);
		x->n_idle--;
	}
	pthread_mutex_unlock(&x->lock);
	return NULL;
}

void extents_fetch_wake_locked(struct extents *x)
{
	if (x->n_idle > 0) {
		pthread_cond_signal(&x->work);
		if (x->n_idle >= x->n_reads + x->n_prefetches)
			return;
	}
	if (x->n_threads >= x->options.threads || x->is_stopping)
		return;
	x->n_threads += thread_start(&x->threads[x->n_threads], STACK_BYTES, 0, serve, x) == 0;
}

void extents_fetch_stop(struct extents *x)
{
	pthread_mutex_lock(&x->lock);
	x->is_stopping = true;
	pthread_cond_broadcast(&x->work);
	pthread_mutex_unlock(&x->lock);
	for (unsigned i = 0; i < x->n_threads; i++)
		pthread_join(x->threads[i], NULL);
	x->n_threads = 0;
}

void extents_fetch_drain(struct extents *x, const unsigned *open)
{
	struct extents_fetches gone = TAILQ_HEAD_INITIALIZER(gone);
	struct extents_fetches *const queues[] = { &x->reads, &x->prefetches };
	pthread_mutex_lock(&x->lock);
	for (size_t i = 0; i < ARRAY_LEN(queues); i++)
		for (struct extents_fetch *f = TAILQ_FIRST(queues[i]), *next; f; f = next) {
			next = TAILQ_NEXT(f, queue);
			if (f->source->open == open && f->refs == 1)
				extents_fetch_drop_locked(x, f, &gone);
		}
	pthread_mutex_unlock(&x->lock);
	extents_fetch_unref_all(x, &gone);
	pthread_mutex_lock(&x->lock);
	while (*open > 0)
		pthread_cond_wait(&x->changed, &x->lock);
	pthread_mutex_unlock(&x->lock);
}
