/* SPDX-License-Identifier: Apache-2.0 */
/* Threads wait for the turn's number to change, take their part, and the last one to come back wakes the caller. */
#include "lib/promql/thread_pool.h"

#include "lib/base/mem.h"

#include <pthread.h>
#include <stdbool.h>

struct helper {
	struct thread_pool *pool;
	unsigned number;
	pthread_t thread;
};

struct thread_pool {
	pthread_mutex_t lock;
	pthread_cond_t begins, ends;
	unsigned long turn;
	unsigned under_way; /* helpers that haven't come back from this turn */
	bool is_over;
	void (*fn)(void *arg, unsigned number);
	void *arg;
	unsigned n_helpers;
	struct helper helpers[];
};

static void *help(void *arg)
{
	struct helper *h = arg;
	struct thread_pool *p = h->pool;
	unsigned long seen = 0;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->turn == seen && !p->is_over)
			pthread_cond_wait(&p->begins, &p->lock);
		if (p->is_over)
			break;
		seen = p->turn;
		pthread_mutex_unlock(&p->lock);
		p->fn(p->arg, h->number);
		pthread_mutex_lock(&p->lock);
		if (--p->under_way == 0)
			pthread_cond_signal(&p->ends);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct thread_pool *thread_pool_new(unsigned threads)
{
	struct thread_pool *p = xcalloc(1, sizeof *p + threads * sizeof p->helpers[0]);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->begins, NULL);
	pthread_cond_init(&p->ends, NULL);
	for (unsigned i = 1; i < threads; i++) {
		struct helper *h = &p->helpers[p->n_helpers];
		*h = (struct helper){ .pool = p, .number = i };
		if (pthread_create(&h->thread, NULL, help, h) != 0)
			break;
		p->n_helpers++;
	}
	return p;
}

void thread_pool_free(struct thread_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_over = true;
	pthread_cond_broadcast(&p->begins);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_helpers; i++)
		pthread_join(p->helpers[i].thread, NULL);
	pthread_cond_destroy(&p->begins);
	pthread_cond_destroy(&p->ends);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void thread_pool_run(struct thread_pool *p, void (*fn)(void *arg, unsigned number), void *arg)
{
	pthread_mutex_lock(&p->lock);
	p->fn = fn;
	p->arg = arg;
	p->under_way = p->n_helpers;
	p->turn++;
	pthread_cond_broadcast(&p->begins);
	pthread_mutex_unlock(&p->lock);
	fn(arg, 0);
	pthread_mutex_lock(&p->lock);
	while (p->under_way)
		pthread_cond_wait(&p->ends, &p->lock);
	pthread_mutex_unlock(&p->lock);
}
