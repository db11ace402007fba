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
		{ "type: FLOPPY\nconfig: {}\n", "FILESYSTEM", ":1:" },
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
	static const char *const lacking[] = { "S3", "GCS", "AZURE", "SWIFT", "COS", "ALIYUNOSS", "BOS",
		"OCI", "OBS", "s3" };
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
