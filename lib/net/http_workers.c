/* SPDX-License-Identifier: Apache-2.0 */
/* A job is given to a thread only when one is there to take it: there is no queue in which it could grow old. */
#include "lib/net/http_workers.h"

#include "lib/base/thread.h"

#include <errno.h>
#include <stdbool.h>

struct job {
	void (*fn)(void *arg);
	void *arg;
};

struct http_workers {
	unsigned most;
	pthread_mutex_t lock;
	pthread_cond_t has_job;
	/* under lock */
	pthread_t *threads;       /* room for `most` */
	unsigned n_threads, idle; /* idle: threads without a job, less the jobs not taken yet */
	struct job *jobs;         /* not taken yet; room for `most` */
	unsigned n_jobs;
	bool is_over;
};

struct http_workers *http_workers_new(unsigned most)
{
	struct http_workers *w = xcalloc(1, sizeof *w);
	w->most = most;
	w->jobs = xcalloc(most, sizeof *w->jobs);
	w->threads = xcalloc(most, sizeof *w->threads);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->has_job, NULL);
	return w;
}

static void *work(void *arg)
{
	struct http_workers *w = arg;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->n_jobs && !w->is_over)
			pthread_cond_wait(&w->has_job, &w->lock);
		if (!w->n_jobs)
			break;
		struct job job = w->jobs[--w->n_jobs];
		pthread_mutex_unlock(&w->lock);
		job.fn(job.arg);
		pthread_mutex_lock(&w->lock);
		w->idle++;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int start_locked(struct http_workers *w)
{
	if (w->n_threads >= w->most || thread_start(&w->threads[w->n_threads], 0, 0, work, w) < 0)
		return -EAGAIN;
	w->n_threads++;
	w->idle++;
	return 0;
}

int http_workers_run(struct http_workers *w, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&w->lock);
	int r = w->is_over ? -EAGAIN : w->idle ? 0 : start_locked(w);
	if (r == 0) {
		w->idle--;
		w->jobs[w->n_jobs++] = (struct job){ fn, arg };
		pthread_cond_signal(&w->has_job);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

void http_workers_stop(struct http_workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->is_over = true;
	pthread_cond_broadcast(&w->has_job);
	pthread_mutex_unlock(&w->lock);
}

void http_workers_wait(struct http_workers *w)
{
	/* None is added any more. */
	for (; w->n_threads; w->n_threads--)
		pthread_join(w->threads[w->n_threads - 1], NULL);
}

void http_workers_free(struct http_workers *w)
{
	if (!w)
		return;
	http_workers_stop(w);
	http_workers_wait(w);
	pthread_cond_destroy(&w->has_job);
	pthread_mutex_destroy(&w->lock);
	free(w->jobs);
	free(w->threads);
	free(w);
}
