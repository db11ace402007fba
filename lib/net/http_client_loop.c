/* SPDX-License-Identifier: Apache-2.0 */
/* The client's thread: libcurl's multi interface over epoll, and a look at what takes too long. */
#include "lib/base/clock.h"
#include "lib/net/http_client_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_US 40000
#define EVENTS  64

static void list_add(struct exchanges *l, struct exchange *x)
{
	x->next = NULL;
	x->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = x;
	l->last = x;
	l->n++;
}

static void list_remove(struct exchanges *l, struct exchange *x)
{
	*(x->prev ? &x->prev->next : &l->first) = x->next;
	*(x->next ? &x->next->prev : &l->last) = x->prev;
	l->n--;
}

void http_client_wake(struct http_client *c)
{
	uint64_t one = 1;
	ssize_t written = write(c->wake_fd, &one, sizeof one);
	(void)written; /* fails only where the thread has been woken 2^64 times already */
}

void exchange_tell(struct exchange *x)
{
	struct http_client *c = x->client;
	pthread_mutex_lock(&c->lock);
	if (!x->is_told) {
		x->is_told = true;
		x->next_told = NULL;
		*(c->told ? &c->last_told->next_told : &c->told) = x;
		c->last_told = x;
	}
	bool is_asleep = c->is_asleep;
	c->is_asleep = false; /* one wakes it for all that tell it something until it has heard them */
	pthread_mutex_unlock(&c->lock);
	if (is_asleep)
		http_client_wake(c);
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *c = arg;
	(void)multi;
	c->timer_us = timeout_ms < 0 ? -1 : timeout_ms == 0 ? 0 : clock_monotonic_us() + timeout_ms * 1000;
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct http_client *c = arg;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	struct epoll_event ev = { .data.fd = fd,
		.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u) };
	epoll_ctl(c->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
	curl_multi_assign(c->multi, fd, c);
	return 0;
}

static void open_multi(struct http_client *c)
{
	c->multi = curl_multi_init();
	if (!c->multi)
		abort(); /* no memory */
	c->timer_us = -1;
	c->has_connections = false;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)c->options.max_connections);
}

/* To curl the limit is one of all connections, those in use included. */
static void limit_idle(struct http_client *c)
{
	curl_multi_setopt(
		c->multi, CURLMOPT_MAXCONNECTS, (long)(c->running.n + c->options.max_idle_connections));
}

static void forget(struct http_client *c, struct exchange *x)
{
	pthread_mutex_lock(&c->lock);
	struct exchange **at = &c->told, *before = NULL;
	for (; x->is_told && *at != x; at = &before->next_told)
		before = *at;
	if (x->is_told) {
		*at = x->next_told;
		if (c->last_told == x)
			c->last_told = before;
		x->is_told = false;
	}
	pthread_mutex_unlock(&c->lock);
}

/* From here on the exchange is its caller's. */
static void finish(struct http_client *c, struct exchange *x, CURLcode code)
{
	if (x->state == RUNNING)
		curl_multi_remove_handle(c->multi, x->easy);
	list_remove(x->state == RUNNING ? &c->running : &c->waiting, x);
	pthread_mutex_lock(&x->lock);
	forget(c, x);
	x->code = code;
	x->is_done = true;
	pthread_cond_signal(&x->changed);
	pthread_mutex_unlock(&x->lock);
}

static void end(struct http_client *c, struct exchange *x, int r, const char *words)
{
	exchange_set_why(x, r, words);
	finish(c, x, CURLE_ABORTED_BY_CALLBACK);
}

static void start(struct http_client *c, struct exchange *x)
{
	x->fd = -1;
	x->phase = CONNECTING;
	x->is_paused = false;
	x->began_us = clock_monotonic_us();
	x->connected_us = 0;
	if (curl_multi_add_handle(c->multi, x->easy) != CURLM_OK)
		end(c, x, -ENOMEM, "no memory");
}

static void start_waiting(struct http_client *c)
{
	while (c->waiting.first && c->running.n < c->options.max_connections) {
		struct exchange *x = c->waiting.first;
		list_remove(&c->waiting, x);
		list_add(&c->running, x);
		x->state = RUNNING;
		c->has_connections = true;
		limit_idle(c);
		start(c, x);
	}
}

/*
 * Whether it failed because an idle connection was closed in the moment it was used again. curl sees to that itself where it finds
 * out when it reads, or with the first bytes it sends.
 */
static bool is_worth_a_second_try(const struct exchange *x, CURLcode code)
{
	long fresh = 1;
	if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING)
		return false;
	curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &fresh);
	return !fresh && !x->is_second && !x->head.bytes;
}

static void start_again(struct http_client *c, struct exchange *x)
{
	curl_multi_remove_handle(c->multi, x->easy);
	curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 1L);
	pthread_mutex_lock(&x->lock);
	http_upload_rewind(&x->upload);
	pthread_cond_signal(&x->changed);
	pthread_mutex_unlock(&x->lock);
	x->is_second = true;
	x->detail[0] = 0;
	start(c, x);
}

static void hear(struct http_client *c, struct exchange *x)
{
	if (x->state == PREPARED) {
		x->state = WAITING;
		list_add(&c->waiting, x);
	}
	pthread_mutex_lock(&x->lock);
	bool is_lost = x->has_lost_upload, goes_on = x->is_paused && !x->upload.starved;
	pthread_mutex_unlock(&x->lock);
	if (is_lost) {
		end(c, x, -EIO, "the body can't be read");
	} else if (goes_on) {
		x->is_paused = false;
		x->moved_us = clock_monotonic_us();
		curl_easy_pause(x->easy, CURLPAUSE_CONT);
	}
}

