/* SPDX-License-Identifier: Apache-2.0 */
/* The test server itself: what judges others is judged by Amazon's published examples ("Examples: Signature Calculations
 * in AWS Signature Version 4", and the one for query parameters). */
#include "lib/base/file.h"
#include "tests/support/s3serve_auth.h"
#include "tests/support/s3serve_exchange.h"
#include "tests/support/s3serve_list.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAY_24_2013 1369353600
#define EMPTY       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HOST        "Host: examplebucket.s3.amazonaws.com\r\n"
#define CREDENTIAL  "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
#define SIGNED_BY(headers, signature)                                                      \
	"Authorization: AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",SignedHeaders=" headers \
	",Signature=" signature "\r\n"
#define SIGNED_NOTHING "x-amz-content-sha256: " EMPTY "\r\nx-amz-date: 20130524T000000Z\r\n"

#define GET_OBJECT                                                                                         \
	"GET /test.txt HTTP/1.1\r\n" HOST SIGNED_BY("host;range;x-amz-content-sha256;x-amz-date",          \
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41") "Range: "              \
										    "bytes=0-"             \
										    "9\r\n" SIGNED_NOTHING \
										    "\r\n"

static const struct s3serve_account example = { "AKIAIOSFODNN7EXAMPLE",
	"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL, "us-east-1" };

/* The code that S3 would answer; "" when the request is fine. */
static const char *judge(const char *text, const struct s3serve_account *a, int64_t now)
{
	struct s3serve_request q;
	struct s3serve_verdict v;
	int status = s3serve_request_parse(&q, text, strlen(text));
	if (status)
		test_fail(__FILE__, __LINE__, "the head is refused with %d", status);
	s3serve_auth_check(&q, a, now, &v);
	const char *code = v.code ? v.code : "";
	s3serve_verdict_fini(&v);
	s3serve_request_fini(&q);
	return code;
}

TEST(amazons_examples_are_accepted)
{
	static const char *const examples[] = {
		GET_OBJECT,
		"PUT /test%24file.text HTTP/1.1\r\n" HOST "Date: Fri, 24 May 2013 00:00:00 GMT\r\n"
		"x-amz-date: 20130524T000000Z\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\nContent-Length: "
		"21\r\n"
		"x-amz-content-sha256: "
		"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\n" SIGNED_BY(
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd") "\r\n",
		"GET /?lifecycle HTTP/1.1\r\n" HOST SIGNED_NOTHING SIGNED_BY(
			"host;x-amz-content-sha256;x-amz-date",
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543") "\r\n",
		"GET /?max-keys=2&prefix=J HTTP/1.1\r\n" HOST SIGNED_NOTHING SIGNED_BY(
			"host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7") "\r\n",
		"GET "
		"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%"
		"2Fus-"
		"east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-"
		"SignedHeaders=host&"
		"X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 "
		"HTTP/1.1\r\n" HOST "\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		CHECK_STR(judge(examples[i], &example, MAY_24_2013), "");
}

/* The request with one piece of its text replaced. */
static char *changed(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	CHECK(at);
	return xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

TEST(whatever_is_changed_under_a_signature_is_refused)
{
	static const struct {
		const char *from, *to, *code;
	} table[] = {
		{ "/test.txt", "/test.txu", "SignatureDoesNotMatch" },
		{ "GET", "HEAD", "SignatureDoesNotMatch" },
		{ "bytes=0-9", "bytes=0-8", "SignatureDoesNotMatch" },
		{ "/test.txt", "/test.txt?acl", "SignatureDoesNotMatch" },
		{ EMPTY "\r\nx-amz-date", "UNSIGNED-PAYLOAD\r\nx-amz-date", "SignatureDoesNotMatch" },
		{ "Range:", "x-amz-meta-a: b\r\nRange:", "AccessDenied" },
		{ "host;range;", "range;", "AccessDenied" },
		{ "host;range;", "range;host;", "SignatureDoesNotMatch" },
		{ "AKIA", "BKIA", "InvalidAccessKeyId" },
		{ "us-east-1", "us-east-2", "AuthorizationHeaderMalformed" },
		{ "/20130524/", "/20130525/", "AccessDenied" },
		{ "x-amz-date: 2013", "x-amz-date: 2014", "AccessDenied" },
		{ "x-amz-content-sha256: " EMPTY "\r\n", "", "InvalidRequest" },
		{ "bdb41\r\n", "bdb42\r\n", "SignatureDoesNotMatch" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *text = changed(GET_OBJECT, table[i].from, table[i].to);
		CHECK_STR(judge(text, &example, MAY_24_2013), table[i].code);
	}
}

TEST(a_request_of_another_time_is_too_skewed)
{
	CHECK_STR(judge(GET_OBJECT, &example, MAY_24_2013 + 900), "");
	CHECK_STR(judge(GET_OBJECT, &example, MAY_24_2013 + 901), "RequestTimeTooSkewed");
	CHECK_STR(judge(GET_OBJECT, &example, MAY_24_2013 - 901), "RequestTimeTooSkewed");
}

TEST(a_token_is_wanted_exactly_where_there_is_one)
{
	struct s3serve_account with = example;
	with.session_token = "T";
	CHECK_STR(judge(GET_OBJECT, &with, MAY_24_2013), "InvalidToken");
	auto_free char *text = changed(GET_OBJECT, "Range:", "x-amz-security-token: T\r\nRange:");
	CHECK_STR(judge(text, &example, MAY_24_2013), "InvalidToken");
}

TEST(heads_that_are_none_are_refused)
{
	static const char *const heads[] = { "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET /\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "PUT /a HTTP/1.1\r\nHost: a\r\n\r\n",
		"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n" };
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct s3serve_request q;
		CHECK(s3serve_request_parse(&q, heads[i], strlen(heads[i])) >= 400);
		s3serve_request_fini(&q);
	}
}

static void put_file(const char *key)
{
	struct err e;
	auto_free char *path = xasprintf("%s/b/%s", test_dir(), key), *dir = xstrdup(path);
	*strrchr(dir, '/') = 0;
	CHECK_OK(file_mkdirs(dir, 0755, &e), &e);
	CHECK_OK(file_replace(path, key, strlen(key), &e), &e);
}

/* The keys and prefixes of all pages, joined by blanks, '|' between pages. */
static const char *pages(
	const char *prefix, const char *delimiter, const char *after, unsigned max_keys, struct buf *out)
{
	auto_free char *dir = xasprintf("%s/b", test_dir());
	struct s3serve_list l = {
		.dir = dir, .prefix = prefix, .delimiter = delimiter, .after = after, .max_keys = max_keys
	};
	auto_buf struct buf from = { 0 };
	for (bool more = true; more; more = l.truncated) {
		s3serve_list_fini(&l);
		l.count = 0;
		l.truncated = l.last_is_prefix = false;
		s3serve_list_page(&l);
		for (int i = 0; i < 2; i++) {
			struct buf *b = i ? &l.prefixes : &l.contents;
			const char *tag = i ? "<Prefix>" : "<Key>";
			for (const char *p = buf_str(b); (p = strstr(p, tag));) {
				p += strlen(tag);
				buf_printf(out, "%.*s ", (int)strcspn(p, "<"), p);
			}
		}
		buf_reset(&from);
		buf_add(&from, l.last.data, l.last.len);
		l.after = buf_str(&from);
		l.after_is_prefix = l.last_is_prefix;
		if (l.truncated)
			buf_add_str(out, "| ");
	}
	s3serve_list_fini(&l);
	return buf_str(out);
}

TEST(listings_are_in_the_order_of_bytes_and_paged)
{
	static const char *const keys[] = { "a/b", "a-b", "a0", "b/c/d", "b/c/e", "b/f", "c" };
	static const struct {
		const char *prefix, *delimiter, *after;
		unsigned max_keys;
		const char *want;
	} table[] = {
		{ "", "", "", 1000, "a-b a/b a0 b/c/d b/c/e b/f c " },
		{ "", "", "", 3, "a-b a/b a0 | b/c/d b/c/e b/f | c " },
		{ "", "/", "", 1000, "a-b a0 c a/ b/ " },
		{ "", "/", "", 2, "a-b a/ | a0 b/ | c " },
		{ "", "/", "", 1, "a-b | a/ | a0 | b/ | c " },
		{ "b/", "/", "", 1000, "b/f b/c/ " },
		{ "b/c", "", "", 1, "b/c/d | b/c/e " },
		{ "", "", "b/c/d", 1000, "b/c/e b/f c " },
		{ "", "/", "b/c", 1000, "c b/ " },
		{ "", "c/", "", 1000, "a-b a/b a0 b/f c b/c/ " },
		{ "nothing/", "/", "", 1000, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		put_file(keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_buf struct buf out = { 0 };
		CHECK_STR(pages(table[i].prefix, table[i].delimiter, table[i].after, table[i].max_keys, &out),
			table[i].want);
	}
}

static enum s3serve_fault_kind pick(struct s3serve_faults *f, const char *method, const char *key)
{
	struct s3serve_fault fault;
	s3serve_faults_pick(f, (struct span){ method, strlen(method) }, key, &fault);
	return fault.kind;
}

TEST(rules_strike_whom_they_name_as_often_as_they_say)
{
	struct err e;
	struct s3serve_faults *f = s3serve_faults_new();
	CHECK_OK(s3serve_faults_set(f,
			 "# a comment\ndo=reset method=GET key=/chunks/ times=2 skip=1\ndo=denied "
			 "key=meta.json\n",
			 &e),
		&e);
	CHECK_INT(pick(f, "GET", "a/chunks/000001"), FAULT_NONE);
	CHECK_INT(pick(f, "PUT", "a/chunks/000001"), FAULT_NONE);
	CHECK_INT(pick(f, "GET", "a/chunks/000001"), FAULT_RESET);
	CHECK_INT(pick(f, "GET", "a/meta.json"), FAULT_DENIED);
	CHECK_INT(pick(f, "GET", "a/chunks/000001"), FAULT_RESET);
	CHECK_INT(pick(f, "GET", "a/chunks/000001"), FAULT_NONE);
	auto_buf struct buf shown = { 0 };
	s3serve_faults_show(f, &shown);
	CHECK_HAS(buf_str(&shown), "2 do=reset");
	CHECK_HAS(buf_str(&shown), "1 do=denied");
	CHECK_INT(s3serve_faults_set(f, "do=reset\ndo=dance\n", &e), -EINVAL);
	CHECK_HAS(e.msg, "line 2");
	CHECK_INT(pick(f, "GET", "a/meta.json"), FAULT_DENIED);
	CHECK_OK(s3serve_faults_set(f, "outage=closed", &e), &e);
	CHECK_INT(s3serve_faults_outage(f), OUTAGE_CLOSED);
	CHECK_OK(s3serve_faults_set(f, "", &e), &e);
	CHECK_INT(s3serve_faults_outage(f), OUTAGE_NONE);
	s3serve_faults_free(f);
}

TEST(a_seed_decides_which_requests_are_struck)
{
	char first[65], second[65];
	struct err e;
	struct s3serve_faults *f = s3serve_faults_new();
	for (int round = 0; round < 2; round++) {
		CHECK_OK(s3serve_faults_set(f, "do=reset probability=0.5 seed=7", &e), &e);
		char *out = round ? second : first;
		for (int i = 0; i < 64; i++)
			out[i] = pick(f, "GET", "k") == FAULT_RESET ? 'x' : '.';
		out[64] = 0;
	}
	CHECK_STR(first, second);
	CHECK(strchr(first, 'x') && strchr(first, '.'));
	s3serve_faults_free(f);
}

TEST_MAIN()
