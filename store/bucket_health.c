/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	failing_since	last_failure		is_down	the store is
 *	0		any			false	up
 *	set		a deadline ago		false	unknown: nobody has asked lately
 *	set		later			false	in doubt, and down once it has been failing for a deadline
 *	set		any			true	down, until it answers
 */
#include "store/bucket_health.h"

#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

METRIC_GAUGE(
	store_down, "thanosfs_bucket_down", "Whether the bucket has answered nobody for a whole deadline.")

struct bucket_health {
	struct bucket *store;
	struct retry_options options;
	atomic_bool is_failing; /* failing_since_us is set: asked without the lock after each success */
	_Atomic int64_t last_answer_us;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* is_down, stops */
	/* under lock */
	bool is_down, has_thread, stops;
	pthread_t thread;
	int64_t failing_since_us, last_failure_us;
	int last_r;
	char last_msg[ERR_MSG_BYTES / 2];
	char last_name[BUCKET_NAME_MAX + 1]; /* "": a listing */
};

static int64_t now_us(const struct bucket_health *h)
{
	return h->options.now_us ? h->options.now_us(h->options.arg) : clock_monotonic_us();
}

static void *probe_again_and_again(void *arg)
{
	struct bucket_health *h = arg;
	pthread_mutex_lock(&h->lock);
	while (!h->stops) {
		if (!h->is_down) {
			pthread_cond_wait(&h->changed, &h->lock);
			continue;
		}
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		int64_t ns = until.tv_nsec + h->options.probe_ms * 1000000;
		until.tv_sec += ns / 1000000000;
		until.tv_nsec = ns % 1000000000;
		pthread_cond_timedwait(&h->changed, &h->lock, &until);
		if (h->stops)
			break;
		pthread_mutex_unlock(&h->lock);
		bucket_health_probe(h);
		pthread_mutex_lock(&h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

struct bucket_health *bucket_health_new(struct bucket *store, const struct retry_options *options)
{
	struct bucket_health *h = xcalloc(1, sizeof *h);
	pthread_condattr_t attr;
	h->store = store;
	h->options = *options;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->changed, &attr);
	pthread_condattr_destroy(&attr);
	return h;
}

void bucket_health_free(struct bucket_health *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stops = true;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	if (h->has_thread)
		pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

int bucket_health_admits(struct bucket_health *h, const char *name, struct err *e)
{
	int r = 0;
	if (!atomic_load_explicit(&h->is_failing, memory_order_relaxed))
		return 0;
	pthread_mutex_lock(&h->lock);
	if (h->is_down)
		r = err_set(e, h->last_r, "%s: %s: not tried, nothing has answered for %.1f s: %s",
			h->store->name, *name ? name : "/", (double)(now_us(h) - h->failing_since_us) / 1e6,
			h->last_msg);
	pthread_mutex_unlock(&h->lock);
	return r;
}

static void is_down_locked(struct bucket_health *h)
{
	h->is_down = true;
	metric_set(store_down, 1);
	if (!h->has_thread && !h->options.now_us)
		h->has_thread = thread_start(&h->thread, 0, 0, probe_again_and_again, h) == 0;
	pthread_cond_signal(&h->changed);
}

void bucket_health_failed(
	struct bucket_health *h, int64_t began_us, const char *name, int r, const struct err *e)
{
	int64_t now = now_us(h), long_us = h->options.deadline_ms * 1000;
	/* It has been silent since this try began, unless it answered another one. */
	int64_t since = MAX_OF(began_us, atomic_load_explicit(&h->last_answer_us, memory_order_relaxed));
	pthread_mutex_lock(&h->lock);
	if (!h->failing_since_us || (!h->is_down && now - h->last_failure_us >= long_us))
		h->failing_since_us = since;
	h->last_failure_us = now;
	h->last_r = r;
	snprintf(h->last_msg, sizeof h->last_msg, "%.*s", (int)sizeof h->last_msg - 1, e->msg);
	snprintf(h->last_name, sizeof h->last_name, "%s", name);
	atomic_store_explicit(&h->is_failing, true, memory_order_relaxed);
	if (h->options.probe_ms && !h->is_down && now - h->failing_since_us >= long_us)
		is_down_locked(h);
	pthread_mutex_unlock(&h->lock);
}

void bucket_health_answered(struct bucket_health *h)
{
	atomic_store_explicit(&h->last_answer_us, now_us(h), memory_order_relaxed);
	if (!atomic_load_explicit(&h->is_failing, memory_order_relaxed))
		return;
	pthread_mutex_lock(&h->lock);
	h->failing_since_us = 0;
	h->is_down = false;
	atomic_store_explicit(&h->is_failing, false, memory_order_relaxed);
	metric_set(store_down, 0);
	pthread_mutex_unlock(&h->lock);
}

static int end_listing(void *arg, const struct object_info *o)
{
	(void)arg;
	(void)o;
	return 1;
}

static int ask(struct bucket_health *h, const char *name, struct err *e)
{
	if (!*name)
		return bucket_list(h->store, "", false, false, end_listing, NULL, e);
	struct blob *b;
	char byte;
	int r = bucket_open(h->store, name, &b, e);
	if (r < 0)
		return r;
	r = b->size ? blob_read(b, &byte, 1, 0, e) : 0;
	blob_close(b);
	return r;
}

bool bucket_health_probe(struct bucket_health *h)
{
	char name[sizeof h->last_name];
	struct err e = { .msg = "" };
	pthread_mutex_lock(&h->lock);
	bool is_down = h->is_down;
	memcpy(name, h->last_name, sizeof name);
	pthread_mutex_unlock(&h->lock);
	if (!is_down)
		return true;
	int64_t began = now_us(h);
	struct deadline before = deadline_enter((struct deadline){
		.until_us = clock_monotonic_us() + h->options.deadline_ms * 1000,
	});
	int r = ask(h, name, &e);
	deadline_leave(before);
	if (r < 0 && bucket_error_is_transient(r)) {
		bucket_health_failed(h, began, name, r, &e);
		return false;
	}
	bucket_health_answered(h);
	return true;
}
