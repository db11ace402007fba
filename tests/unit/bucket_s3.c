/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The S3 bucket against a strict server in this process; with THANOSFS_TEST_S3_CONFIG=FILE (a bucket's YAML), the contract
 * against whatever real store that names. There each test works below a prefix of its own, and tidies up what is left.
 */
#include "store/bucket_s3.h"

#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/file.h"
#include "store/bucket_prefix.h"
#include "store/config.h"
#include "tests/support/bucket_contract.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/s3_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

/* A fixture that lives as long as the test's process, since the contract frees nothing but its bucket. */
static struct s3_fixture *server;

static struct bucket *bucket_of(struct s3_fixture *f, const char *more, int64_t (*now_ms)(void))
{
	struct err e;
	struct s3_config c;
	struct bucket *b = NULL;
	s3_fixture_config(f, more, &c);
	CHECK_OK(bucket_s3_new(&c, &(struct s3_client_options){ .now_ms = now_ms }, &b, &e), &e);
	s3_config_fini(&c);
	return b;
}

static struct bucket *new_real(const char *path)
{
	struct err e;
	struct objstore_layers layers = { .retry = RETRY_DEFAULTS };
	uint64_t random;
	struct bucket *b = NULL, *below = NULL;
	auto_of(objstore_config) struct objstore_config *c = NULL;
	CHECK_INT(getrandom(&random, sizeof random, 0), sizeof random);
	auto_free char *prefix = xasprintf("contract-%016llx", (unsigned long long)random);
	CHECK_OK(objstore_config_load(path, &c, &e), &e);
	CHECK_OK(objstore_bucket_new(c, &layers, &b, &e), &e);
	CHECK_OK(bucket_prefix_new(b, prefix, &below, &e), &e);
	return below;
}

static struct bucket *new_s3(void)
{
	const char *path = getenv("THANOSFS_TEST_S3_CONFIG");
	if (path && *path)
		return new_real(path);
	server = s3_fixture_new(NULL);
	return bucket_of(server, "", NULL);
}

BUCKET_CONTRACT_REMOTE(s3, new_s3)

/* The rest is about one server, and skipped where the real one was asked for. */
struct fixture {
	struct s3_fixture *server;
	struct bucket *b;
};

static struct fixture set_up_with(const char *more)
{
	if (getenv("THANOSFS_TEST_S3_CONFIG"))
		test_skip("only the contract is for a real store");
	struct fixture f = { .server = s3_fixture_new(NULL) };
	f.b = bucket_of(f.server, more, NULL);
	return f;
}

static void tear_down(struct fixture *f)
{
	bucket_free(f->b);
	s3_fixture_free(f->server);
}

static int append_name(void *arg, const struct object_info *o)
{
	buf_printf(arg, "%s:%llu ", o->name, (unsigned long long)o->size);
	return 0;
}

static int count_one(void *arg, const struct object_info *o)
{
	(void)o;
	++*(unsigned *)arg;
	return 0;
}

static size_t count_lines(struct s3_fixture *server_of, const char *part)
{
	auto_buf struct buf log = { 0 };
	size_t n = 0;
	s3_fixture_log(server_of, &log);
	for (char *save, *line = strtok_r((char *)(uintptr_t)buf_str(&log), "\n", &save); line;
		line = strtok_r(NULL, "\n", &save))
		n += strstr(line, part) != NULL;
	return n;
}

/* The server writes a line of its log after the answer has left. */
static void check_lines(struct s3_fixture *server_of, const char *part, size_t want)
{
	size_t n = 0;
	for (int64_t until = clock_monotonic_us() + 5000000; n < want && clock_monotonic_us() < until;)
		n = count_lines(server_of, part);
	CHECK_INT(n, want);
}

TEST(opening_with_a_known_size_costs_no_request_and_a_read_costs_one)
{
	struct err e;
	char got[3], version[BLOB_VERSION_BYTES];
	struct fixture f = set_up_with("");
	auto_of(blob) struct blob *content = NULL;
	bucket_put_text(f.b, "a/b", "0123456789");

	CHECK_OK(bucket_open_sized(f.b, "a/b", 10, &content, &e), &e);
	blob_version(content, version);
	CHECK_STR(version, "");
	CHECK_OK(blob_read(content, got, 3, 4, &e), &e);

	CHECK(!memcmp(got, "456", 3));
	blob_version(content, version);
	CHECK(version[0] == '"');
	check_lines(f.server, " GET ", 1);
	check_lines(f.server, " HEAD ", 0);
	tear_down(&f);
}

TEST(another_size_than_the_known_one_is_an_object_that_changed)
{
	struct err e;
	char got[20];
	struct fixture f = set_up_with("");
	auto_of(blob) struct blob *small = NULL, *large = NULL;
	bucket_put_text(f.b, "a/b", "0123456789");
	CHECK_OK(bucket_open_sized(f.b, "a/b", 9, &small, &e), &e);
	CHECK_OK(bucket_open_sized(f.b, "a/b", 20, &large, &e), &e);

	CHECK_INT(blob_read(small, got, 2, 0, &e), -EBADMSG);
	CHECK_HAS(e.msg, "another size");
	CHECK_INT(blob_read(large, got, 5, 15, &e), -EBADMSG);
	CHECK_HAS(e.msg, "shorter");
	CHECK_HAS(e.msg, "a/b");
	tear_down(&f);
}

TEST(wrong_ranges_are_errors_and_never_bytes)
{
	static const struct {
		const char *rule;
		int error;
		const char *words;
	} cases[] = {
		{ "do=whole method=GET", -EPROTO, "more" },
		{ "do=range by=1 method=GET", -EPROTO, "asked for 4 bytes at 2" },
		{ "do=etag method=GET", -EBADMSG, "changed" },
		{ "do=html method=GET", -EPROTO, "a/b" },
		{ "do=truncate bytes=2 method=GET", -ECONNRESET, "a/b" },
		{ "do=length by=2 method=GET", -ECONNRESET, "a/b" },
		{ "do=endless method=GET", -EPROTO, "a/b" },
		{ "do=reset method=GET", -ECONNRESET, "a/b" },
	};
	struct fixture f = set_up_with("");
	bucket_put_text(f.b, "a/b", "0123456789");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		char got[4], again[4];
		auto_of(blob) struct blob *content = NULL;
		s3_fixture_faults(f.server, "");
		CHECK_OK(bucket_open(f.b, "a/b", &content, &e), &e);
		s3_fixture_faults(f.server, cases[i].rule);
		int r = blob_read(content, got, 4, 2, &e);
		if (r != cases[i].error)
			test_fail(__FILE__, __LINE__, "%s gave %d: %s", cases[i].rule, r, r < 0 ? e.msg : "");
		CHECK_HAS(e.msg, cases[i].words);
		s3_fixture_faults(f.server, "");
		CHECK_OK(blob_read(content, again, 4, 2, &e), &e);
		CHECK(!memcmp(again, "2345", 4));
	}
	tear_down(&f);
}

