/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the HTTP client share: http_client.c opens it, http_client_call.c is the callers' side of a call,
 * http_client_loop.c the thread's, and http_client_exchange.c is what curl is told, and what curl calls.
 *
 * libcurl's multi interface, driven by one thread over epoll. Each call is an `exchange`: a curl handle that is kept for
 * the next call, and what two threads need to pass it to and fro. The caller's thread prepares the handle, tells the
 * client's thread of it and waits; while it waits it reads what is to be uploaded. The client's thread does everything
 * that touches a socket, and ends what takes too long, by a look at all exchanges every TICK_US.
 *
 * state      owner             lists                         left when
 * pooled     -                 client.pooled                 a call takes it
 * prepared   caller            -                             the client's thread is told of it
 * waiting    client's thread   client.waiting                fewer than max_connections are running
 * running    client's thread   client.running, curl's own    curl is done with it, or it is overdue
 * done       caller            -                             what came of it is in the call
 */
#ifndef NET_HTTP_CLIENT_PRIVATE_H
#define NET_HTTP_CLIENT_PRIVATE_H

#include "lib/net/http_client.h"
#include "lib/net/http_head.h"
#include "lib/net/http_upload.h"

#include <curl/curl.h>
#include <pthread.h>

enum phase { CONNECTING, ASKED, ANSWERED };

struct exchange {
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	char detail[CURL_ERROR_SIZE]; /* curl's words for a failure */
	struct http_call *call;

	/* The client's thread's own while the exchange is waiting or running. */
	enum phase phase;
	struct http_head head;
	int fd;                     /* that was opened for it last; -1: none */
	int64_t began_us, moved_us; /* moved: when a byte last went or came */
	int64_t connected_us;       /* when TCP was seen to be connected; 0: not yet */
	int64_t deadline_us;        /* 0: none */
	enum { PREPARED, WAITING, RUNNING } state;
	bool is_paused; /* the upload waits for the caller */
	bool is_cut;    /* enough was seen of an error's body */
	bool is_second; /* the first try was over a connection that its peer had closed */
	/* How often curl sent the request: again where an idle connection turned out to be closed. */
	unsigned sent;
	struct exchange *prev, *next;

	pthread_mutex_t lock; /* of the following */
	pthread_cond_t changed;
	struct http_upload upload;
	bool is_done, has_lost_upload; /* lost: the blob could not be read */
	CURLcode code;
	int why; /* -errno: what the client ended it for, whatever curl says of that */
	char words[96];

	/* Under the client's lock. */
	bool is_told;
	struct exchange *next_told, *next_pooled;
};

/* In the order of arrival. */
struct exchanges {
	struct exchange *first, *last;
	unsigned n;
};

struct http_client {
	struct http_client_options options; /* with strings of its own, and no zeros */
	pthread_t thread;
	bool has_thread;
	int epoll_fd, wake_fd;
	CURLSH *share; /* TLS sessions, so that a new connection costs less */
	pthread_mutex_t share_lock;

	/* The client's thread's own. */
	CURLM *multi;
	struct exchanges waiting, running;
	int64_t timer_us; /* when curl wants to be called; -1: never */
	int64_t used_us;  /* when there was last something to do */
	bool has_connections;

	pthread_mutex_t lock; /* of the following */
	struct exchange *told, *last_told;
	struct exchange *pooled;
	unsigned n_pooled;
	bool is_closing;
	bool is_asleep; /* the client's thread waits for its sockets, or is about to */
};

static inline bool is_given(const char *s)
{
	return s && *s;
}

/* An exchange of the pool, or a new one; and back. */
struct exchange *exchange_take(struct http_client *c);
void exchange_drop(struct exchange *x);
void exchange_free(struct exchange *x);

/* What the client ends it for. */
void exchange_set_why(struct exchange *x, int r, const char *words);

/*
 * There is something new about the exchange: it is to begin, or to go on. Never after it is done: once it has begun this is
 * said under its lock.
 */
void exchange_tell(struct exchange *x);

/* The client's thread: from its start until the client is closing. */
void *http_client_run(void *client);
void http_client_wake(struct http_client *c);

#endif
