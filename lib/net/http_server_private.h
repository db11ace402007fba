/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the HTTP server share: the server, and a request from its first line to its end. */
#ifndef NET_HTTP_SERVER_PRIVATE_H
#define NET_HTTP_SERVER_PRIVATE_H

#include "lib/net/http_server.h"
#include "lib/net/http_server_web.h"
#include "lib/net/http_watch.h"
#include "lib/net/http_workers.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

struct http_server {
	struct MHD_Daemon *daemon;
	const struct http_route *routes;
	void *arg;
	unsigned grace_ms;
	uint16_t port;
	const char *prefix;
	size_t prefix_len, max_body_bytes;
	bool has_tls;
	struct http_watch *watch;
	struct http_workers *workers;
	atomic_size_t body_bytes; /* of all requests */

	pthread_mutex_t lock;
	pthread_cond_t idle;  /* under lock: active became 0 */
	struct http_web *web; /* under lock: the one that holds now, may be NULL */
	/* under lock: requests that have begun and not ended */
	unsigned active;
	struct http_request *first;
};

/* What libmicrohttpd keeps for us with a connection. */
struct http_connection {
	struct http_watched *watched; /* may be NULL */
	struct http_web *web;         /* held: of its TLS */
};

/* The configuration that holds now, held. */
struct http_web *http_server_web(struct http_server *s);

/*
 *	URL		only the first line is known
 *	BODY		the headers are there and were found good; the body arrives
 *	WORKING		the connection sleeps while a thread makes the answer
 *	ANSWERED	a response was queued
 */
enum http_stage { HTTP_STAGE_URL, HTTP_STAGE_BODY, HTTP_STAGE_WORKING, HTTP_STAGE_ANSWERED };

/* Held by the connection and by the thread that answers, each of which may be through first. */
struct http_request {
	struct http_server *server;
	struct http_request *next, **slot; /* under the server's lock */
	atomic_uint refs;
	struct MHD_Connection *connection; /* for libmicrohttpd's threads, and to wake it */
	struct http_web *web;              /* held */
	enum http_stage stage;
	char *uri; /* as it came */
	unsigned method;
	struct buf path, wildcard;
	const struct http_route *route;
	struct http_params params, headers;
	char *params_error; /* NULL: none */
	struct buf body;
	size_t arrived_bytes; /* of the body */
	unsigned refusal;     /* the status to give when the body is over, which isn't kept; 0: none */
	struct http_reply
		*reply; /* under the server's lock to set it; NULL before it is known that one is needed */
};

/* libmicrohttpd's callbacks; the state it keeps for us is the request. */
void *http_exchange_on_url(void *server, const char *uri, struct MHD_Connection *c);
enum MHD_Result http_exchange_on_data(void *server, struct MHD_Connection *c, const char *path,
	const char *method, const char *version, const char *upload, size_t *upload_bytes, void **state);
void http_exchange_on_end(
	void *server, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why);

void http_request_unref(struct http_request *q);

/* Fills method, path, params and headers. 0, or the status to refuse it with. */
unsigned http_request_read(struct http_request *q, const char *method);

/* Sets the route and the wildcard; 0, or 404, or 405. */
unsigned http_request_route(struct http_request *q);

/* Reads the form in the body, and the URL's parameters after it. */
void http_request_read_params(struct http_request *q);

#endif
