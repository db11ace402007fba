/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3's code decides where it is known, the status where it isn't. Messages are "WHAT: CODE: MESSAGE", and where a user can
 * do something about it, what.
 */
#include "store/s3_answer.h"

#include "lib/base/duration.h"
#include "lib/net/http_date.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#define WORDS_BYTES 320

static const struct {
	const char *code;
	int error;
} codes[] = {
	{ "NoSuchKey", ENOENT },
	{ "NoSuchBucket", ENODEV },
	{ "NoSuchUpload", ENOENT },
	{ "AccessDenied", EACCES },
	{ "AllAccessDisabled", EACCES },
	{ "AccountProblem", EACCES },
	{ "InvalidAccessKeyId", EACCES },
	{ "InvalidObjectState", EACCES },
	{ "InvalidToken", EACCES },
	{ "ExpiredToken", EACCES },
	{ "TokenRefreshRequired", EACCES },
	{ "SignatureDoesNotMatch", EACCES },
	{ "RequestTimeTooSkewed", EACCES },
	{ "RequestExpired", EACCES },
	{ "PreconditionFailed", EBADMSG },
	{ "InvalidRange", EBADMSG },
	{ "InternalError", EAGAIN },
	{ "OperationAborted", EAGAIN },
	{ "RequestTimeout", EAGAIN },
	{ "ServiceUnavailable", EAGAIN },
	{ "Busy", EAGAIN },
	{ "SlowDown", EAGAIN },
	{ "ThrottlingException", EAGAIN },
	{ "Throttling", EAGAIN },
	{ "RequestLimitExceeded", EAGAIN },
	{ "TooManyRequests", EAGAIN },
	{ "BadDigest", EAGAIN }, /* bytes were lost on the way */
	{ "IncompleteBody", EAGAIN },
	{ "XAmzContentSHA256Mismatch", EAGAIN },
	{ "QuotaExceeded", EDQUOT },
	{ "EntityTooLarge", EFBIG },
	{ "NotImplemented", EOPNOTSUPP },
	{ "MethodNotAllowed", EOPNOTSUPP },
};

static int error_of_code(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (!strcmp(code, codes[i].code))
			return codes[i].error;
	return 0;
}

/* Statuses that pass, whoever gave them: S3 or a balancer before it. */
static bool is_passing(unsigned status)
{
	return status == 408 || status == 425 || status == 429 || status == 500 ||
	       (status >= 502 && status <= 504) || status == 509;
}

static int error_of_status(unsigned status, bool is_of_object)
{
	if (is_passing(status))
		return EAGAIN;
	switch (status) {
	case 401:
	case 403: return EACCES;
	case 404: return is_of_object ? ENOENT : ENODEV;
	case 405:
	case 501: return EOPNOTSUPP;
	case 409: return EAGAIN;
	case 412:
	case 416: return EBADMSG;
	case 413: return EFBIG;
	case 507: return ENOSPC;
	default: return status >= 500 ? EAGAIN : EINVAL;
	}
}

static bool is_region(const char *text)
{
	size_t n = strlen(text);
	for (const char *p = text; *p; p++)
		if (!isascii(*p) || (!isalnum((unsigned char)*p) && *p != '-' && *p != '_'))
			return false;
	return n > 0 && n < sizeof((struct s3_answer *)0)->bucket_region;
}

static void find_region(struct s3_answer *a)
{
	char text[64];
	const char *region = http_call_header(a->call, "x-amz-bucket-region", text, sizeof text);
	if (!region)
		region = a->error.region;
	snprintf(a->bucket_region, sizeof a->bucket_region, "%s", is_region(region) ? region : "");
}

unsigned s3_retry_after_ms(const char *text, int64_t now_ms)
{
	size_t n = strspn(text, "0123456789");
	int64_t at, ms = 0;
	if (n > 0 && !text[n])
		ms = n > 6 ? S3_MAX_RETRY_AFTER_MS : atoll(text) * 1000;
	else if (http_date_parse(text, &at) == 0)
		ms = at - now_ms;
	return (unsigned)MIN_OF(MAX_OF(ms, 0), S3_MAX_RETRY_AFTER_MS);
}

/* "this machine's clock is 3h ahead of the store's". */
static void say_skew(const struct s3_answer *a, char *out, size_t bytes)
{
	char date[64], length[DURATION_CHARS];
	int64_t theirs;
	const char *text = http_call_header(a->call, "date", date, sizeof date);
	if (!text || http_date_parse(text, &theirs) < 0) {
		snprintf(out, bytes, "; compare this machine's clock with the store's");
		return;
	}
	int64_t skew = (a->now_ms - theirs) / 1000 * 1000;
	snprintf(out, bytes, "; this machine's clock is %s %s the store's",
		duration_format(skew < 0 ? -skew : skew, length), skew < 0 ? "behind" : "ahead of");
}

