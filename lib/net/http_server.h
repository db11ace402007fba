/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP server: GET and HEAD of fixed paths, answered by functions that fill a buffer. Threads, connections,
 * request sizes and idle times are bounded, so that no client can take more than its share.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdint.h>

struct http_request;

const char *http_request_path(const struct http_request *q);

/* The value of ?name=value, decoded, borrowed; NULL: not there. */
const char *http_request_argument(const struct http_request *q, const char *name);

struct http_response {
	unsigned status;          /* 200 unless set */
	const char *content_type; /* "text/plain; charset=utf-8" unless set; must outlive the call */
	struct buf body;          /* sent whole */
};

struct http_route {
	const char *path; /* exactly, without arguments; NULL ends the table */
	/* Called from any of the server's threads, several at once. HEAD is answered by the same, its body dropped. */
	void (*answer)(void *arg, const struct http_request *q, struct http_response *out);
};

#define HTTP_SERVER_MAX_CONNECTIONS 256
#define HTTP_SERVER_MAX_HEAD_BYTES  (32u << 10) /* request line and headers */
#define HTTP_SERVER_IDLE_SECONDS    30
#define HTTP_SERVER_MAX_THREADS     64

struct http_server_options {
	const char *address; /* "host:port", ":10902" (every address), "[::1]:0" (any free port) */
	const struct http_route *routes; /* borrowed */
	void *arg;                       /* handed to the routes */
	unsigned threads;                /* 0: two */
	unsigned grace_ms;               /* how long closing waits for answers that are on their way */
};

struct http_server;

/* Listens when it returns. -EINVAL for an address of another form, -EADDRINUSE and the like; the error names it. */
int http_server_open(const struct http_server_options *options, struct http_server **out, struct err *e);

uint16_t http_server_port(const struct http_server *s); /* that it listens on */

/* Takes no more connections, lets requests that have begun be answered for grace_ms, then ends. NULL is fine. */
void http_server_close(struct http_server *s);
DEFINE_AUTO(http_server, struct http_server *, http_server_close)

#endif
