/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits draws a number; whoever leaves lets the lowest number in. */
#include "query/admission.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#define LOOK_US 100000 /* nobody wakes a thread whose client has left */

struct waiter {
	struct waiter *next;
	pthread_cond_t admitted;
	bool is_admitted;
};

struct admission {
	unsigned most;
	pthread_mutex_t lock;
	/* under lock */
	unsigned running, waiting;
	struct waiter *first, **last;
};

struct admission *admission_new(unsigned most)
{
	struct admission *a = xcalloc(1, sizeof *a);
	a->most = most;
	a->last = &a->first;
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void admission_free(struct admission *a)
{
	if (a)
		pthread_mutex_destroy(&a->lock);
	free(a);
}

static void unlink_locked(struct admission *a, struct waiter *w)
{
	struct waiter **slot = &a->first;
	while (*slot != w)
		slot = &(*slot)->next;
	*slot = w->next;
	if (!w->next)
		a->last = slot;
	a->waiting--;
}

static void pause_locked(struct admission *a, struct waiter *w, int64_t until_us)
{
	struct timespec t = { .tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000 };
	pthread_cond_timedwait(&w->admitted, &a->lock, &t);
}

static int wait_locked(struct admission *a, int64_t until_us, const atomic_bool *cancel)
{
	struct waiter w = { .next = NULL };
	pthread_condattr_t attr;
	int r = 0;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w.admitted, &attr);
	pthread_condattr_destroy(&attr);
	*a->last = &w;
	a->last = &w.next;
	a->waiting++;
	while (!w.is_admitted && r == 0) {
		int64_t now = clock_monotonic_us();
		if (cancel && atomic_load(cancel))
			r = -ECANCELED;
		else if (now >= until_us)
			r = -ETIMEDOUT;
		else
			pause_locked(a, &w, MIN_OF(until_us, now + LOOK_US));
	}
	if (w.is_admitted)
		r = 0;
	else
		unlink_locked(a, &w);
	pthread_cond_destroy(&w.admitted);
	return r;
}

int admission_enter(struct admission *a, int64_t until_us, const atomic_bool *cancel)
{
	int r = 0;
	pthread_mutex_lock(&a->lock);
	if (a->running < a->most)
		a->running++;
	else
		r = wait_locked(a, until_us, cancel);
	pthread_mutex_unlock(&a->lock);
	return r;
}

void admission_leave(struct admission *a)
{
	pthread_mutex_lock(&a->lock);
	struct waiter *w = a->first;
	if (w) { /* takes the place over */
		unlink_locked(a, w);
		w->is_admitted = true;
		pthread_cond_signal(&w->admitted);
	} else {
		a->running--;
	}
	pthread_mutex_unlock(&a->lock);
}

unsigned admission_running(struct admission *a)
{
	pthread_mutex_lock(&a->lock);
	unsigned n = a->running;
	pthread_mutex_unlock(&a->lock);
	return n;
}

unsigned admission_waiting(struct admission *a)
{
	pthread_mutex_lock(&a->lock);
	unsigned n = a->waiting;
	pthread_mutex_unlock(&a->lock);
	return n;
}
