/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_sse.h"

#include "lib/base/file.h"
#include "tests/support/test.h"

#include <errno.h>

static struct s3_sse_headers made(struct s3_config *c)
{
	struct err e;
	struct s3_sse_headers h;
	CHECK_OK(s3_sse_headers_init(&h, c, &e), &e);
	return h;
}

/* "name=value " of each header that such a request carries. */
static void check_headers(const struct s3_sse_headers *h, bool creates, const char *want)
{
	struct http_header out[S3_SSE_MAX_HEADERS];
	auto_buf struct buf got = { 0 };
	size_t n = s3_sse_headers_add(h, creates, out);
	for (size_t i = 0; i < n; i++)
		buf_printf(&got, "%s=%s ", out[i].name, out[i].value);
	CHECK_STR(buf_str(&got), want);
}

TEST(sse_s3_and_sse_kms_are_asked_for_where_an_object_is_made)
{
	char key[] = "arn:aws:kms:eu-west-1:1:key/k", name[] = "a\"", value[] = "b";
	struct config_pair pair = { name, value };
	struct s3_config plain = { 0 }, s3 = { .sse.type = S3_SSE_S3 };
	struct s3_config kms = { .sse = { .type = S3_SSE_KMS, .kms_key_id = key } };
	struct s3_config context = {
		.sse = { .type = S3_SSE_KMS, .kms_key_id = key, .kms_encryption_context = { &pair, 1, 1 } }
	};
	struct s3_sse_headers h[] = { made(&plain), made(&s3), made(&kms), made(&context) };

	check_headers(&h[0], true, "");
	check_headers(&h[1], true, "x-amz-server-side-encryption=AES256 ");
	check_headers(&h[2], true,
		"x-amz-server-side-encryption=aws:kms "
		"x-amz-server-side-encryption-aws-kms-key-id=arn:aws:kms:eu-west-1:1:"
		"key/k ");
	check_headers(&h[3], true,
		"x-amz-server-side-encryption=aws:kms "
		"x-amz-server-side-encryption-aws-kms-key-id=arn:aws:kms:eu-west-1:1:"
		"key/k x-amz-server-side-encryption-context=eyJhXCIiOiJiIn0= ");
	for (size_t i = 0; i < ARRAY_LEN(h); i++) {
		check_headers(&h[i], false, "");
		s3_sse_headers_fini(&h[i]);
	}
}

TEST(the_clients_own_key_goes_with_every_request)
{
	static const char want[] =
		"x-amz-server-side-encryption-customer-algorithm=AES256 "
		"x-amz-server-side-encryption-customer-key=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY= "
		"x-amz-server-side-encryption-customer-key-md5=hRasmdxgYDKV3nvbahU1MA== ";
	struct err e;
	auto_free char *path = xasprintf("%s/key", test_dir());
	CHECK_OK(file_replace(path, "0123456789abcdef0123456789abcdef", 32, &e), &e);
	struct s3_config c = { .sse = { .type = S3_SSE_C, .encryption_key = path } };
	struct s3_sse_headers h = made(&c);

	check_headers(&h, true, want);
	check_headers(&h, false, want);
	s3_sse_headers_fini(&h);
}

TEST(a_key_of_another_length_or_that_is_not_there_is_refused)
{
	struct err e;
	struct s3_sse_headers h;
	auto_free char *path = xasprintf("%s/key", test_dir());
	struct s3_config c = { .sse = { .type = S3_SSE_C, .encryption_key = path } };
	CHECK_INT(s3_sse_headers_init(&h, &c, &e), -ENOENT);
	CHECK_HAS(e.msg, "encryption_key");
	static const size_t lengths[] = { 0, 31, 33, 1000 };
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		char bytes[1000] = { 0 };
		CHECK_OK(file_replace(path, bytes, lengths[i], &e), &e);
		CHECK_INT(s3_sse_headers_init(&h, &c, &e), -EINVAL);
		CHECK_HAS(e.msg, "32 bytes");
	}
}

TEST_MAIN()