static bool is_redirect(unsigned status)
{
	return status >= 300 && status < 400;
}

/* What a user can do about it, as the end of the message; "" where there is nothing. */
static void say_advice(const struct s3_answer *a, char *out, size_t bytes)
{
	const char *code = a->error.code;
	bool has_region = *a->bucket_region && strcmp(a->bucket_region, a->region) != 0;
	*out = 0;
	if (!strcmp(code, "RequestTimeTooSkewed") || !strcmp(code, "RequestExpired"))
		say_skew(a, out, bytes);
	else if (has_region)
		snprintf(out, bytes, "; the bucket is in region %s, the request was signed for %s",
			a->bucket_region, a->region);
	else if (is_redirect(a->call->status) && *a->error.endpoint)
		snprintf(out, bytes, "; the bucket is at endpoint %.120s", a->error.endpoint);
	else if ((a->call->status == 401 || a->call->status == 403) && !a->credentials)
		snprintf(out, bytes, "; the request was not signed, since there are no S3 credentials");
	else if (!strcmp(code, "InvalidAccessKeyId") || !strcmp(code, "SignatureDoesNotMatch") ||
		 !strcmp(code, "ExpiredToken") || !strcmp(code, "InvalidToken"))
		snprintf(out, bytes, "; the keys come from %.120s",
			a->credentials ? a->credentials : "nowhere");
}

static const char *status_words(unsigned status)
{
	static const struct {
		unsigned status;
		const char *words;
	} known[] = { { 301, "Moved Permanently" }, { 302, "Found" }, { 307, "Temporary Redirect" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 412, "Precondition Failed" }, { 416, "Range Not Satisfiable" },
		{ 429, "Too Many Requests" }, { 500, "Internal Server Error" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" } };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].status == status)
			return known[i].words;
	return "an error";
}

/* The cause: what S3 said, or the status. */
static void say_cause(const struct s3_answer *a, int error, char *out, size_t bytes)
{
	if (error == ENODEV)
		snprintf(out, bytes, "bucket %s does not exist", a->bucket);
	else if (*a->error.code)
		snprintf(out, bytes, "%.60s%s%.200s", a->error.code, *a->error.message ? ": " : "",
			a->error.message);
	else if (error == ENOENT)
		snprintf(out, bytes, "there is no such object");
	else
		snprintf(out, bytes, "the store answered %u %s", a->call->status,
			status_words(a->call->status));
}

static int fail(struct s3_answer *a, int error, struct err *e)
{
	char cause[WORDS_BYTES + 64], advice[160], text[64];
	find_region(a);
	say_cause(a, error, cause, sizeof cause);
	say_advice(a, advice, sizeof advice);
	err_set(e, -error, "%s: %s%s", a->what, cause, advice);
	const char *retry_after = http_call_header(a->call, "retry-after", text, sizeof text);
	if (e && error == EAGAIN && retry_after)
		e->retry_after_ms = s3_retry_after_ms(retry_after, a->now_ms);
	return -error;
}

bool s3_answer_is_page(const struct http_call *call)
{
	char type[16], any[4];
	const char *text = http_call_header(call, "content-type", type, sizeof type);
	if (!text || strncasecmp(text, "text/html", 9) != 0 || (call->status != 200 && call->status != 206) ||
		http_call_header(call, "etag", any, sizeof any))
		return false;
	if (!strcmp(call->method, "PUT"))
		return !http_call_header(call, "x-amz-request-id", any, sizeof any);
	return !strcmp(call->method, "GET") || !strcmp(call->method, "HEAD");
}

int s3_answer_judge(struct s3_answer *a, struct err *e)
{
	unsigned status = a->call->status;
	if (a->is_of_object && s3_answer_is_page(a->call))
		return err_set(e, -EPROTO, "%s: what answered is not S3: a page of HTML", a->what);
	if (status >= 200 && status < 300)
		return 0;
	bool is_s3 = a->body->len == 0 || s3_xml_error(a->body->data, a->body->len, &a->error) == 0;
	int error = error_of_code(a->error.code);
	if (error == 0)
		error = error_of_status(status, a->is_of_object);
	if (!is_s3 && error != EAGAIN) {
		char type[64], words[64];
		const char *text = http_call_header(a->call, "content-type", type, sizeof type);
		s3_set_printable(words, sizeof words, text ? text : "of no type");
		return err_set(e, -EPROTO,
			"%s: what answered is not S3: status %u with a body that is no error of S3's (%s)",
			a->what, status, words);
	}
	return fail(a, error, e);
}

int s3_answer_late_error(struct s3_answer *a, struct err *e)
{
	int error = error_of_code(a->error.code);
	return fail(a, error ? error : EAGAIN, e);
}
