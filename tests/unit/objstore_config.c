/* SPDX-License-Identifier: Apache-2.0 */
#include "store/config.h"

#include "lib/base/file.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>

static struct objstore_config *parse(const char *text)
{
	struct err e;
	struct objstore_config *c = NULL;
	CHECK_OK(objstore_config_parse("bucket.yaml", text, strlen(text), &c, &e), &e);
	return c;
}

TEST(a_filesystem_bucket_has_a_directory_and_may_have_a_prefix)
{
	static const struct {
		const char *yaml, *directory, *prefix;
	} cases[] = {
		{ "type: FILESYSTEM\nconfig:\n  directory: /var/thanos\n", "/var/thanos", "" },
		{ "type: filesystem\nconfig: {directory: relative}\nprefix: a/b\n", "relative", "a/b" },
		{ "type: Filesystem\nconfig: {directory: '/d'}\nprefix: \"/a/b//\"\n", "/d", "a/b" },
		{ "prefix: \"\"\nconfig:\n  directory: /d\ntype: FILESYSTEM\n", "/d", "" },
		{ "prefix: /\nconfig:\n  directory: /d\ntype: FILESYSTEM\n", "/d", "" },
		{ "type: FILESYSTEM\nconfig: {directory: /d}\n---\ntype: S3\n", "/d", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_of(objstore_config) struct objstore_config *c = parse(cases[i].yaml);
		CHECK_INT(c->type, OBJSTORE_FILESYSTEM);
		CHECK_STR(c->filesystem.directory, cases[i].directory);
		CHECK_STR(c->prefix, cases[i].prefix);
	}
}

TEST(environment_variables_are_filled_in)
{
	setenv("THANOSFS_TEST_DIR", "/from/environment", 1);
	auto_of(objstore_config) struct objstore_config *c =
		parse("type: FILESYSTEM\nconfig:\n  directory: ${THANOSFS_TEST_DIR}/x\n");
	CHECK_STR(c->filesystem.directory, "/from/environment/x");
}

TEST(mistakes_are_errors_that_name_the_file_the_line_and_the_key)
{
	static const struct {
		const char *yaml, *words, *line;
	} cases[] = {
		{ "", "empty", "" },
		{ "# only a comment\n", "empty", "" },
		{ "just text", "map", ":1:" },
		{ "- a\n- b\n", "map", ":1:" },
		{ "type: [FILESYSTEM]\nconfig: {directory: /d}\n", "type", ":1:" },
		{ "config: {directory: /d}\n", "type", "" },
		{ "type: FILESYSTEM\n", "config", "" },
		{ "type: FILESYSTEM\nconfig: /d\n", "config", ":2:" },
		{ "type: FILESYSTEM\nconfig:\n  directry: /d\n", "directry", ":3:" },
		{ "type: FILESYSTEM\nconfig:\n  other: 1\n  directory: /d\n", "other", ":3:" },
		{ "type: FILESYSTEM\nconfig:\n  directory: ''\n", "directory", "" },
		{ "type: FILESYSTEM\nconfig:\n  directory:\n", "directory", "" },
		{ "type: FILESYSTEM\nconfig:\n  directory: [a]\n", "directory", ":3:" },
		{ "type: FILESYSTEM\nconfig:\n  directory: /d\nprefx: a\n", "prefx", ":4:" },
		{ "type: FILESYSTEM\nconfig:\n  directory: /d\nprefix: a/../b\n", "a/../b", ":4:" },
		{ "type: FILESYSTEM\nconfig:\n  directory: /d\nprefix: {}\n", "prefix", ":4:" },
		{ "type: FILESYSTEM\nconfig:\n  directory: /d\n  directory: /e\n", "directory", ":4:" },
		{ "type: FILESYSTEM\nconfig: {directory: ${THANOSFS_TEST_UNSET}}\n", "THANOSFS_TEST_UNSET",
			"" },
		{ "type: FILESYSTEM\nconfig: {directory\n", "", "" },
		{ "type: FLOPPY\nconfig: {}\n", "\"FLOPPY\"", ":1:" },
		{ "type: FLOPPY\nconfig: {}\n", "FILESYSTEM, S3", ":1:" },
	};
	unsetenv("THANOSFS_TEST_UNSET");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		struct objstore_config *c = NULL;
		int r = objstore_config_parse("bucket.yaml", cases[i].yaml, strlen(cases[i].yaml), &c, &e);
		if (r != -EINVAL)
			test_fail(__FILE__, __LINE__, "%s gave %d", cases[i].yaml, r);
		CHECK_HAS(e.msg, "bucket.yaml");
		CHECK_HAS(e.msg, cases[i].words);
		CHECK_HAS(e.msg, cases[i].line);
	}
}

