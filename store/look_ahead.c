/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of blocks in the order they came, and threads that take the next one. Each entry is on its own on the heap, since the
 * list grows while threads hold entries.
 *
 * An entry is the adder's before it is in the list, the thread's that takes it from then on, and the caller's after
 * look_ahead_wait.
 */
#include "store/look_ahead.h"

#include "lib/base/deadline.h"
#include "store/catalogue.h"

#include <pthread.h>

#define WAITING_EACH \
	4 /* blocks that wait are worth another thread when they are that many for each there is */

struct look_ahead {
	struct bucket *bucket;
	size_t most_threads;
	struct deadline deadline; /* of who waits for all of it */
	pthread_t threads[LOOK_AHEAD_MAX_THREADS];
	size_t n_threads;

	pthread_mutex_t lock; /* of the following */
	pthread_cond_t changed;
	VEC(struct looked *) all;
	size_t next; /* of them to be taken */
	size_t idle; /* threads that wait for one */
	bool is_complete;
};

struct look_ahead *look_ahead_new(struct bucket *bucket, size_t threads)
{
	struct look_ahead *a = xcalloc(1, sizeof *a);
	a->bucket = bucket;
	a->most_threads = MIN_OF(threads, LOOK_AHEAD_MAX_THREADS);
	a->deadline = deadline_get();
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	return a;
}

/* The next one; waits for it. NULL once there will be no more. */
static struct looked *take_next(struct look_ahead *a)
{
	struct looked *l = NULL;
	pthread_mutex_lock(&a->lock);
	while (a->next == a->all.len && !a->is_complete) {
		a->idle++;
		pthread_cond_wait(&a->changed, &a->lock);
		a->idle--;
	}
	if (a->next < a->all.len)
		l = a->all.data[a->next++];
	pthread_mutex_unlock(&a->lock);
	return l;
}

static void look_at_each(struct look_ahead *a)
{
	struct looked *l;
	while ((l = take_next(a)))
		block_look(a->bucket, &l->known, &l->look);
}

static void *run(void *arg)
{
	struct look_ahead *a = arg;
	struct deadline before = deadline_enter(a->deadline);
	look_at_each(a);
	deadline_leave(before);
	return NULL;
}

void look_ahead_add(struct look_ahead *a, struct block_scan *scan, bool has_bad_mark)
{
	struct looked *l = xcalloc(1, sizeof *l);
	l->look.scan = *scan;
	l->known.has_bad_mark = has_bad_mark;
	*scan = (struct block_scan){ .ulid = scan->ulid };
	pthread_mutex_lock(&a->lock);
	vec_push(&a->all, l);
	size_t waiting = a->all.len - a->next;
	bool has_idle = a->idle > 0;
	pthread_mutex_unlock(&a->lock);
	if (has_idle)
		pthread_cond_signal(&a->changed);
	else if (a->n_threads < a->most_threads && waiting >= WAITING_EACH * a->n_threads &&
		 pthread_create(&a->threads[a->n_threads], NULL, run, a) == 0)
		a->n_threads++;
}

static void complete(struct look_ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->is_complete = true;
	pthread_mutex_unlock(&a->lock);
	pthread_cond_broadcast(&a->changed);
}

static void join(struct look_ahead *a)
{
	while (a->n_threads > 0)
		pthread_join(a->threads[--a->n_threads], NULL);
}

void look_ahead_wait(struct look_ahead *a)
{
	complete(a);
	look_at_each(a);
	join(a);
}

size_t look_ahead_count(const struct look_ahead *a)
{
	return a->all.len;
}

struct looked *look_ahead_get(struct look_ahead *a, size_t i)
{
	return a->all.data[i];
}

static void free_looked(struct looked *l)
{
	block_look_fini(&l->look);
	catalogue_block_unref(l->known.block);
	free(l);
}

void look_ahead_free(struct look_ahead *a)
{
	if (!a)
		return;
	/* What nobody has begun is not begun any more. */
	pthread_mutex_lock(&a->lock);
	a->next = a->all.len;
	pthread_mutex_unlock(&a->lock);
	complete(a);
	join(a);
	vec_each (l, &a->all)
		free_looked(*l);
	vec_fini(&a->all);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
