/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks AWS Signature Version 4 as Amazon's documentation has it ("Authenticating Requests (AWS Signature Version 4)",
 * in the header and in query parameters). Written from that text alone: the client's signer is judged by this, so they share
 * no line.
 */
#ifndef TESTS_S3SERVE_AUTH_H
#define TESTS_S3SERVE_AUTH_H

#include "tests/support/s3serve_request.h"

#define S3SERVE_SKEW_SECONDS 900

struct s3serve_account {
	const char *access_key, *secret_key, *session_token, *region; /* session_token NULL: none */
};

enum s3serve_payload {
	S3SERVE_PAYLOAD_UNSIGNED,
	S3SERVE_PAYLOAD_HASHED /* the body's SHA-256 must be `sha256` */
};

/* What the check found; code NULL: the request is who it says it is. */
struct s3serve_verdict {
	unsigned status;
	const char *code; /* as in S3's error responses */
	const char *message;
	const char *region; /* where that is what's wrong: the right one */
	char *extra;        /* more elements for the XML answer; owned, may be NULL */
	enum s3serve_payload payload;
	char sha256[65];
};

void s3serve_auth_check(const struct s3serve_request *q, const struct s3serve_account *a, int64_t now_seconds,
	struct s3serve_verdict *v);
void s3serve_verdict_fini(struct s3serve_verdict *v);

#endif
