/* SPDX-License-Identifier: Apache-2.0 */
/* The headers that ask S3 to encrypt what it stores (Amazon S3 User Guide, "Protecting data with encryption"). */
#ifndef STORE_S3_SSE_H
#define STORE_S3_SSE_H

#include "lib/net/http_client.h"
#include "store/s3_config.h"

#define S3_SSE_MAX_HEADERS 3

struct s3_sse_headers {
	bool is_key; /* the key is the client's, so every request carries it */
	struct {
		const char *name;
		char *value;
	} headers[S3_SSE_MAX_HEADERS];
	size_t n;
};

/* -EINVAL, -ENOENT and the like: the key's file is not there, or hasn't 32 bytes. */
int s3_sse_headers_init(struct s3_sse_headers *h, const struct s3_config *c, struct err *e);

/* Writes those that a request carries, one that creates an object or not, and returns their number. Borrowed. */
size_t s3_sse_headers_add(const struct s3_sse_headers *h, bool creates, struct http_header *out);

void s3_sse_headers_fini(struct s3_sse_headers *h);

/* Appends base64. */
void s3_base64(const void *p, size_t n, struct buf *out);

#endif
