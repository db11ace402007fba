/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take the next number until there is none. */
#include "store/parallel.h"

#include "lib/base/deadline.h"
#include "lib/base/mem.h"

#include <pthread.h>
#include <stdatomic.h>

struct work {
	size_t n;
	atomic_size_t next;
	void (*fn)(void *arg, size_t i);
	void *arg;
	struct deadline deadline; /* of who waits for all of it */
};

static void *take_work(void *arg)
{
	struct work *w = arg;
	struct deadline before = deadline_enter(w->deadline);
	for (;;) {
		size_t i = atomic_fetch_add_explicit(&w->next, 1, memory_order_relaxed);
		if (i >= w->n)
			break;
		w->fn(w->arg, i);
	}
	deadline_leave(before);
	return NULL;
}

void parallel_each(size_t n, size_t threads, void (*fn)(void *arg, size_t i), void *arg)
{
	struct work w = { .n = n, .fn = fn, .arg = arg, .deadline = deadline_get() };
	pthread_t helpers[PARALLEL_MAX_THREADS];
	size_t wanted = MIN_OF(MIN_OF(threads, n), PARALLEL_MAX_THREADS), started = 0;
	while (started + 1 < wanted && pthread_create(&helpers[started], NULL, take_work, &w) == 0)
		started++;
	take_work(&w);
	while (started > 0)
		pthread_join(helpers[--started], NULL);
}
