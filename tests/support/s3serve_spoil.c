/* SPDX-License-Identifier: Apache-2.0 */
/* Good answers made bad, as rules of s3serve_faults.h say. */
#include "lib/base/file.h"
#include "tests/support/s3serve_exchange.h"

#include <stdio.h>
#include <unistd.h>

#define CORRUPT_BYTES (64u << 20) /* of a body that is read to be spoilt */

static void status_error(struct s3serve_exchange *x)
{
	const struct s3serve_fault *f = &x->fault;
	unsigned code = f->code ? f->code : 503;
	const char *error = *f->error     ? f->error
			    : code == 503 ? "SlowDown"
			    : code == 429 ? "TooManyRequests"
					  : "InternalError";
	s3serve_error(x, code, error, "Please reduce your request rate.", NULL);
	if (f->retry_after)
		buf_printf(&x->answer.headers, "Retry-After: %u\r\n", f->retry_after);
}

static void html(struct s3serve_exchange *x)
{
	s3serve_error(x, 200, "None", "", NULL);
	buf_reset(&x->answer.headers);
	buf_reset(&x->answer.body);
	buf_add_str(&x->answer.body,
		"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Please sign in "
		"to the network.</body></html>\n");
	buf_add_str(&x->answer.headers, "Content-Type: text/html; charset=utf-8\r\n");
	x->answer.bytes = x->answer.claimed = x->answer.body.len;
}

static void redirect(struct s3serve_exchange *x)
{
	const struct s3serve_fault *f = &x->fault;
	bool temporary = f->code == 307;
	auto_free char *extra =
		xasprintf("<Endpoint>%s</Endpoint><Bucket>%s</Bucket>", f->location, x->server->bucket);
	s3serve_error(x, temporary ? 307 : 301, temporary ? "TemporaryRedirect" : "PermanentRedirect",
		"The bucket you are attempting to access must be addressed using the specified endpoint.",
		extra);
	if (*f->location)
		buf_printf(&x->answer.headers, "Location: %s\r\n", f->location);
	if (*f->region)
		buf_printf(&x->answer.headers, "x-amz-bucket-region: %s\r\n", f->region);
}

/* Flips a bit in bytes spread over the body. */
static void corrupt(struct s3serve_exchange *x)
{
	struct s3serve_answer *a = &x->answer;
	if (a->fd >= 0 && a->bytes <= CORRUPT_BYTES) {
		buf_reset(&a->body);
		if (file_pread_all(a->fd, buf_reserve(&a->body, a->bytes), a->bytes, a->at) < 0)
			return;
		a->body.len = a->bytes;
		close(a->fd);
		a->fd = -1;
		a->at = 0;
	}
	uint64_t n = x->fault.bytes > 0 ? (uint64_t)x->fault.bytes : 1;
	for (uint64_t i = 0; i < n && a->body.len; i++)
		a->body.data[(a->body.len / 2 + i * 7919) % a->body.len] ^= 0x10;
}

static void cut_body(struct s3serve_exchange *x, enum s3serve_ending ending)
{
	uint64_t bytes = x->fault.bytes > 0 ? (uint64_t)x->fault.bytes : 0;
	x->answer.bytes = MIN_OF(x->answer.bytes, bytes);
	x->answer.ending = ending;
}

void s3serve_spoil(struct s3serve_exchange *x)
{
	const struct s3serve_fault *f = &x->fault;
	struct s3serve_answer *a = &x->answer;
	if (s3serve_faults_outage(x->server->faults) == OUTAGE_503) {
		s3serve_error(x, 503, "ServiceUnavailable", "Service is unable to handle request.", NULL);
		return;
	}
	switch (f->kind) {
	case FAULT_STATUS: status_error(x); break;
	case FAULT_HTML: html(x); break;
	case FAULT_ENDLESS:
		a->endless = true;
		a->claimed = UINT64_MAX;
		a->ending = ENDING_CLOSE;
		break;
	case FAULT_LENGTH:
		a->claimed = f->by < 0 && a->claimed < (uint64_t)-f->by ? 0 : a->claimed + (uint64_t)f->by;
		a->ending = ENDING_CLOSE;
		break;
	case FAULT_TRUNCATE: cut_body(x, ENDING_CLOSE); break;
	case FAULT_CORRUPT: corrupt(x); break;
	case FAULT_STALL:
		if (f->bytes < 0)
			a->status = 0;
		cut_body(x, ENDING_STALL);
		break;
	case FAULT_RESET:
		a->status = 0;
		a->ending = ENDING_RESET;
		break;
	case FAULT_REDIRECT: redirect(x); break;
	case FAULT_EXPIRED:
		s3serve_error(x, 400, "ExpiredToken", "The provided token has expired.", NULL);
		break;
	case FAULT_DENIED: s3serve_error(x, 403, "AccessDenied", "Access Denied", NULL); break;
	default: break; /* made where the answer is made */
	}
}
