/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server on loopback that answers by a script, whatever nonsense that is: each path has steps, and each connection
 * has a thread that reads a request, goes through the steps of its path, and reads the next. It counts what it sees.
 */
#ifndef TESTS_HTTP_SCRIPT_H
#define TESTS_HTTP_SCRIPT_H

#include "lib/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum script_act {
	SCRIPT_END,     /* the connection stays, for the next request */
	SCRIPT_SEND,    /* the text; its first n bytes, where n is set */
	SCRIPT_BYTES,   /* n bytes of a body: byte i is script_byte(i) */
	SCRIPT_FLOOD,   /* bytes until the peer has enough */
	SCRIPT_PAUSE,   /* n ms, or until the peer leaves */
	SCRIPT_TRICKLE, /* n bytes, one each 20 ms */
	SCRIPT_CLOSE,
	SCRIPT_RESET, /* closes so that the peer gets a reset */
	SCRIPT_AWAIT, /* until http_script_go was called once for each that waits */
};

struct script_step {
	enum script_act act;
	const char *text;
	uint64_t n;
};

#define SEND(t)                                 \
	{                                       \
		.act = SCRIPT_SEND, .text = (t) \
	}
#define RAW(t)                                                      \
	{                                                           \
		.act = SCRIPT_SEND, .text = (t), .n = sizeof(t) - 1 \
	}
#define BYTES(k)                              \
	{                                     \
		.act = SCRIPT_BYTES, .n = (k) \
	}
#define FLOOD                       \
	{                           \
		.act = SCRIPT_FLOOD \
	}
#define PAUSE(ms)                              \
	{                                      \
		.act = SCRIPT_PAUSE, .n = (ms) \
	}
#define TRICKLE(k)                              \
	{                                       \
		.act = SCRIPT_TRICKLE, .n = (k) \
	}
#define CLOSE                       \
	{                           \
		.act = SCRIPT_CLOSE \
	}
#define RESET                       \
	{                           \
		.act = SCRIPT_RESET \
	}
#define AWAIT                       \
	{                           \
		.act = SCRIPT_AWAIT \
	}

struct script_route {
	const char *path; /* up to the query; NULL ends the table; "*": whatever there is no other for */
	bool is_early;    /* answers before it reads the request's body */
	struct script_step steps[12];
};

struct script_tls {
	const char *cert_file, *key_file;
	const char *client_ca_file; /* asks for a client's certificate of this authority */
};

struct http_script;

/* Routes are borrowed; tls NULL: without. Ends the test where there is no server to be had. */
struct http_script *http_script_open(const struct script_route *routes, const struct script_tls *tls);
void http_script_close(struct http_script *s); /* NULL is fine */
DEFINE_AUTO(http_script, struct http_script *, http_script_close)

uint16_t http_script_port(const struct http_script *s);
unsigned http_script_connections(struct http_script *s); /* that were ever accepted */
unsigned http_script_open_connections(struct http_script *s);
unsigned http_script_requests(struct http_script *s);
void http_script_go(struct http_script *s);

/* The head of the last request, with its line; and its body. To be freed by buf_fini. */
void http_script_last(struct http_script *s, struct buf *head, struct buf *body);

static inline uint8_t script_byte(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

#endif
