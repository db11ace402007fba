/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer on its way: one thread writes it, the connection's thread reads it, and between them is a bounded buffer, so that an
 * answer of any size takes little memory and a slow client slows down nobody but its own query.
 *
 *	HELD		nothing has left: the status may still change, the body start over
 *	SENDING		the status is on its way; more comes
 *	WHOLE		all has been written
 *	BROKEN		it can't be finished: the connection is cut, so that nobody takes the part for the whole
 *
 * A body that fits into the buffer leaves whole, with its length, and so do most errors of a query: they are met in HELD. The body
 * is compressed by who writes, where the client asks for it and it is worth the while.
 */
#ifndef NET_HTTP_REPLY_H
#define NET_HTTP_REPLY_H

#include "lib/base/buf.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define HTTP_REPLY_HOLD_BYTES \
	(1u << 20) /* as many are kept back before the answer begins, and while the client doesn't read */
#define HTTP_REPLY_STAGE_BYTES (64u << 10)
#define HTTP_REPLY_STALL_MS    60000 /* a client that makes no room for this long is gone */

enum http_reply_state { HTTP_REPLY_HELD, HTTP_REPLY_SENDING, HTTP_REPLY_WHOLE, HTTP_REPLY_BROKEN };

struct http_reply;

/* Called with the reply's lock held, so that going to sleep and being woken can't miss each other; must not wait. */
struct http_reply_reader {
	void (*sleep)(void *arg);
	void (*wake)(void *arg);
	void *arg;
};

struct http_reply *http_reply_new(bool takes_gzip, const struct http_reply_reader *reader);
void http_reply_free(struct http_reply *r);
DEFINE_AUTO(http_reply, struct http_reply *, http_reply_free)

/* The writer's side, one thread. */

void http_reply_status(struct http_reply *r, unsigned status); /* 200 unless set */
void http_reply_header(struct http_reply *r, const char *name,
	const char *value); /* replaces one of this name, or with NULL removes it; copies */

/* Append to this; it is the writer's. Then call http_reply_flush, at the latest after every HTTP_REPLY_STAGE_BYTES. */
struct buf *http_reply_body(struct http_reply *r);

/* Hands over what there is, if it is much; waits for room. 0, or -ECANCELED: nobody reads any more. */
int http_reply_flush(struct http_reply *r);

/* The same in two steps. Without the wait; 1: it is to be waited before more is written. */
int http_reply_offer(struct http_reply *r);

/* Up to so many ms (-1: until there is room, or HTTP_REPLY_STALL_MS are over). 0: there is room; 1: not yet; -ECANCELED. */
int http_reply_wait_for_room(struct http_reply *r, int ms);

/* Forgets the body. False: part of it has left, nothing is forgotten. */
bool http_reply_start_over(struct http_reply *r);

/* The last call of the writer, which may be made again for nothing: `is_whole`, or it breaks off. */
void http_reply_end(struct http_reply *r, bool is_whole);

/* True once the client has gone: for promql_query.cancel. */
const atomic_bool *http_reply_is_gone(const struct http_reply *r);

/* The reader's side. */

/* From any thread: nobody will read. */
void http_reply_abandon(struct http_reply *r);

/* HTTP_REPLY_HELD: the reader was put to sleep. */
enum http_reply_state http_reply_wait(struct http_reply *r);

/* After that: the status, and the headers one by one, NULL past the last. */
unsigned http_reply_get_status(const struct http_reply *r);
const char *http_reply_get_header(const struct http_reply *r, size_t i, const char **value);

/* Takes the body where it is there as a whole and nothing of it was read; *out is the caller's then. */
bool http_reply_take(struct http_reply *r, struct buf *out);

/* Bytes put into p, at most max; 0: the end; -EAGAIN: none now, and the reader was put to sleep; -EIO: broken. */
ssize_t http_reply_read(struct http_reply *r, void *p, size_t max);

#endif
