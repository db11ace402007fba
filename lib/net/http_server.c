/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd with epoll and a few threads does the protocol. What is added: the bounds, threads for long answers, and an end that
 * lets answers finish: the server counts the requests that have begun, and closing waits for the count to reach zero before it
 * stops the threads.
 */
#include "lib/net/http_server_private.h"

#include "lib/base/log.h"
#include "lib/net/listen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

__attribute__((format(printf, 2, 0))) static void on_log(void *arg, const char *fmt, va_list ap)
{
	char text[256];
	(void)arg;
	vsnprintf(text, sizeof text, fmt, ap);
	text[strcspn(text, "\n")] = 0;
	log_debug("http server", KV("detail", text));
}

static void on_connection(
	void *arg, struct MHD_Connection *c, void **state, enum MHD_ConnectionNotificationCode what)
{
	struct http_server *s = arg;
	struct http_connection *x = *state;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *fd =
			MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
		const union MHD_ConnectionInfo *tls =
			MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
		*state = x = xcalloc(1, sizeof *x);
		x->watched = fd ? http_watch_add(s->watch, fd->connect_fd) : NULL;
		x->web = http_server_web(s);
		if (tls && tls->tls_session)
			http_web_begin(x->web, tls->tls_session);
	} else if (x) {
		if (x->watched)
			http_watch_remove(s->watch, x->watched);
		http_web_free(x->web);
		free(x);
		*state = NULL;
	}
}

struct http_web *http_server_web(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	struct http_web *w = http_web_hold(s->web);
	pthread_mutex_unlock(&s->lock);
	return w;
}

int http_server_set_web(struct http_server *s, struct web_config *web, struct err *e)
{
	struct http_web *w;
	if (!web->cert_pem == s->has_tls)
		return err_set(e, -EINVAL, "TLS can't be turned %s while the server runs",
			s->has_tls ? "off" : "on");
	int r = http_web_new(web, &w, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&s->lock);
	struct http_web *before = s->web;
	s->web = w;
	pthread_mutex_unlock(&s->lock);
	http_web_free(before);
	return 0;
}

#define MOST_OPTIONS 8

static void add_option(
	struct MHD_OptionItem *items, size_t *n, enum MHD_OPTION option, intptr_t value, void *p)
{
	items[(*n)++] = (struct MHD_OptionItem){ option, value, p };
}

static int start_daemon(struct http_server *s, const struct http_server_options *o, int fd, struct err *e)
{
	unsigned threads = o->threads ? MIN_OF(o->threads, HTTP_SERVER_MAX_THREADS) : 2;
	unsigned connections = o->max_connections ? o->max_connections : HTTP_SERVER_MAX_CONNECTIONS;
	unsigned idle =
		o->read_timeout_ms ? (unsigned)((o->read_timeout_ms + 999) / 1000) : HTTP_SERVER_IDLE_SECONDS;
	size_t head = o->max_head_bytes ? o->max_head_bytes : HTTP_SERVER_MAX_HEAD_BYTES, n = 0;
	unsigned flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem more[MOST_OPTIONS];
	/* A pool of one is none for libmicrohttpd: it warns, and runs its one thread. */
	if (threads > 1)
		add_option(more, &n, MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL);
	if (s->has_tls) {
		/* It wants them to begin with; each connection gets what holds then. */
		flags |= MHD_USE_TLS;
		add_option(more, &n, MHD_OPTION_HTTPS_MEM_CERT, 0, o->web->cert_pem);
		add_option(more, &n, MHD_OPTION_HTTPS_MEM_KEY, 0, o->web->key_pem);
	}
	add_option(more, &n, MHD_OPTION_END, 0, NULL);
	errno = 0;
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, http_exchange_on_data, s,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_COMPLETED, http_exchange_on_end, s, MHD_OPTION_URI_LOG_CALLBACK,
		http_exchange_on_url, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT, idle,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, head, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
	if (!s->daemon)
		return err_errno(e, errno ? -errno : -EIO, "starting the HTTP server on %.128s", o->address);
	return 0;
}

int http_server_open(const struct http_server_options *options, struct http_server **out, struct err *e)
{
	uint16_t port;
	auto_close_fd int fd = listen_tcp(options->address, &port, e);
	if (fd < 0)
		return fd;
	struct http_server *s = xcalloc(1, sizeof *s);
	*s = (struct http_server){ .routes = options->routes,
		.arg = options->arg,
		.grace_ms = options->grace_ms,
		.port = port,
		.prefix = options->prefix ? options->prefix : "",
		.prefix_len = options->prefix ? strlen(options->prefix) : 0,
		.max_body_bytes = options->max_body_bytes,
		.has_tls = options->web && options->web->cert_pem };
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->idle, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&s->lock, NULL);
	s->workers = http_workers_new(
		options->max_connections ? options->max_connections : HTTP_SERVER_MAX_CONNECTIONS);
	int64_t read_ms =
		options->read_timeout_ms ? options->read_timeout_ms : 1000 * HTTP_SERVER_IDLE_SECONDS;
	int r = http_watch_new(read_ms, &s->watch, e);
	if (r == 0 && options->web)
		r = http_web_new(options->web, &s->web, e);
	if (r == 0)
		r = start_daemon(s, options, fd, e);
	if (r < 0) {
		http_server_close(s);
		return r;
	}
	fd = -1;
	*out = s;
	return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

/* Until no request is on its way, or the grace is over. */
static void wait_idle(struct http_server *s)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += s->grace_ms / 1000;
	until.tv_nsec += s->grace_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&s->lock);
	while (s->active && pthread_cond_timedwait(&s->idle, &s->lock, &until) == 0)
		;
	pthread_mutex_unlock(&s->lock);
}

static void abandon_all(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	for (struct http_request *q = s->first; q; q = q->next)
		if (q->reply)
			http_reply_abandon(q->reply);
	pthread_mutex_unlock(&s->lock);
}

void http_server_close(struct http_server *s)
{
	if (!s)
		return;
	int fd = -1;
	if (s->daemon) {
		fd = MHD_quiesce_daemon(s->daemon);
		if (fd >= 0)
			shutdown(fd, SHUT_RDWR); /* who connects now is refused, not kept waiting */
		wait_idle(s);
		/* A daemon that stops must have no connection that sleeps; each is woken when its thread is through. */
		http_workers_stop(s->workers);
		abandon_all(s);
		http_workers_wait(s->workers);
		MHD_stop_daemon(s->daemon);
	}
	if (fd >= 0)
		close(fd);
	http_workers_free(s->workers);
	http_watch_free(s->watch);
	http_web_free(s->web);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
