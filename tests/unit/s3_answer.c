/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_answer.h"

#include "tests/support/test.h"

#include <errno.h>

#define NOW_MS 784111777000 /* Sun, 06 Nov 1994 08:49:37 GMT */

static int judge(unsigned status, const char *headers, const char *body, struct s3_answer *a, struct err *e)
{
	static struct http_call call;
	static struct buf text;
	buf_reset(&call.answer_headers);
	buf_reset(&text);
	call.status = status;
	buf_add_str(&call.answer_headers, headers);
	buf_add_str(&text, body);
	*a = (struct s3_answer){
		.call = &call,
		.body = &text,
		.is_of_object = true,
		.what = "S3 bucket b at h: reading x",
		.bucket = "b",
		.region = "us-east-1",
		.credentials = "the environment",
		.now_ms = NOW_MS,
	};
	return s3_answer_judge(a, e);
}

#define ERROR(code, more) "<Error><Code>" code "</Code><Message>words</Message>" more "</Error>"

TEST(each_answer_has_its_errno_and_its_words)
{
	static const struct {
		unsigned status;
		const char *headers, *body;
		int error;
		const char *words;
	} cases[] = {
		{ 200, "", "", 0, NULL },
		{ 206, "", "any bytes", 0, NULL },
		{ 204, "", "", 0, NULL },
		{ 404, "", ERROR("NoSuchKey", ""), -ENOENT, "NoSuchKey: words" },
		{ 404, "", "", -ENOENT, "there is no such object" },
		{ 404, "", ERROR("NoSuchBucket", ""), -ENODEV, "bucket b does not exist" },
		{ 403, "", ERROR("AccessDenied", ""), -EACCES, "AccessDenied: words" },
		{ 403, "", "", -EACCES, "403 Forbidden" },
		{ 403, "", ERROR("InvalidAccessKeyId", ""), -EACCES, "the keys come from the environment" },
		{ 403, "", ERROR("SignatureDoesNotMatch", ""), -EACCES,
			"the keys come from the environment" },
		{ 400, "", ERROR("ExpiredToken", ""), -EACCES, "ExpiredToken" },
		{ 403, "date: Sun, 06 Nov 1994 08:29:37 GMT\n", ERROR("RequestTimeTooSkewed", ""), -EACCES,
			"this machine's clock is 20m ahead of the store's" },
		{ 403, "date: Sun, 06 Nov 1994 10:49:37 GMT\n", ERROR("RequestTimeTooSkewed", ""), -EACCES,
			"clock is 2h behind the store's" },
		{ 403, "", ERROR("RequestTimeTooSkewed", ""), -EACCES, "compare this machine's clock" },
		{ 400, "", ERROR("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"), -EINVAL,
			"the bucket is in region eu-west-1, the request was signed for us-east-1" },
		{ 301, "x-amz-bucket-region: eu-west-2\n", "", -EINVAL, "region eu-west-2" },
		{ 301, "", ERROR("PermanentRedirect", "<Endpoint>b.s3.example</Endpoint>"), -EINVAL,
			"the bucket is at endpoint b.s3.example" },
		{ 301, "x-amz-bucket-region: a b\n", "", -EINVAL, "301 Moved Permanently" },
		{ 412, "", "", -EBADMSG, "412 Precondition Failed" },
		{ 416, "", ERROR("InvalidRange", ""), -EBADMSG, "InvalidRange" },
		{ 400, "", ERROR("RequestTimeout", ""), -EAGAIN, "RequestTimeout" },
		{ 409, "", ERROR("OperationAborted", ""), -EAGAIN, "OperationAborted" },
		{ 429, "", "", -EAGAIN, "429" },
		{ 500, "", "", -EAGAIN, "500" },
		{ 502, "", "<html>Bad gateway</html>", -EAGAIN, "502 Bad Gateway" },
		{ 503, "", ERROR("SlowDown", ""), -EAGAIN, "SlowDown: words" },
		{ 504, "", "", -EAGAIN, "504" },
		{ 599, "", "", -EAGAIN, "599" },
		{ 501, "", ERROR("NotImplemented", ""), -EOPNOTSUPP, "NotImplemented" },
		{ 507, "", "", -ENOSPC, "507" },
		{ 403, "", ERROR("QuotaExceeded", ""), -EDQUOT, "QuotaExceeded" },
		{ 400, "", ERROR("SomethingNew", ""), -EINVAL, "SomethingNew: words" },
		{ 404, "content-type: text/html\n", "<html><body>Not here</body></html>", -EPROTO,
			"not S3: status 404 with a body that is no error of S3's (text/html)" },
		{ 403, "content-type: text/\x1b[31m\n", "Proxy says no", -EPROTO, "(text/ [31m)" },
		{ 302, "", "<html/>", -EPROTO, "not S3" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { .msg = "" };
		struct s3_answer a;
		int r = judge(cases[i].status, cases[i].headers, cases[i].body, &a, &e);
		if (r != cases[i].error)
			test_fail(__FILE__, __LINE__, "%u %s gave %d: %s", cases[i].status, cases[i].body, r,
				e.msg);
		if (r < 0) {
			CHECK_HAS(e.msg, "S3 bucket b at h: reading x: ");
			CHECK_HAS(e.msg, cases[i].words);
		}
	}
}

TEST(a_404_of_the_bucket_itself_is_no_missing_object)
{
	struct err e;
	struct s3_answer a;
	judge(404, "", "", &a, &e);
	a.is_of_object = false;

	CHECK_INT(s3_answer_judge(&a, &e), -ENODEV);
	CHECK_HAS(e.msg, "bucket b does not exist");
}

TEST(a_refusal_of_a_request_without_keys_says_so)
{
	struct err e;
	struct s3_answer a;
	judge(403, "", ERROR("AccessDenied", ""), &a, &e);
	a.credentials = NULL;

	CHECK_INT(s3_answer_judge(&a, &e), -EACCES);
	CHECK_HAS(e.msg, "was not signed");
}

TEST(retry_after_is_seconds_or_a_date_and_bounded)
{
	static const struct {
		const char *text;
		unsigned ms;
	} cases[] = {
		{ "0", 0 },
		{ "7", 7000 },
		{ "100000", S3_MAX_RETRY_AFTER_MS },
		{ "99999999999999999999", S3_MAX_RETRY_AFTER_MS },
		{ "Sun, 06 Nov 1994 08:49:40 GMT", 3000 },
		{ "Sun, 06 Nov 1994 08:49:30 GMT", 0 },
		{ "Sun, 06 Nov 2094 08:49:30 GMT", S3_MAX_RETRY_AFTER_MS },
		{ "-5", 0 },
		{ "soon", 0 },
		{ "", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_INT(s3_retry_after_ms(cases[i].text, NOW_MS), cases[i].ms);
}

TEST(only_what_passes_says_when_to_come_back)
{
	struct err e;
	struct s3_answer a;
	judge(503, "retry-after: 7\n", ERROR("SlowDown", ""), &a, &e);
	CHECK_INT(e.retry_after_ms, 7000);
	judge(403, "retry-after: 7\n", ERROR("AccessDenied", ""), &a, &e);
	CHECK_INT(e.retry_after_ms, 0);
}

TEST_MAIN()
