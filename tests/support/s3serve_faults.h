/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the test server does wrong, as text: a line a rule, words separated by blanks, '#' starts a comment. The first rule
 * that matches a request and has its turn decides.
 *
 *	do=ACTION [method=GET] [key=PART_OF_THE_KEY] [probability=0.5] [seed=7] [times=3] [skip=2] [parameters]
 *
 *	status     code=503, error=SlowDown, retry-after=SECONDS: S3's XML error
 *	html       200 with an HTML page
 *	endless    a body without length that never ends
 *	length     by=N or by=-N: Content-Length says so many bytes more or fewer than come; then the connection ends
 *	range      by=N: the range that begins N bytes later (its Content-Range admits it)
 *	whole      200 with the whole object where a range was asked for
 *	truncate   bytes=N: the connection ends after N bytes of the body
 *	corrupt    bytes=N: so many bytes of the body (1) have a bit flipped
 *	stall      bytes=N: nothing more comes after N bytes of the body; without `bytes` no answer comes at all
 *	reset      the connection is reset instead of an answer
 *	redirect   code=301 or 307, location=URL, region=NAME
 *	expired    400 ExpiredToken
 *	denied     403 AccessDenied
 *	etag       another ETag than the object's
 *	delay      ms=N: the answer takes so much longer
 *
 * And for everything at once, until the next change of the rules:
 *
 *	outage=closed     nothing listens, and what was connected is reset
 *	outage=reset      connections are taken and reset
 *	outage=503        every request is answered so
 */
#ifndef TESTS_S3SERVE_FAULTS_H
#define TESTS_S3SERVE_FAULTS_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "tests/support/s3serve_request.h"

enum s3serve_fault_kind {
	FAULT_NONE,
	FAULT_STATUS,
	FAULT_HTML,
	FAULT_ENDLESS,
	FAULT_LENGTH,
	FAULT_RANGE,
	FAULT_WHOLE,
	FAULT_TRUNCATE,
	FAULT_CORRUPT,
	FAULT_STALL,
	FAULT_RESET,
	FAULT_REDIRECT,
	FAULT_EXPIRED,
	FAULT_DENIED,
	FAULT_ETAG,
	FAULT_DELAY
};

enum s3serve_outage { OUTAGE_NONE, OUTAGE_CLOSED, OUTAGE_RESET, OUTAGE_503 };

struct s3serve_fault {
	enum s3serve_fault_kind kind;
	unsigned code, retry_after, ms;
	int64_t by, bytes; /* bytes -1: not given */
	char error[48], location[256], region[64];
};

struct s3serve_faults;

struct s3serve_faults *s3serve_faults_new(void);
void s3serve_faults_free(struct s3serve_faults *f);

/* Replaces all rules; -EINVAL that names line and word, and leaves the old ones. */
int s3serve_faults_set(struct s3serve_faults *f, const char *text, struct err *e);

/* What is to go wrong with this request; counts it. From any thread. */
void s3serve_faults_pick(
	struct s3serve_faults *f, struct span method, const char *key, struct s3serve_fault *out);

enum s3serve_outage s3serve_faults_outage(struct s3serve_faults *f);

/* Appends a line a rule: how often it struck, a blank, the rule. */
void s3serve_faults_show(struct s3serve_faults *f, struct buf *out);

#endif
