/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to the test server and its answer, without sockets: the head goes in, then the body in pieces, then the
 * answer can be taken. What the server does on purpose wrong (s3serve_faults.h) is worked into the answer.
 */
#ifndef TESTS_S3SERVE_EXCHANGE_H
#define TESTS_S3SERVE_EXCHANGE_H

#include "tests/support/s3serve_auth.h"
#include "tests/support/s3serve_faults.h"
#include "tests/support/s3serve_request.h"
#include "tests/support/s3serve_store.h"

#include <openssl/evp.h>
#include <stdatomic.h>

struct s3serve_uploads; /* multipart uploads under way */

struct s3serve {
	const char *bucket;
	struct s3serve_account account;
	int64_t clock_offset_seconds;
	struct s3serve_store *store;
	struct s3serve_faults *faults;
	struct s3serve_uploads *uploads;
	atomic_ullong next_request;
};

/* What becomes of the connection after the answer. */
enum s3serve_ending { ENDING_KEEP, ENDING_CLOSE, ENDING_RESET, ENDING_STALL };

struct s3serve_answer {
	unsigned status;    /* 0: nothing is sent, only the ending happens */
	struct buf headers; /* "name: value\r\n"..., without the content-length */
	struct buf body;    /* or else */
	int fd;             /* -1: none; owned */
	uint64_t at;        /* of the bytes in fd */
	uint64_t bytes;     /* of the body, to be sent */
	uint64_t claimed;   /* as Content-Length says; UINT64_MAX: it says nothing */
	bool endless;
	enum s3serve_ending ending;
};

enum s3serve_sink { SINK_DISCARD, SINK_MEMORY, SINK_FILE };

struct s3serve_exchange {
	struct s3serve *server;
	struct s3serve_request *request;
	struct s3serve_verdict verdict;
	struct s3serve_fault fault;
	uint64_t number;
	bool is_control; /* below /-/ */
	char *key;       /* "" for the bucket itself */
	enum s3serve_sink sink;
	struct buf body;
	int fd; /* of SINK_FILE */
	uint64_t upload;
	EVP_MD_CTX *sha256, *md5;
	struct s3serve_answer answer; /* status 0 until there is one */
};

struct s3serve_uploads *s3serve_uploads_new(void);
void s3serve_uploads_free(struct s3serve_uploads *u);

/* Takes the parsed head, which must outlive the exchange. An answer may be known now; the body is read nevertheless. */
void s3serve_begin(struct s3serve *s, struct s3serve_request *q, struct s3serve_exchange *x);
void s3serve_body(struct s3serve_exchange *x, const void *p, size_t n);
/* All has come: makes the answer. */
void s3serve_finish(struct s3serve_exchange *x);
void s3serve_exchange_fini(struct s3serve_exchange *x);

/* ---- between the files of the server */

/* An XML error; `extra` (may be NULL) is more elements. Replaces what answer there was. */
void s3serve_error(struct s3serve_exchange *x, unsigned status, const char *code, const char *message,
	const char *extra);
void s3serve_error_errno(struct s3serve_exchange *x, int r);
/* Ends the body that was written to answer.body. */
void s3serve_xml(struct s3serve_exchange *x, unsigned status);
void s3serve_md5_hex(struct s3serve_exchange *x, char out[33]); /* of the body that came */

/* Multipart uploads; each is the whole operation. */
void s3serve_multipart_create(struct s3serve_exchange *x);
void s3serve_multipart_part(struct s3serve_exchange *x);
void s3serve_multipart_complete(struct s3serve_exchange *x);
void s3serve_multipart_abort(struct s3serve_exchange *x);

/* The headers of the request that are kept with an object. */
void s3serve_kept_headers(const struct s3serve_request *q, struct buf *out);

/* Works the fault into the answer. */
void s3serve_spoil(struct s3serve_exchange *x);

#endif