TEST(types_that_thanos_has_and_we_lack_are_said_to_be_unsupported)
{
	static const char *const lacking[] = { "GCS", "AZURE", "SWIFT", "COS", "ALIYUNOSS", "BOS", "OCI",
		"OBS", "gcs" };
	for (size_t i = 0; i < ARRAY_LEN(lacking); i++) {
		struct err e;
		struct objstore_config *c = NULL;
		auto_free char *yaml = xasprintf("type: %s\nconfig: {bucket: b}\n", lacking[i]);
		CHECK_INT(objstore_config_parse("bucket.yaml", yaml, strlen(yaml), &c, &e), -EINVAL);
		CHECK_HAS(e.msg, "not supported yet");
		CHECK_HAS(e.msg, "FILESYSTEM");
	}
}

TEST(what_is_rendered_reads_back_the_same)
{
	static const char *const yamls[] = {
		"type: FILESYSTEM\nconfig: {directory: /var/thanos}\nprefix: a/b\n",
		"type: FILESYSTEM\nconfig: {directory: \"/o'd \\\"d\\\": #\\\\ \\t{x} \\L\u00e9\\x01\"}\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(yamls); i++) {
		auto_of(objstore_config) struct objstore_config *c = parse(yamls[i]);
		auto_buf struct buf text = { 0 };
		objstore_config_render(c, &text);
		auto_of(objstore_config) struct objstore_config *again = parse(buf_str(&text));
		CHECK_STR(again->filesystem.directory, c->filesystem.directory);
		CHECK_STR(again->prefix, c->prefix);
	}
}

#define S3_YAML "type: S3\nconfig:\n  bucket: thanos\n  endpoint: s3.eu-west-1.amazonaws.com\n"

TEST(an_s3_bucket_has_the_defaults_of_thanos)
{
	auto_of(objstore_config) struct objstore_config *c = parse(S3_YAML);
	const struct s3_config *s = &c->s3;
	CHECK_INT(c->type, OBJSTORE_S3);
	CHECK_STR(s->bucket, "thanos");
	CHECK_STR(s->region, "");
	CHECK_STR(s->access_key, "");
	CHECK(!s->insecure && !s->aws_sdk_auth && !s->disable_dualstack && !s->disable_multipart &&
		s->send_content_md5);
	CHECK_INT(s->part_size, 64 << 20);
	CHECK_INT(s->bucket_lookup_type, S3_LOOKUP_AUTO);
	CHECK_INT(s->list_objects_version, S3_LISTING_DEFAULT);
	CHECK_INT(s->http.idle_conn_timeout_ms, 90000);
	CHECK_INT(s->http.response_header_timeout_ms, 120000);
	CHECK_INT(s->http.tls_handshake_timeout_ms, 10000);
	CHECK_INT(s->http.max_idle_conns, 100);
	CHECK_STR(s->http.tls.ca_file, "");
}