TEST(a_listing_goes_over_pages_in_both_versions)
{
	static const char *const versions[] = { "", "list_objects_version: v1\n",
		"list_objects_version: v2\n" };
	enum { FILES = 2300 };
	struct err e;
	struct fixture f = set_up_with("");
	for (int i = 0; i < FILES; i++) {
		auto_free char *path = xasprintf("%s/d%d", s3_fixture_dir(f.server), i);
		CHECK_OK(file_mkdirs(path, 0700, &e), &e);
		auto_free char *file = xasprintf("%s/meta.json", path);
		FILE *out = fopen(file, "w");
		CHECK(out && fputs("{}", out) >= 0 && fclose(out) == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		auto_of(bucket) struct bucket *b = bucket_of(f.server, versions[i], NULL);
		for (int recursive = 0; recursive < 2; recursive++) {
			unsigned n = 0;
			CHECK_OK(bucket_list(b, "", recursive, false, count_one, &n, &e), &e);
			CHECK_INT(n, FILES);
		}
	}
	check_lines(f.server, "?", 3 * 2 * 3);
	tear_down(&f);
}

TEST(names_with_all_kinds_of_characters_are_stored_read_and_listed)
{
	struct err e;
	static const char *const names[] = { "a b+c&d=e%2F?#[]@!$'()*,;:", "\xc3\xa9t\xc3\xa9/\xe2\x82\xac",
		"~tilde-._/x", "quote\"<less>&amp;", "back\\slash|pipe^`{}", "new\nline" };
	struct fixture f = set_up_with("");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct object_info o;
		bucket_put_text(f.b, names[i], "text");
		CHECK_OK(bucket_stat(f.b, names[i], &o, &e), &e);
		auto_buf struct buf got = { 0 }, list = { 0 }, want = { 0 };
		CHECK_OK(bucket_get(f.b, names[i], 10, &got, &e), &e);
		CHECK_STR(buf_str(&got), "text");
		CHECK_OK(bucket_list(f.b, "", true, true, append_name, &list, &e), &e);
		buf_printf(&want, "%s:4 ", names[i]);
		CHECK_STR(buf_str(&list), buf_str(&want));
		CHECK_OK(bucket_remove(f.b, names[i], &e), &e);
	}
	tear_down(&f);
}