/* False once the client is closing. */
static bool hear_all(struct http_client *c)
{
	for (;;) {
		pthread_mutex_lock(&c->lock);
		struct exchange *x = c->told;
		bool is_closing = c->is_closing;
		if (x) {
			c->told = x->next_told;
			x->is_told = false;
		}
		pthread_mutex_unlock(&c->lock);
		if (!x)
			return !is_closing;
		hear(c, x);
	}
}

/* curl tells of a connection only when its TLS stands too. */
static bool is_connected(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof info;
	return fd >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       info.tcpi_state == TCP_ESTABLISHED;
}

/* 0, or what to end it for. */
static int overdue(struct exchange *x, int64_t now_us, const char **words)
{
	const struct http_client_options *o = &x->client->options;
	const atomic_bool *stop = x->call->stop;
	if (stop && atomic_load_explicit(stop, memory_order_relaxed)) {
		*words = "stopped";
		return -ECANCELED;
	}
	if (x->deadline_us && now_us >= x->deadline_us)
		*words = "timed out";
	else if (x->state == WAITING || x->is_paused)
		return 0;
	else if (x->phase == ASKED && now_us - x->moved_us > o->response_header_timeout_ms * 1000)
		*words = "timed out waiting for the answer's headers";
	else if (x->phase == ANSWERED && now_us - x->moved_us > o->stall_timeout_ms * 1000)
		*words = "timed out: the answer stalled";
	else if (x->phase == CONNECTING) {
		if (!x->connected_us && is_connected(x->fd))
			x->connected_us = now_us;
		if (!x->connected_us && now_us - x->began_us > o->connect_timeout_ms * 1000)
			*words = "timed out connecting";
		else if (x->connected_us && now_us - x->connected_us > o->tls_handshake_timeout_ms * 1000)
			*words = "timed out in the TLS handshake";
	}
	return *words ? -ETIMEDOUT : 0;
}

static void end_overdue(struct http_client *c, struct exchanges *l, int64_t now_us)
{
	for (struct exchange *x = l->first, *next; x; x = next) {
		const char *words = NULL;
		next = x->next;
		int r = overdue(x, now_us, &words);
		if (r < 0)
			end(c, x, r, words);
	}
}

static void finish_done(struct http_client *c)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(c->multi, &left))) {
		struct exchange *x;
		CURLcode code = m->data.result;
		if (m->msg != CURLMSG_DONE ||
			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK)
			continue;
		if (is_worth_a_second_try(x, code))
			start_again(c, x);
		else
			finish(c, x, code);
	}
}

static bool is_idle(const struct http_client *c)
{
	return !c->running.n && !c->waiting.n;
}

/* How long to wait for sockets, in ms; -1: until woken. */
static int patience(const struct http_client *c, int64_t now_us, int64_t tick_us)
{
	int64_t until_us = is_idle(c) ? c->used_us + c->options.idle_timeout_ms * 1000 : tick_us;
	if (is_idle(c) && !c->has_connections)
		return -1;
	if (c->timer_us >= 0)
		until_us = MIN_OF(until_us, c->timer_us);
	return until_us <= now_us ? 0 : (int)((until_us - now_us + 999) / 1000);
}

/* False where there is something to hear first. From here on who tells the thread something must wake it. */
static bool falls_asleep(struct http_client *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_asleep = !c->told && !c->is_closing;
	bool is_asleep = c->is_asleep;
	pthread_mutex_unlock(&c->lock);
	return is_asleep;
}

static void wakes_up(struct http_client *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_asleep = false;
	pthread_mutex_unlock(&c->lock);
}

void *http_client_run(void *arg)
{
	struct http_client *c = arg;
	struct epoll_event events[EVENTS];
	int64_t tick_us = 0;
	int running;
	open_multi(c);
	while (hear_all(c)) {
		start_waiting(c);
		int64_t now_us = clock_monotonic_us();
		if (!is_idle(c))
			c->used_us = now_us;
		if (c->timer_us >= 0 && c->timer_us <= now_us) {
			c->timer_us = -1;
			curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		}
		if (now_us >= tick_us) {
			end_overdue(c, &c->waiting, now_us);
			end_overdue(c, &c->running, now_us);
			tick_us = now_us + TICK_US;
		}
		finish_done(c);
		start_waiting(c);
		/* curl closes idle connections only when it opens others: where there are none to open, all go. */
		if (is_idle(c) && c->has_connections &&
			now_us - c->used_us >= c->options.idle_timeout_ms * 1000) {
			curl_multi_cleanup(c->multi);
			open_multi(c);
		}
		int wait_ms = falls_asleep(c) ? patience(c, now_us, tick_us) : 0;
		int n = epoll_wait(c->epoll_fd, events, EVENTS, wait_ms);
		wakes_up(c);
		for (int i = 0; i < n; i++) {
			uint32_t got = events[i].events;
			uint64_t wakes;
			if (events[i].data.fd == c->wake_fd) {
				(void)!read(c->wake_fd, &wakes, sizeof wakes);
				continue;
			}
			int what = (got & EPOLLIN ? CURL_CSELECT_IN : 0) |
				   (got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				   (got & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0);
			curl_multi_socket_action(c->multi, events[i].data.fd, what, &running);
		}
		finish_done(c);
	}
	curl_multi_cleanup(c->multi);
	return NULL;
}
