/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_endpoint.h"

#include "tests/support/test.h"

TEST(amazons_endpoints_name_their_region)
{
	static const struct {
		const char *endpoint, *region;
	} cases[] = {
		{ "s3.eu-west-1.amazonaws.com", "eu-west-1" },
		{ "s3.eu-west-1.amazonaws.com:443", "eu-west-1" },
		{ "s3-eu-west-1.amazonaws.com", "eu-west-1" },
		{ "s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1" },
		{ "s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1" },
		{ "s3-fips.dualstack.us-east-1.amazonaws.com", "us-east-1" },
		{ "s3.cn-north-1.amazonaws.com.cn", "cn-north-1" },
		{ "bucket.vpce-0a1b.s3.us-east-1.vpce.amazonaws.com", "us-east-1" },
		{ "s3.amazonaws.com", "" },
		{ "s3-external-1.amazonaws.com", "" },
		{ "s3.eu-west-1.example.com", "" },
		{ "localhost:9000", "" },
		{ "[::1]:9000", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char region[64];
		s3_endpoint_region(cases[i].endpoint, region);
		CHECK_STR(region, cases[i].region);
	}
}

TEST(hosts_and_paths_follow_endpoint_lookup_and_region)
{
	static const struct {
		const char *bucket, *endpoint;
		enum s3_lookup lookup;
		bool insecure, single_stack;
		const char *host, *path;
	} cases[] = {
		{ "b-1", "minio:9000", S3_LOOKUP_AUTO, true, false, "minio:9000", "/b-1/a%20b/c" },
		{ "b-1", "minio:80", S3_LOOKUP_AUTO, true, false, "minio", "/b-1/a%20b/c" },
		{ "b-1", "minio:80", S3_LOOKUP_AUTO, false, false, "minio:80", "/b-1/a%20b/c" },
		{ "b-1", "[::1]:443", S3_LOOKUP_AUTO, false, false, "[::1]", "/b-1/a%20b/c" },
		{ "b-1", "minio:9000", S3_LOOKUP_VIRTUAL_HOSTED, true, false, "b-1.minio:9000", "/a%20b/c" },
		{ "b-1", "s3.amazonaws.com", S3_LOOKUP_AUTO, false, false,
			"b-1.s3.dualstack.eu-west-1.amazonaws.com", "/a%20b/c" },
		{ "b-1", "s3.amazonaws.com", S3_LOOKUP_AUTO, false, true, "b-1.s3.eu-west-1.amazonaws.com",
			"/a%20b/c" },
		{ "b-1", "s3.us-east-1.amazonaws.com", S3_LOOKUP_PATH, false, true,
			"s3.eu-west-1.amazonaws.com", "/b-1/a%20b/c" },
		{ "b.1", "s3.amazonaws.com", S3_LOOKUP_AUTO, false, true, "s3.eu-west-1.amazonaws.com",
			"/b.1/a%20b/c" },
		{ "b-1", "s3-fips.eu-west-1.amazonaws.com", S3_LOOKUP_AUTO, false, false,
			"b-1.s3-fips.eu-west-1.amazonaws.com", "/a%20b/c" },
		{ "b-1", "storage.googleapis.com", S3_LOOKUP_AUTO, false, false, "b-1.storage.googleapis.com",
			"/a%20b/c" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *bucket = xstrdup(cases[i].bucket), *endpoint = xstrdup(cases[i].endpoint);
		struct s3_config c = { .bucket = bucket,
			.endpoint = endpoint,
			.bucket_lookup_type = cases[i].lookup,
			.insecure = cases[i].insecure,
			.disable_dualstack = cases[i].single_stack };
		auto_buf struct buf host = { 0 }, path = { 0 };
		s3_endpoint_host(&c, "eu-west-1", &host);
		s3_endpoint_path(&c, "a b/c", &path);
		CHECK_STR(buf_str(&host), cases[i].host);
		CHECK_STR(buf_str(&path), cases[i].path);
	}
}

TEST_MAIN()
