/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to one S3 bucket: built, signed, sent, counted, and their failures put into words. What the operations of the
 * bucket (bucket_s3, s3_put) stand on.
 */
#ifndef STORE_S3_CLIENT_H
#define STORE_S3_CLIENT_H

#include "lib/net/http_client.h"
#include "store/s3_config.h"
#include "store/s3_xml.h"

#define S3_MAX_HEADERS 64 /* of a request's own */

struct s3_client;

struct s3_client_options {
	int64_t (*now_ms)(void); /* the clock for signatures; NULL: the system's */
	const atomic_bool *stop; /* ends every request with -ECANCELED; borrowed, may be NULL */
};

/* Copies the configuration. -EINVAL, -EACCES: no keys. */
int s3_client_new(const struct s3_config *config, const struct s3_client_options *options,
	struct s3_client **out, struct err *e);
void s3_client_free(struct s3_client *c); /* NULL is fine */
DEFINE_AUTO(s3_client, struct s3_client *, s3_client_free)

const struct s3_config *s3_client_config(const struct s3_client *c);
const char *s3_client_name(const struct s3_client *c); /* "S3 bucket b at host", for messages */

/* Which encryption headers a request has to carry. */
enum s3_sse_use {
	S3_SSE_NO,
	S3_SSE_KEY,  /* the client's key where there is one: what reads, and the parts of an upload */
	S3_SSE_WHOLE /* all of it: what creates an object */
};

/* The caller fills what stands above the line and owns it; zero everything first, s3_request_fini last. */
struct s3_request {
	const char *operation; /* for the metrics: list, stat, read, put, remove */
	const char *verb;      /* for messages: "reading" */
	const char *method;
	const char *name;  /* the object's; NULL: the bucket itself */
	const char *query; /* encoded; NULL: none */
	struct http_header headers[S3_MAX_HEADERS];
	size_t n_headers;
	enum s3_sse_use sse;
	struct blob *body; /* NULL: none */
	uint64_t body_at, body_bytes;
	const char *payload_hash; /* of the body; NULL: there is no body, or none is needed */
	void *into;               /* where the answer's body goes; NULL: to `text` */
	size_t max_bytes;
	const atomic_bool *stop; /* NULL: the client's */
	/* ---- */
	struct http_call call;
	struct buf text;
	struct s3_error error; /* what the answer said, where it was an error */
};

/* Adds a header; both texts are borrowed. The name is in lower case. */
void s3_request_header(struct s3_request *q, const char *name, const char *value);

/*
 * 0 for an answer with a status from 200 to 299; else as in store/s3_answer.h, or no answer as in http_call. Takes no
 * longer than the calling thread's deadline (lib/base/deadline.h), whatever the store does.
 */
int s3_request_send(struct s3_client *c, struct s3_request *q, struct err *e);

/* Of a 2xx whose body is an error document: says so, with the errno for its code. 0: it is none. */
int s3_request_late_error(struct s3_client *c, struct s3_request *q, struct err *e);

/* A header of the answer, or NULL. */
const char *s3_request_answer(const struct s3_request *q, const char *name, char *out, size_t out_bytes);

/* True where the body has to be hashed for the signature: over plain HTTP. */
bool s3_client_hashes_bodies(const struct s3_client *c);

void s3_request_fini(struct s3_request *q);

#endif
