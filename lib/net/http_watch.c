/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread over an epoll set. An event carries a number, not a pointer: between its being fetched and its being handled the
 * connection may have gone.
 */
#include "lib/net/http_watch.h"

#include "lib/base/clock.h"
#include "lib/base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS     1000
#define NO_DEADLINE INT64_MAX

struct http_watched {
	struct http_watched *next, **slot; /* slot: what points to this */
	uint64_t number;
	int fd;
	bool is_in_set;
	int64_t deadline_us;
	struct http_reply *reply;
};

struct http_watch {
	int epoll_fd, end_fd;
	int64_t read_us;
	pthread_t thread;
	pthread_mutex_t lock;
	/* under lock */
	struct http_watched *first;
	uint64_t last_number;
};

static void end_overdue_locked(struct http_watch *w)
{
	int64_t now = clock_monotonic_us();
	for (struct http_watched *x = w->first; x; x = x->next)
		if (now > x->deadline_us) {
			/* Its owner reads the end of the stream, and closes it. */
			shutdown(x->fd, SHUT_RDWR);
			x->deadline_us = NO_DEADLINE;
		}
}

static void left_locked(struct http_watch *w, uint64_t number)
{
	for (struct http_watched *x = w->first; x; x = x->next)
		if (x->number == number && x->reply)
			http_reply_abandon(x->reply);
}

static void *watch(void *arg)
{
	struct http_watch *w = arg;
	for (bool is_over = false; !is_over;) {
		struct epoll_event events[64];
		int n = epoll_wait(w->epoll_fd, events, ARRAY_LEN(events), TICK_MS);
		pthread_mutex_lock(&w->lock);
		for (int i = 0; i < n; i++) {
			if (!events[i].data.u64)
				is_over = true;
			else
				left_locked(w, events[i].data.u64);
		}
		end_overdue_locked(w);
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

int http_watch_new(int64_t read_ms, struct http_watch **out, struct err *e)
{
	struct http_watch *w = xcalloc(1, sizeof *w);
	w->read_us = read_ms * 1000;
	pthread_mutex_init(&w->lock, NULL);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->end_fd = eventfd(0, EFD_CLOEXEC);
	struct epoll_event end = { .events = EPOLLIN };
	int r = w->epoll_fd < 0 || w->end_fd < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->end_fd, &end) < 0
			? -errno
			: 0;
	if (r == 0)
		r = thread_start(&w->thread, 0, 0, watch, w);
	if (r < 0) {
		if (w->epoll_fd >= 0)
			close(w->epoll_fd);
		if (w->end_fd >= 0)
			close(w->end_fd);
		free(w);
		return err_errno(e, r, "watching connections");
	}
	*out = w;
	return 0;
}

void http_watch_free(struct http_watch *w)
{
	if (!w)
		return;
	eventfd_write(w->end_fd, 1);
	pthread_join(w->thread, NULL);
	close(w->epoll_fd);
	close(w->end_fd);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

struct http_watched *http_watch_add(struct http_watch *w, int fd)
{
	struct http_watched *x = xcalloc(1, sizeof *x);
	x->fd = fd;
	pthread_mutex_lock(&w->lock);
	x->number = ++w->last_number;
	x->deadline_us = clock_monotonic_us() + w->read_us;
	x->next = w->first;
	if (x->next)
		x->next->slot = &x->next;
	x->slot = &w->first;
	w->first = x;
	pthread_mutex_unlock(&w->lock);
	return x;
}

void http_watch_answering(struct http_watch *w, struct http_watched *x, struct http_reply *reply)
{
	pthread_mutex_lock(&w->lock);
	x->reply = reply;
	x->deadline_us = reply ? NO_DEADLINE : clock_monotonic_us() + w->read_us;
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.u64 = x->number };
	if (reply && epoll_ctl(w->epoll_fd, x->is_in_set ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, x->fd, &event) == 0)
		x->is_in_set = true;
	pthread_mutex_unlock(&w->lock);
}

void http_watch_remove(struct http_watch *w, struct http_watched *x)
{
	pthread_mutex_lock(&w->lock);
	if (x->is_in_set)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, x->fd, NULL);
	*x->slot = x->next;
	if (x->next)
		x->next->slot = x->slot;
	pthread_mutex_unlock(&w->lock);
	free(x);
}
