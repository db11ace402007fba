/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request loop. A thread reads one request into a buffer of its own and serves it to the end. Requests
 * are copied, not spliced, and the buffer's pages are there before the first read: a read that has to make
 * them, and is killed meanwhile, makes the kernel answer EIO to the program that asked.
 *
 *	threads	    those that exist
 *	idle	    of them, those that wait in read(2)
 *	threads - idle are serving; when the last idle one takes a request it starts another, up to THREADS_MAX
 */
#include "fs/loop.h"

#include "fs/fuse_api.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define THREADS_MAX  64u
#define IDLE_SPARE   4u                     /* idle threads beyond the wanted ones before one ends */
#define BUFFER_BYTES ((256u + 16u) * 4096u) /* what libfuse asks the kernel for, and a little more */
#define STACK_BYTES  (4u << 20)
#define WAKE_SIGNAL  SIGURG /* ignored by default, so a late one harms nobody */

struct worker {
	pthread_t thread;
	struct worker *next;
};

struct loop {
	struct fuse_session *se;
	unsigned idle_wanted;
	size_t touched; /* bytes of a buffer that a request can fill */
	atomic_bool end;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned threads, idle;
	struct worker *workers; /* those that exist, to be woken at the end */
	struct worker
		*ended; /* the last that ended, to be joined: libfuse has something to free at its very end */
};

static _Thread_local uint64_t request_unique;

uint64_t loop_request_unique(void)
{
	return request_unique;
}

void loop_set_request_unique(uint64_t unique)
{
	request_unique = unique;
}

static void on_wake(int sig)
{
	(void)sig; /* makes read(2) give up; nothing else */
}

static int start_worker_locked(struct loop *l);

static void join(struct worker *w)
{
	if (w)
		pthread_join(w->thread, NULL);
	free(w);
}

static void *serve(void *arg)
{
	struct loop *l = arg;
	struct fuse_buf buf = { 0 };
	void *pages = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		abort(); /* no memory */
	memset(pages, 1, l->touched);

	bool stays = true;
	while (stays && !atomic_load(&l->end)) {
		buf.mem = pages;
		buf.flags = 0;
		int n = fuse_session_receive_buf(l->se, &buf);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break;
		buf.size = (size_t)n;

		pthread_mutex_lock(&l->lock);
		if (!--l->idle && l->threads < THREADS_MAX && !atomic_load(&l->end))
			start_worker_locked(l);
		pthread_mutex_unlock(&l->lock);

		loop_set_request_unique(((const struct fuse_in_header *)buf.mem)->unique);
		fuse_session_process_buf(l->se, &buf);
		loop_set_request_unique(0);

		pthread_mutex_lock(&l->lock);
		stays = ++l->idle <= l->idle_wanted + IDLE_SPARE;
		pthread_mutex_unlock(&l->lock);
	}
	munmap(pages, BUFFER_BYTES);

	pthread_mutex_lock(&l->lock);
	l->idle--;
	l->threads--;
	struct worker **at = &l->workers;
	while (!pthread_equal((*at)->thread, pthread_self()))
		at = &(*at)->next;
	struct worker *me = *at, *before = l->ended;
	*at = me->next;
	l->ended = me;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	/* Each joins the one before it, so that there is never more than one left. */
	join(before);
	return NULL;
}

/* The new thread blocks every signal but the one that wakes it: the program handles the others elsewhere. */
static int start_worker_locked(struct loop *l)
{
	sigset_t all, old;
	sigfillset(&all);
	sigdelset(&all, WAKE_SIGNAL);
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	struct worker *w = xcalloc(1, sizeof *w);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(&w->thread, &attr, serve, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r != 0) {
		free(w);
		return -r;
	}
	w->next = l->workers;
	l->workers = w;
	l->threads++;
	l->idle++;
	return 0;
}

int loop_start(
	struct fuse_session *se, unsigned idle, size_t request_max_bytes, struct loop **out, struct err *e)
{
	struct sigaction wake = { .sa_handler = on_wake };
	sigaction(WAKE_SIGNAL, &wake, NULL);

	struct loop *l = xcalloc(1, sizeof *l);
	l->se = se;
	l->idle_wanted = idle;
	l->touched = MIN_OF(request_max_bytes + 4096, (size_t)BUFFER_BYTES);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);

	pthread_mutex_lock(&l->lock);
	int r = 0;
	for (unsigned i = 0; i < idle && r == 0; i++)
		r = start_worker_locked(l);
	bool some = l->threads > 0;
	pthread_mutex_unlock(&l->lock);
	if (!some) {
		loop_free(l);
		return err_errno(e, r, "starting a thread");
	}
	*out = l;
	return 0;
}

int loop_wait_ms(struct loop *l, unsigned ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	int r = 0;
	pthread_mutex_lock(&l->lock);
	while (l->threads && r == 0)
		r = pthread_cond_timedwait(&l->changed, &l->lock, &until);
	r = l->threads ? -ETIMEDOUT : 0;
	pthread_mutex_unlock(&l->lock);
	return r;
}

void loop_end(struct loop *l)
{
	atomic_store(&l->end, true);
	/* A signal that comes just before read(2) is lost, so it is sent until everybody has gone. */
	do {
		pthread_mutex_lock(&l->lock);
		for (struct worker *w = l->workers; w; w = w->next)
			pthread_kill(w->thread, WAKE_SIGNAL);
		pthread_mutex_unlock(&l->lock);
	} while (loop_wait_ms(l, 10) < 0);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	join(l->ended);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