static void put_random(struct bucket *b, const char *name, size_t bytes, struct buf *content)
{
	struct err e;
	uint64_t seed = bytes;
	while (content->len < bytes)
		buf_add_be64(content, test_random(&seed));
	content->len = bytes;
	auto_of(blob) struct blob *blob = blob_of_memory(name, content->data, content->len);
	CHECK_OK(bucket_put(b, name, blob, &e), &e);
}

TEST(a_large_object_goes_up_in_parts_and_comes_back_whole)
{
	struct err e;
	struct fixture f = set_up_with("part_size: 5242880\n");
	auto_buf struct buf content = { 0 }, got = { 0 };

	put_random(f.b, "big/index", (size_t)S3_MIN_PART_BYTES * 4 + 12345, &content);

	CHECK_OK(bucket_get(f.b, "big/index", content.len, &got, &e), &e);
	CHECK_INT(got.len, content.len);
	CHECK(!memcmp(got.data, content.data, got.len));
	check_lines(f.server, " PUT ", 5);
	check_lines(f.server, " POST ", 2);
	tear_down(&f);
}

TEST(one_part_that_fails_is_sent_again_alone)
{
	struct err e;
	struct fixture f = set_up_with("part_size: 5242880\n");
	auto_buf struct buf content = { 0 }, got = { 0 };
	s3_fixture_faults(f.server, "do=status code=503 error=SlowDown method=PUT skip=1 times=2");

	put_random(f.b, "big", (size_t)S3_MIN_PART_BYTES * 3, &content);

	check_lines(f.server, " PUT ", 5);
	check_lines(f.server, " POST ", 2);
	CHECK_OK(bucket_get(f.b, "big", content.len, &got, &e), &e);
	CHECK(got.len == content.len && !memcmp(got.data, content.data, got.len));
	tear_down(&f);
}

TEST(an_upload_in_parts_that_fails_is_aborted_and_leaves_nothing)
{
	static const char *const rules[] = { "do=denied method=PUT skip=1 times=1", "do=denied method=PUT" };
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct err e;
		struct fixture f = set_up_with("part_size: 5242880\n");
		unsigned n = 0;
		auto_buf struct buf zeros = { 0 };
		buf_add_zeros(&zeros, (size_t)S3_MIN_PART_BYTES * 6);
		auto_of(blob) struct blob *blob = blob_of_memory("zeros", zeros.data, zeros.len);
		s3_fixture_faults(f.server, rules[i]);

		CHECK_INT(bucket_put(f.b, "big", blob, &e), -EACCES);

		CHECK_HAS(e.msg, "big");
		CHECK_HAS(e.msg, "AccessDenied");
		check_lines(f.server, " DELETE ", 1);
		s3_fixture_faults(f.server, "");
		CHECK_OK(bucket_list(f.b, "", true, false, count_one, &n, &e), &e);
		CHECK_INT(n, 0);
		tear_down(&f);
	}
}

TEST(without_multipart_everything_is_one_put)
{
	struct fixture f = set_up_with("part_size: 5242880\ndisable_multipart: true\n");
	auto_buf struct buf content = { 0 };

	put_random(f.b, "big", (size_t)S3_MIN_PART_BYTES * 2, &content);

	check_lines(f.server, " PUT ", 1);
	check_lines(f.server, " POST ", 0);
	tear_down(&f);
}

