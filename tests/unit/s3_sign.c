/* SPDX-License-Identifier: Apache-2.0 */
/* Against the values that AWS publishes: S3's own examples, and the suite for Signature Version 4. */
#include "store/s3_sign.h"

#include "tests/support/test.h"

#include <stdio.h>

#define S3_HOST    "examplebucket.s3.amazonaws.com"
#define S3_DATE    "20130524T000000Z"
#define SUITE_DATE "20150830T123600Z"

static const struct s3_sign_keys s3_keys = { "AKIAIOSFODNN7EXAMPLE",
	"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
static const struct s3_sign_keys suite_keys = { "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

static void check(const struct s3_sign_input *s, const struct s3_sign_keys *keys, const char *headers,
	const char *signature)
{
	auto_buf struct buf got = { 0 };
	auto_free char *want = xasprintf(
		"AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		keys->access_key, s->time, s->region, s->service, headers, signature);
	s3_sign(s, keys, NULL, &got);
	CHECK_STR(buf_str(&got), want);
}

static struct s3_sign_input s3_input(
	const char *method, const char *path, const char *query, const struct http_header *headers, size_t n)
{
	return (struct s3_sign_input){
		.method = method,
		.path = path,
		.query = query,
		.headers = headers,
		.n_headers = n,
		.payload_hash = S3_EMPTY_HASH,
		.region = "us-east-1",
		.service = "s3",
		.time = S3_DATE,
	};
}

TEST(a_ranged_get_is_signed_as_in_the_documentation)
{
	static const struct http_header headers[] = {
		{ "host", S3_HOST },
		{ "range", "bytes=0-9" },
		{ "x-amz-content-sha256", S3_EMPTY_HASH },
		{ "x-amz-date", S3_DATE },
	};
	struct s3_sign_input s = s3_input("GET", "/test.txt", "", headers, ARRAY_LEN(headers));

	check(&s, &s3_keys, "host;range;x-amz-content-sha256;x-amz-date",
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(a_put_is_signed_as_in_the_documentation_with_headers_in_any_order)
{
	char hash[S3_HASH_CHARS];
	s3_sha256_hex("Welcome to Amazon S3.", 21, hash);
	CHECK_STR(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
	const struct http_header headers[] = {
		{ "x-amz-storage-class", "REDUCED_REDUNDANCY" },
		{ "x-amz-date", S3_DATE },
		{ "host", S3_HOST },
		{ "x-amz-content-sha256", hash },
		{ "date", "Fri, 24 May 2013 00:00:00 GMT" },
	};
	struct s3_sign_input s = s3_input("PUT", "/test%24file.text", "", headers, ARRAY_LEN(headers));
	s.payload_hash = hash;

	check(&s, &s3_keys, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(queries_are_signed_as_in_the_documentation)
{
	static const struct http_header headers[] = {
		{ "host", S3_HOST },
		{ "x-amz-content-sha256", S3_EMPTY_HASH },
		{ "x-amz-date", S3_DATE },
	};
	static const struct {
		const char *query, *signature;
	} cases[] = {
		{ "lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
		{ "lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
		{ "max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
		{ "prefix=J&max-keys=2", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct s3_sign_input s = s3_input("GET", "/", cases[i].query, headers, ARRAY_LEN(headers));
		check(&s, &s3_keys, "host;x-amz-content-sha256;x-amz-date", cases[i].signature);
	}
}

TEST(the_suite_for_version_4_is_signed_as_published)
{
	static const struct {
		const char *method, *path, *query;
		struct http_header more[2];
		size_t n;
		const char *headers, *signature;
	} cases[] = {
		{ "GET", "/", "", { { 0 } }, 0, "host;x-amz-date",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "GET", "", "", { { 0 } }, 0, "host;x-amz-date",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "POST", "/", "", { { 0 } }, 0, "host;x-amz-date",
			"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
		{ "GET", "/", "Param2=value2&Param1=value1", { { 0 } }, 0, "host;x-amz-date",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
		{ "GET", "/", "Param1=value2&Param1=value1", { { 0 } }, 0, "host;x-amz-date",
			"5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
		{ "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "", { { 0 } },
			0, "host;x-amz-date",
			"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
		{ "GET", "/", "", { { "my-header1", "value2,value2,value1" } }, 1,
			"host;my-header1;x-amz-date",
			"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
		{ "GET", "/", "", { { "my-header2", " \"a   b   c\"" }, { "my-header1", " value1" } }, 2,
			"host;my-header1;my-header2;x-amz-date",
			"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_header headers[4] = { { "host", "example.amazonaws.com" },
			{ "x-amz-date", SUITE_DATE } };
		memcpy(headers + 2, cases[i].more, cases[i].n * sizeof *headers);
		struct s3_sign_input s = {
			.method = cases[i].method,
			.path = cases[i].path,
			.query = cases[i].query,
			.headers = headers,
			.n_headers = 2 + cases[i].n,
			.payload_hash = S3_EMPTY_HASH,
			.region = "us-east-1",
			.service = "service",
			.time = SUITE_DATE,
		};
		check(&s, &suite_keys, cases[i].headers, cases[i].signature);
	}
}

TEST(a_name_that_begins_another_comes_first_whatever_follows)
{
	auto_buf struct buf canonical = { 0 }, headers = { 0 };
	struct s3_sign_input s = s3_input("GET", "/", "a-b=1&a=2&&a", NULL, 0);

	s3_sign_canonical(&s, &canonical, &headers);

	CHECK_STR(buf_str(&canonical), "GET\n/\na=&a=2&a-b=1\n\n\n" S3_EMPTY_HASH);
}

TEST(a_header_that_comes_twice_stands_in_one_line)
{
	static const struct http_header twice[] = { { "b", "2" }, { "a", "x" }, { "b", "2" } };
	auto_buf struct buf canonical = { 0 }, headers = { 0 };
	struct s3_sign_input s = s3_input("GET", "/", "", twice, ARRAY_LEN(twice));

	s3_sign_canonical(&s, &canonical, &headers);

	CHECK_STR(buf_str(&headers), "a;b");
	CHECK_STR(buf_str(&canonical), "GET\n/\n\na:x\nb:2,2\n\na;b\n" S3_EMPTY_HASH);
}

TEST(times_are_in_utc_with_leap_years)
{
	char time[S3_TIME_CHARS];
	s3_time(1369353600000, time);
	CHECK_STR(time, S3_DATE);
	s3_time(1456790399999, time);
	CHECK_STR(time, "20160229T235959Z");
	s3_time(253402300800000, time);
	CHECK_STR(time, "19700101T000000Z");
}

TEST(a_kept_key_is_for_its_day_region_service_and_secret_alone)
{
	static const char *const times[] = { "20130524T000000Z", "20130524T235959Z", "20130525T000000Z" },
				 *const regions[] = { "us-east-1", "us-east-2" },
				 *const services[] = { "s3", "s4" }, *const secrets[] = { "one", "two" };
	static const struct http_header host[] = { { "host", S3_HOST } };
	struct s3_sign_cache *cache = s3_sign_cache_new();
	unsigned signatures = 0;
	/* Each of them twice, and each changes alone. */
	for (unsigned i = 0; i < 2 * 3 * 2 * 2 * 2; i++) {
		unsigned n = i / 2;
		struct s3_sign_input s = s3_input("GET", "/", "", host, 1);
		s.time = times[n % 3];
		s.region = regions[n / 3 % 2];
		s.service = services[n / 6 % 2];
		struct s3_sign_keys keys = { "access", secrets[n / 12 % 2] };
		auto_buf struct buf kept = { 0 }, derived = { 0 };
		s3_sign(&s, &keys, cache, &kept);
		s3_sign(&s, &keys, NULL, &derived);
		CHECK_STR(buf_str(&kept), buf_str(&derived));
		signatures++;
	}
	CHECK_INT(signatures, 48);
	s3_sign_cache_free(cache);
}

TEST_MAIN()
