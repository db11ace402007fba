/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd with epoll and a few threads does the protocol. What is added: the table of paths, the bounds, and an
 * end that lets answers finish: the server counts the requests that have begun, and closing waits for the count to
 * reach zero before it stops the threads.
 */
#include "lib/net/http_server.h"

#include "lib/base/log.h"
#include "lib/net/listen.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct http_server {
	struct MHD_Daemon *daemon;
	const struct http_route *routes;
	void *arg;
	unsigned grace_ms;
	uint16_t port;

	pthread_mutex_t lock;
	pthread_cond_t idle; /* under lock: active became 0 */
	unsigned active;     /* under lock: requests that have begun and not ended */
};

struct http_request {
	struct MHD_Connection *connection;
	const char *path;
};

const char *http_request_path(const struct http_request *q)
{
	return q->path;
}

const char *http_request_argument(const struct http_request *q, const char *name)
{
	return MHD_lookup_connection_value(q->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* Takes the body over. */
static enum MHD_Result send_response(struct MHD_Connection *c, struct http_response *out, bool and_close)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(out->body.len, out->body.data, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		buf_fini(&out->body);
		return MHD_NO;
	}
	const char *type = out->content_type ? out->content_type : "text/plain; charset=utf-8";
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (out->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (and_close)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	enum MHD_Result sent = MHD_queue_response(c, out->status, r);
	MHD_destroy_response(r);
	return sent;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *text)
{
	struct http_response out = { .status = status };
	buf_add_str(&out.body, text);
	/* What the client goes on sending is not read. */
	return send_response(c, &out, status != MHD_HTTP_NOT_FOUND);
}

static bool has_body(struct MHD_Connection *c)
{
	const char *n = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	return (n && strcmp(n, "0") != 0) ||
	       MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method,
	const char *version, const char *upload, size_t *upload_bytes, void **state)
{
	static const char begun;
	struct http_server *s = arg;
	(void)version, (void)upload;
	if (!*state) { /* the headers are there; a second call follows */
		*state = (void *)(uintptr_t)&begun;
		pthread_mutex_lock(&s->lock);
		s->active++;
		pthread_mutex_unlock(&s->lock);
		if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
			return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "405 method not allowed\n");
		if (has_body(c))
			return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "413 a body is not expected\n");
		return MHD_YES;
	}
	*upload_bytes = 0;
	for (const struct http_route *r = s->routes; r->path; r++) {
		if (strcmp(r->path, path) != 0)
			continue;
		struct http_request q = { .connection = c, .path = path };
		struct http_response out = { .status = MHD_HTTP_OK };
		r->answer(s->arg, &q, &out);
		return send_response(c, &out, false);
	}
	return refuse(c, MHD_HTTP_NOT_FOUND, "404 page not found\n");
}

static void on_end(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct http_server *s = arg;
	(void)c, (void)why;
	if (!*state)
		return;
	*state = NULL;
	pthread_mutex_lock(&s->lock);
	if (--s->active == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *arg, const char *fmt, va_list ap)
{
	char text[256];
	(void)arg;
	vsnprintf(text, sizeof text, fmt, ap);
	text[strcspn(text, "\n")] = 0;
	log_debug("http server", KV("detail", text));
}

int http_server_open(const struct http_server_options *options, struct http_server **out, struct err *e)
{
	uint16_t port;
	int fd = listen_tcp(options->address, &port, e);
	if (fd < 0)
		return fd;
	struct http_server *s = xcalloc(1, sizeof *s);
	*s = (struct http_server){
		.routes = options->routes, .arg = options->arg, .grace_ms = options->grace_ms, .port = port
	};
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->idle, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&s->lock, NULL);

	unsigned threads = options->threads ? MIN_OF(options->threads, HTTP_SERVER_MAX_THREADS) : 2;
	/* A pool of one is none for libmicrohttpd: it warns, and runs its one thread. */
	struct MHD_OptionItem pool[] = { { MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL },
		{ MHD_OPTION_END, 0, NULL } };
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL,
		NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)HTTP_SERVER_MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)HTTP_SERVER_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HTTP_SERVER_MAX_HEAD_BYTES, MHD_OPTION_ARRAY, threads > 1 ? pool : pool + 1,
		MHD_OPTION_END);
	if (!s->daemon) {
		int r = errno ? -errno : -EIO;
		close(fd);
		http_server_close(s);
		return err_errno(e, r, "starting the HTTP server on %.128s", options->address);
	}
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

void http_server_close(struct http_server *s)
{
	if (!s)
		return;
	if (s->daemon) {
		int fd = MHD_quiesce_daemon(s->daemon);
		if (fd >= 0)
			shutdown(fd, SHUT_RDWR); /* who connects now is refused, not kept waiting */
		wait_idle(s);
		MHD_stop_daemon(s->daemon);
		if (fd >= 0)
			close(fd);
	}
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
