/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server: a table of paths, answered by functions. Short answers fill a buffer in one of the server's own threads; long ones
 * are written piece by piece from a thread of the request's own, see http_reply.h. Threads, connections, sizes of requests and times
 * are bounded, so that no client can take more than its share; a request takes a thread only when it has arrived whole.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/net/http_params.h"
#include "lib/net/http_reply.h"
#include "lib/net/web_config.h"

#include <stdint.h>

#define HTTP_GET     1u
#define HTTP_HEAD    2u
#define HTTP_POST    4u
#define HTTP_PUT     8u
#define HTTP_OPTIONS 16u

/* All that is borrowed from a request lives as long as the call of the route. */
struct http_request;

unsigned http_request_method(const struct http_request *q);  /* one of HTTP_GET ... */
const char *http_request_path(const struct http_request *q); /* decoded, without the prefix */
const char *http_request_wildcard(
	const struct http_request *q); /* what stands for the path's '*', decoded; "" without one */
const char *http_request_header(
	const struct http_request *q, const char *name); /* NULL: not there; any case */

/* Parameters: of a form in the body, then of the URL. */
const struct http_params *http_request_params(const struct http_request *q);
const char *http_request_params_error(
	const struct http_request *q); /* what was malformed in them; NULL: nothing */

/* The value of a parameter, decoded; NULL: not there. */
const char *http_request_argument(const struct http_request *q, const char *name);

struct http_response {
	unsigned status;          /* 200 unless set */
	const char *content_type; /* "text/plain; charset=utf-8" unless set; must outlive the call */
	struct buf body;          /* sent whole */
};

/* One of the two functions is set. They are called from several threads at once. */
struct http_route {
	const char *
		path; /* without arguments; one segment may be "*", which is any one, or the last "**", any rest. NULL ends the table */
	unsigned methods; /* 0: GET and HEAD */
	/* In the server's threads: mustn't wait. HEAD is answered by the same, its body dropped. */
	void (*answer)(void *arg, const struct http_request *q, struct http_response *out);
	/* In a thread of its own. What is left in the reply's body when it returns is sent; no HEAD. False: the answer broke off. */
	bool (*stream)(void *arg, const struct http_request *q, struct http_reply *reply);
};

#define HTTP_SERVER_MAX_CONNECTIONS 256
#define HTTP_SERVER_MAX_HEAD_BYTES  (32u << 10) /* request line and headers */
#define HTTP_SERVER_IDLE_SECONDS    30
#define HTTP_SERVER_MAX_THREADS     64
#define HTTP_SERVER_BODIES          16 /* of the largest size are held at once; what goes beyond gets 503 */

struct http_server_options {
	const char *address; /* "host:port", ":10902" (every address), "[::1]:0" (any free port) */
	const struct http_route *routes; /* borrowed */
	void *arg;                       /* handed to the routes */
	unsigned threads;                /* that read and write connections; 0: two */
	unsigned grace_ms;               /* how long closing waits for answers that are on their way */
	const char *prefix;              /* of all paths, "/x"; NULL or "": none. Borrowed */
	unsigned max_connections;        /* 0: HTTP_SERVER_MAX_CONNECTIONS */
	size_t max_head_bytes;           /* 0: HTTP_SERVER_MAX_HEAD_BYTES */
	size_t max_body_bytes;           /* 0: requests have no body */
	int64_t read_timeout_ms;         /* a whole request, or idle; 0: HTTP_SERVER_IDLE_SECONDS */
	struct web_config *web;          /* held by the server; NULL: no TLS, anybody */
};

struct http_server;

/* Listens when it returns. -EINVAL for an address of another form, -EADDRINUSE and the like; the error names it. */
int http_server_open(const struct http_server_options *options, struct http_server **out, struct err *e);

/*
 * Replaces the web configuration: for connections that begin from now on, and as to users and headers for all requests that do. -EINVAL,
 * and nothing changes: it can't be used, or has TLS where the server began without, or the other way round.
 */
int http_server_set_web(struct http_server *s, struct web_config *web, struct err *e);

uint16_t http_server_port(const struct http_server *s); /* that it listens on */

/*
 * Takes no more connections, lets requests that have begun be answered for grace_ms, abandons what is left, and ends when every
 * stream function has returned. NULL is fine.
 */
void http_server_close(struct http_server *s);
DEFINE_AUTO(http_server, struct http_server *, http_server_close)

#endif