static const char s3_whole[] =
	"type: s3\nprefix: a\nconfig:\n  bucket: thanos\n  endpoint: \"[::1]:9000\"\n  region: eu-west-1\n"
	"  disable_dualstack: true\n  aws_sdk_auth: false\n  access_key: id\n  insecure: false\n"
	"  signature_version2: false\n  secret_key: very-secret-1\n  session_token: very-secret-2\n"
	"  put_user_metadata: {X-Amz-Storage-Class: STANDARD_IA, team: \"a: b\"}\n"
	"  http_config:\n    idle_conn_timeout: 1m30s\n    response_header_timeout: 5s\n"
	"    insecure_skip_verify: true\n    tls_handshake_timeout: 1s\n    expect_continue_timeout: 1s\n"
	"    max_idle_conns: 1\n    max_idle_conns_per_host: 2\n    max_conns_per_host: 3\n"
	"    tls_config:\n      ca_file: /ca\n      cert_file: /cert\n      key_file: /key\n"
	"      server_name: store\n      insecure_skip_verify: false\n    disable_compression: true\n"
	"  trace:\n    enable: true\n  list_objects_version: v1\n  bucket_lookup_type: path\n"
	"  send_content_md5: false\n  disable_multipart: true\n  part_size: 5242880\n"
	"  sse_config:\n    type: SSE-C\n    kms_key_id: k\n    kms_encryption_context: {a: b}\n"
	"    encryption_key: very-secret-3\n  sts_endpoint: https://sts\n  max_retries: 3\n";

TEST(every_key_of_thanos_s3_configuration_is_taken_and_shown_without_secrets)
{
	auto_of(objstore_config) struct objstore_config *c = parse(s3_whole);
	CHECK_STR(c->s3.secret_key, "very-secret-1");
	CHECK_STR(c->s3.put_user_metadata.data[1].value, "a: b");
	CHECK_INT(c->s3.http.response_header_timeout_ms, 5000);
	CHECK_STR(c->s3.http.tls.server_name, "store");
	CHECK_INT(c->s3.sse.type, S3_SSE_C);
	CHECK_INT(c->s3.bucket_lookup_type, S3_LOOKUP_PATH);

	auto_buf struct buf text = { 0 }, again_text = { 0 };
	objstore_config_render(c, &text);
	CHECK(!strstr(buf_str(&text), "very-secret"));
	CHECK_HAS(buf_str(&text), "access_key: \"id\"");
	CHECK_HAS(buf_str(&text), "secret_key: \"<secret>\"");
	auto_of(objstore_config) struct objstore_config *again = parse(buf_str(&text));
	objstore_config_render(again, &again_text);
	CHECK_STR(buf_str(&again_text), buf_str(&text));
}

