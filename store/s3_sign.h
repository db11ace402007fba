/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4 in the header Authorization (Amazon S3 API Reference, "Signature Calculations for the
 * Authorization Header"). The path is taken as it is sent: S3 encodes it once, unlike AWS' other services.
 */
#ifndef STORE_S3_SIGN_H
#define STORE_S3_SIGN_H

#include "lib/base/buf.h"
#include "lib/net/http_client.h"

#define S3_TIME_CHARS 17 /* "20130524T000000Z" */
#define S3_HASH_CHARS 65 /* SHA-256 in hex */

#define S3_EMPTY_HASH    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_UNSIGNED_HASH "UNSIGNED-PAYLOAD" /* TLS looks after the body */

struct s3_sign_keys {
	const char *access_key, *secret_key;
};

struct s3_sign_input {
	const char *method;
	const char *path; /* encoded, as sent; "" is "/" */
	const char *
		query; /* encoded, as sent, without '?', in any order; a name without '=' has an empty value */
	/* All are signed, host and x-amz-date among them, in any order; names in lower case. */
	const struct http_header *headers;
	size_t n_headers;
	const char *payload_hash;
	const char *region, *service;
	const char *time; /* as from s3_time */
};

/* Writes the time as x-amz-date has it. */
void s3_time(int64_t unix_ms, char out[S3_TIME_CHARS]);

void s3_sha256_hex(const void *p, size_t n, char out[S3_HASH_CHARS]);
void s3_hex(const uint8_t *p, size_t n, char *out); /* 2n characters and a NUL */

/* Keeps the last key that was derived: it is the same for all requests of a day. For any number of threads. */
struct s3_sign_cache;
struct s3_sign_cache *s3_sign_cache_new(void);
void s3_sign_cache_free(struct s3_sign_cache *c); /* wipes it, too; NULL is fine */

/* Appends the value of the header Authorization. `cache` may be NULL. */
void s3_sign(const struct s3_sign_input *s, const struct s3_sign_keys *keys, struct s3_sign_cache *cache,
	struct buf *authorization);

/* The request in its canonical form, the first half of it: for tests. */
void s3_sign_canonical(const struct s3_sign_input *s, struct buf *canonical, struct buf *signed_headers);

#endif