static int64_t three_hours_ahead(void)
{
	return clock_unix_ms() + 3 * 3600 * 1000;
}

TEST(wrong_keys_clocks_and_buckets_are_told_apart)
{
	static const struct {
		const char *more;
		int64_t (*now_ms)(void);
		int error;
		const char *words, *more_words;
	} cases[] = {
		{ "", three_hours_ahead, -EACCES, "RequestTimeTooSkewed", "ahead of the store's" },
		{ "session_token: nonsense\n", NULL, -EACCES, "Token", "the configuration" },
	};
	struct fixture f = set_up_with("");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		unsigned n = 0;
		auto_of(bucket) struct bucket *b = bucket_of(f.server, cases[i].more, cases[i].now_ms);
		int r = bucket_list(b, "", true, false, count_one, &n, &e);
		if (r != cases[i].error)
			test_fail(__FILE__, __LINE__, "case %zu gave %d: %s", i, r, r < 0 ? e.msg : "");
		CHECK_HAS(e.msg, cases[i].words);
		CHECK_HAS(e.msg, cases[i].more_words);
		CHECK_HAS(e.msg, S3_FIXTURE_BUCKET);
		CHECK(!strstr(e.msg, S3_FIXTURE_SECRET) && !strstr(e.msg, "nonsense"));
	}
	tear_down(&f);
}

/* With one text of the fixture's configuration changed. */
static int list_with(struct s3_fixture *f, void (*change)(struct s3_config *c), struct err *e)
{
	struct s3_config c;
	struct bucket *b = NULL;
	unsigned n = 0;
	s3_fixture_config(f, "", &c);
	change(&c);
	CHECK_OK(bucket_s3_new(&c, &(struct s3_client_options){ 0 }, &b, e), e);
	s3_config_fini(&c);
	int r = bucket_list(b, "", true, false, count_one, &n, e);
	bucket_free(b);
	return r;
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = xstrdup(with);
}

static void wrong_secret(struct s3_config *c)
{
	replace(&c->secret_key, "very wrong");
}

static void wrong_id(struct s3_config *c)
{
	replace(&c->access_key, "NOBODY");
}

static void wrong_bucket(struct s3_config *c)
{
	replace(&c->bucket, "another-bucket");
}

static void wrong_region(struct s3_config *c)
{
	replace(&c->region, "mars-north-1");
}

static void without_keys(struct s3_config *c)
{
	replace(&c->access_key, "");
	replace(&c->secret_key, "");
}

TEST(what_is_wrong_in_the_configuration_is_named)
{
	static const struct {
		void (*change)(struct s3_config *c);
		int error;
		const char *words;
	} cases[] = {
		{ wrong_secret, -EACCES, "SignatureDoesNotMatch" },
		{ wrong_id, -EACCES, "InvalidAccessKeyId" },
		{ wrong_bucket, -ENODEV, "bucket another-bucket does not exist" },
		{ wrong_region, -EINVAL,
			"the bucket is in region us-east-1, the request was signed for mars-north-1" },
		{ without_keys, -EACCES, "not signed" },
	};
	struct fixture f = set_up_with("");
	setenv("HOME", test_dir(), 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		int r = list_with(f.server, cases[i].change, &e);
		if (r != cases[i].error)
			test_fail(__FILE__, __LINE__, "case %zu gave %d: %s", i, r, r < 0 ? e.msg : "");
		CHECK_HAS(e.msg, cases[i].words);
		CHECK(!strstr(e.msg, "very wrong"));
	}
	tear_down(&f);
}

TEST(a_region_that_is_not_configured_is_learnt_once)
{
	if (getenv("THANOSFS_TEST_S3_CONFIG"))
		test_skip("only the contract is for a real store");
	auto_of(s3_fixture) struct s3_fixture *f = s3_fixture_new("eu-central-7");
	auto_of(bucket) struct bucket *b = bucket_of(f, "", NULL);

	bucket_put_text(b, "a", "1");
	bucket_put_text(b, "b", "2");

	check_lines(f, " PUT ", 3);
}