TEST(mistakes_in_an_s3_configuration_are_named_with_their_line)
{
	static const struct {
		const char *more, *words;
	} cases[] = {
		{ "  acces_key: a\n", "did you mean \"access_key\"" },
		{ "  access_key: a\n", ":5: access_key needs a secret_key" },
		{ "  secret_key: a\n", ":5: secret_key needs an access_key" },
		{ "  aws_sdk_auth: true\n  access_key: a\n  secret_key: s\n", "exclude each other" },
		{ "  access_key: a\n  secret_key: s\n  signature_version2: true\n",
			":7: signature_version2" },
		{ "  part_size: 1000\n", ":5: part_size" },
		{ "  part_size: -1\n", ":5: part_size" },
		{ "  bucket_lookup_type: dns\n",
			":5: bucket_lookup_type is \"dns\", none of: auto, virtual-hosted, path" },
		{ "  list_objects_version: v3\n", ":5: list_objects_version is \"v3\", none of: v1, v2" },
		{ "  sse_config: {type: SSE-X}\n", "none of: SSE-S3, SSE-KMS, SSE-C" },
		{ "  sse_config: {type: SSE-KMS}\n", "kms_key_id" },
		{ "  sse_config: {type: SSE-C}\n", "encryption_key" },
		{ "  insecure: true\n  sse_config: {type: SSE-C, encryption_key: /k}\n", "in the clear" },
		{ "  http_config: {tls_config: {cert_file: /c}}\n", "cert_file without a key_file" },
		{ "  http_config: {idle_timeout: 5s}\n", "unknown key \"idle_timeout\"" },
		{ "  http_config: {idle_conn_timeout: soon}\n", "idle_conn_timeout" },
		{ "  put_user_metadata: {\"a b\": c}\n", "put_user_metadata" },
		{ "  put_user_metadata: {a: \"b\\r\\nx: y\"}\n", "put_user_metadata" },
		{ "  put_user_metadata: {a: [b]}\n", "not a text" },
		{ "  region: \"a/b\"\n", "region" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		struct objstore_config *c = NULL;
		auto_free char *yaml = xasprintf("%s%s", S3_YAML, cases[i].more);
		int r = objstore_config_parse("bucket.yaml", yaml, strlen(yaml), &c, &e);
		if (r != -EINVAL)
			test_fail(__FILE__, __LINE__, "%s gave %d", cases[i].more, r);
		CHECK_HAS(e.msg, "bucket.yaml:");
		CHECK_HAS(e.msg, cases[i].words);
	}
}

TEST(buckets_and_endpoints_of_another_form_are_refused)
{
	static const struct {
		const char *bucket, *endpoint;
		int error;
	} cases[] = {
		{ "thanos", "localhost", 0 },
		{ "thanos", "10.0.0.1:9000", 0 },
		{ "my.bucket-1", "\"[fe80::1]\"", 0 },
		{ "Old_Bucket", "a-b_c.example.:443", 0 },
		{ "", "host", -EINVAL },
		{ "ab", "host", -EINVAL },
		{ "a/b", "host", -EINVAL },
		{ "-ab", "host", -EINVAL },
		{ "thanos", "", -EINVAL },
		{ "thanos", "https://host", -EINVAL },
		{ "thanos", "host/path", -EINVAL },
		{ "thanos", "host:0", -EINVAL },
		{ "thanos", "host:65536", -EINVAL },
		{ "thanos", "user@host", -EINVAL },
		{ "thanos", "\"[::1\"", -EINVAL },
		{ "thanos", "\"host\\r\\nx\"", -EINVAL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		auto_of(objstore_config) struct objstore_config *c = NULL;
		auto_free char *yaml = xasprintf("type: S3\nconfig:\n  bucket: %s\n  endpoint: %s\n",
			cases[i].bucket, cases[i].endpoint);
		int r = objstore_config_parse("bucket.yaml", yaml, strlen(yaml), &c, &e);
		if (r != cases[i].error)
			test_fail(__FILE__, __LINE__, "%s gave %d: %s", yaml, r, r < 0 ? e.msg : "");
	}
}

TEST(the_bucket_that_is_built_works_through_all_its_layers)
{
	struct err e;
	const struct faults_options faults = { .plan = { .seed = 1 } };
	const struct objstore_layers layers = { RETRY_DEFAULTS, &faults };
	auto_free char *yaml =
		xasprintf("type: FILESYSTEM\nconfig:\n  directory: %s\nprefix: tenant\n", test_dir());
	auto_of(objstore_config) struct objstore_config *c = parse(yaml);
	auto_of(bucket) struct bucket *b = NULL;
	CHECK_OK(objstore_bucket_new(c, &layers, &b, &e), &e);
	bucket_put_text(b, "a/b", "text");

	auto_free char *path = xasprintf("%s/tenant/a/b", test_dir());
	auto_buf struct buf got = { 0 };
	CHECK_OK(file_read(path, 100, &got, &e), &e);
	CHECK_STR(buf_str(&got), "text");
	CHECK_HAS(b->name, "tenant");
}

TEST(a_configuration_is_loaded_from_a_file_and_a_missing_one_is_named)
{
	struct err e;
	auto_of(objstore_config) struct objstore_config *c = NULL;
	auto_free char *path = xasprintf("%s/bucket.yaml", test_dir());
	static const char yaml[] = "type: FILESYSTEM\nconfig: {directory: /d}\n";
	CHECK_INT(objstore_config_load(path, &c, &e), -ENOENT);
	CHECK_HAS(e.msg, path);

	CHECK_OK(file_replace(path, yaml, sizeof yaml - 1, &e), &e);
	CHECK_OK(objstore_config_load(path, &c, &e), &e);
	CHECK_STR(c->filesystem.directory, "/d");
}

TEST_MAIN()
