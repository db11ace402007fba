/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An eye on connections while nobody reads them. libmicrohttpd looks away from a connection whose answer is being made, so it is this
 * that sees a client leave; and it ends connections that take too long over sending a request, however steadily they drip.
 */
#ifndef NET_HTTP_WATCH_H
#define NET_HTTP_WATCH_H

#include "lib/base/err.h"
#include "lib/net/http_reply.h"

#include <stdint.h>

struct http_watch;
struct http_watched;

/* `read_ms`: how long a request may take to arrive, from the connection's beginning or the end of the answer before. */
int http_watch_new(int64_t read_ms, struct http_watch **out, struct err *e);
void http_watch_free(struct http_watch *w); /* NULL is fine */

/* A connection has begun, and its request is waited for. The descriptor stays the caller's, until http_watch_remove. */
struct http_watched *http_watch_add(struct http_watch *w, int fd);
void http_watch_remove(struct http_watch *w, struct http_watched *x);

/* Its request is whole: `reply` is abandoned if the client leaves. NULL: the answer is over, the next request is waited for. */
void http_watch_answering(struct http_watch *w, struct http_watched *x, struct http_reply *reply);

#endif
