/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test server's HTTP requests, as they came: nothing is decoded in place, since a signature is made over what
 * was sent. RFC 9112, without what S3 clients never use (chunked request bodies, folded headers).
 */
#ifndef TESTS_S3SERVE_REQUEST_H
#define TESTS_S3SERVE_REQUEST_H

#include "lib/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define S3SERVE_HEAD_BYTES 32768 /* of a request line and its headers */
#define S3SERVE_HEADERS    64
#define S3SERVE_PARAMS     48

/* Text inside the request's head. */
struct span {
	const char *p;
	size_t n;
};

struct s3serve_pair {
	struct span name, value;
};

struct s3serve_request {
	char *head; /* a copy of the head, owned; names of headers are in lower case in it */
	size_t head_bytes;
	struct span method, path, query; /* path and query as sent; query without '?' */
	struct s3serve_pair headers[S3SERVE_HEADERS];
	struct s3serve_pair params[S3SERVE_PARAMS]; /* still encoded */
	size_t n_headers, n_params;
	uint64_t body_bytes;
	bool keep_alive, expects_continue;
};

/* The head's length with the empty line, or 0 while that has not come. */
size_t s3serve_head_length(const void *p, size_t n);

/* Parses a head of `n` bytes. 0, or the HTTP status that it deserves. */
int s3serve_request_parse(struct s3serve_request *q, const void *p, size_t n);
void s3serve_request_fini(struct s3serve_request *q);

bool span_is(struct span s, const char *text);
bool span_starts(struct span s, const char *text);

/* The value of the first header of that name (in lower case); p is NULL where there is none. */
struct span s3serve_header(const struct s3serve_request *q, const char *name);

/* Whether a parameter is there; its decoded value, NUL-terminated, replaces what is in `out` (which may be NULL). */
bool s3serve_param(const struct s3serve_request *q, const char *name, struct buf *out);

/* Appends `s` without its percent-encoding ('+' is a blank where plus_is_blank). False for what is no encoding. */
bool s3serve_decode(struct span s, bool plus_is_blank, struct buf *out);

/* Appends text in the encoding that signatures are made over: all but letters, digits and -._~ (and '/' where
 * keep_slash). */
void s3serve_encode(const void *p, size_t n, bool keep_slash, struct buf *out);

#endif