TEST(load_and_outages_are_worth_a_retry_and_say_when)
{
	static const struct {
		const char *rule;
		int error;
		unsigned retry_after_ms;
	} cases[] = {
		{ "do=status code=503 error=SlowDown retry-after=7", -EAGAIN, 7000 },
		{ "do=status code=500 error=InternalError", -EAGAIN, 0 },
		{ "do=status code=429 error=TooManyRequests retry-after=1", -EAGAIN, 1000 },
		{ "do=expired", -EACCES, 0 },
		{ "do=denied", -EACCES, 0 },
		{ "do=redirect code=301 region=eu-west-9", -EINVAL, 0 },
	};
	struct fixture f = set_up_with("region: us-east-1\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		unsigned n = 0;
		s3_fixture_faults(f.server, cases[i].rule);
		int r = bucket_list(f.b, "", true, false, count_one, &n, &e);
		if (r != cases[i].error)
			test_fail(__FILE__, __LINE__, "%s gave %d: %s", cases[i].rule, r, r < 0 ? e.msg : "");
		CHECK_INT(e.retry_after_ms, cases[i].retry_after_ms);
		CHECK_HAS(e.msg, S3_FIXTURE_BUCKET);
	}
	tear_down(&f);
}

TEST(a_store_that_is_silent_holds_nobody_beyond_the_threads_deadline)
{
	static const struct deadline ends[] = { { .until_us = 1 }, { .each_ms = 300 } };
	struct fixture f = set_up_with("");
	bucket_put_text(f.b, "a/b", "0123456789");
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct err e;
		char got[4];
		auto_of(blob) struct blob *content = NULL;
		CHECK_OK(bucket_open_sized(f.b, "a/b", 10, &content, &e), &e);
		s3_fixture_faults(f.server, "do=stall times=1");
		int64_t began = clock_monotonic_us();
		struct deadline end = ends[i];
		if (end.until_us)
			end.until_us = began + 300000;
		struct deadline before = deadline_enter(end);
		int r = blob_read(content, got, 4, 0, &e);
		deadline_leave(before);

		CHECK_INT(r, -ETIMEDOUT);
		CHECK_HAS(e.msg, "a/b");
		CHECK(clock_monotonic_us() - began < 8000000);
		CHECK_OK(blob_read(content, got, 4, 0, &e), &e);
	}
	tear_down(&f);
}

TEST(a_mount_that_ends_waits_for_no_answer)
{
	struct err e;
	struct s3_config c;
	struct object_info o;
	struct bucket *b = NULL;
	atomic_bool stop = true;
	struct fixture f = set_up_with("");
	s3_fixture_config(f.server, "", &c);
	CHECK_OK(bucket_s3_new(&c, &(struct s3_client_options){ .stop = &stop }, &b, &e), &e);
	s3_config_fini(&c);
	s3_fixture_faults(f.server, "do=stall");

	CHECK_INT(bucket_stat(b, "a/b", &o, &e), -ECANCELED);

	bucket_free(b);
	tear_down(&f);
}

TEST(html_instead_of_a_listing_is_said_to_be_no_listing)
{
	struct err e;
	unsigned n = 0;
	struct fixture f = set_up_with("");
	s3_fixture_faults(f.server, "do=html");

	CHECK_INT(bucket_list(f.b, "", true, false, count_one, &n, &e), -EPROTO);

	CHECK_HAS(e.msg, "listing");
	CHECK_INT(n, 0);
	tear_down(&f);
}

TEST(a_bucket_in_the_name_of_the_host_is_found_there)
{
	struct err e;
	struct s3_config c;
	struct bucket *b = NULL;
	struct fixture f = set_up_with("");
	s3_fixture_config(f.server, "bucket_lookup_type: virtual-hosted\n", &c);
	const char *port = strchr(c.endpoint, ':');
	auto_free char *endpoint = xasprintf("localhost%s", port);
	replace(&c.endpoint, endpoint);
	CHECK_OK(bucket_s3_new(&c, &(struct s3_client_options){ 0 }, &b, &e), &e);
	s3_config_fini(&c);

	bucket_put_text(b, "a/b", "text"); /* BUCKET.localhost is this machine, by RFC 6761 */

	auto_buf struct buf got = { 0 };
	CHECK_OK(bucket_get(b, "a/b", 10, &got, &e), &e);
	CHECK_STR(buf_str(&got), "text");
	bucket_free(b);
	tear_down(&f);
}

TEST_MAIN()
