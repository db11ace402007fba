/* SPDX-License-Identifier: Apache-2.0 */
/* The clauses of the bucket contract. Each gets an empty bucket. */
#include "tests/support/bucket_contract.h"

#include "lib/base/vec.h"
#include "tests/support/bucket_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static void check_content(struct bucket *b, const char *name, const char *want)
{
	struct err e;
	auto_buf struct buf got = { 0 };
	CHECK_OK(bucket_get(b, name, 1 << 20, &got, &e), &e);
	CHECK_STR(buf_str(&got), want);
}

void bucket_contract_what_was_put_reads_back_in_any_range(struct bucket *b)
{
	static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct err e;
	bucket_put_text(b, "dir/object", text);

	auto_of(blob) struct blob *content = NULL;
	CHECK_OK(bucket_open(b, "dir/object", &content, &e), &e);
	CHECK_INT(content->size, sizeof text - 1);
	for (size_t at = 0; at < content->size; at++) {
		for (size_t n = 0; n <= content->size - at; n++) {
			char got[sizeof text];
			CHECK_OK(blob_read(content, got, n, at, &e), &e);
			CHECK(n == 0 || !memcmp(got, text + at, n));
		}
	}
	char past[2];
	CHECK_INT(blob_read(content, past, 2, content->size - 1, &e), -EBADMSG);
}

void bucket_contract_an_empty_object_is_an_object(struct bucket *b)
{
	struct err e;
	struct object_info o;
	bucket_put_text(b, "empty", "");

	CHECK_OK(bucket_stat(b, "empty", &o, &e), &e);
	CHECK_INT(o.size, 0);
	check_content(b, "empty", "");
}

void bucket_contract_an_object_larger_than_any_buffer_survives(struct bucket *b)
{
	struct err e;
	uint64_t seed = 1;
	auto_buf struct buf big = { 0 };
	for (int i = 0; i < (3 << 20) / 8 + 1; i++)
		buf_add_be64(&big, test_random(&seed));
	auto_of(blob) struct blob *content = blob_of_memory("big", big.data, big.len);
	CHECK_OK(bucket_put(b, "big", content, &e), &e);

	auto_buf struct buf got = { 0 };
	CHECK_OK(bucket_get(b, "big", big.len, &got, &e), &e);
	CHECK_INT(got.len, big.len);
	CHECK(!memcmp(got.data, big.data, big.len));
}

void bucket_contract_a_put_replaces_the_whole_object(struct bucket *b)
{
	bucket_put_text(b, "a/b", "a long first version");
	bucket_put_text(b, "a/b", "second");

	check_content(b, "a/b", "second");
}

static int count_one(void *arg, const struct object_info *o)
{
	(void)o;
	++*(int *)arg;
	return 0;
}

static int count_all(struct bucket *b)
{
	struct err e;
	int n = 0;
	CHECK_OK(bucket_list(b, "", true, false, count_one, &n, &e), &e);
	return n;
}

#define BROKEN_FROM (600u << 10)

static int read_until_broken(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	if (at + n > BROKEN_FROM)
		return err_set(e, -EIO, "%s broke", b->name);
	memset(out, 'x', n);
	return 0;
}

static void close_nothing(struct blob *b)
{
	(void)b;
}

void bucket_contract_a_put_whose_content_fails_leaves_no_trace(struct bucket *b)
{
	static const struct blob_ops ops = { .read = read_until_broken, .close = close_nothing };
	char name[] = "the source";
	struct blob broken = { .ops = &ops, .size = 1 << 20, .name = name };
	struct err e;
	bucket_put_text(b, "dir/old", "old");

	int r = bucket_put(b, "dir/old", &broken, &e);

	CHECK_INT(r, -EIO);
	CHECK_HAS(e.msg, "dir/old");
	check_content(b, "dir/old", "old");
	CHECK_INT(count_all(b), 1);
}

void bucket_contract_what_is_not_there_is_enoent(struct bucket *b)
{
	struct err e;
	struct object_info o;
	struct blob *content;
	auto_buf struct buf got = { 0 };
	bucket_put_text(b, "dir/object", "x");

	static const char *const absent[] = { "nothing", "dir/nothing", "no/such/path", "dir/object/below" };
	for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
		CHECK_INT(bucket_stat(b, absent[i], &o, &e), -ENOENT);
		CHECK_HAS(e.msg, absent[i]);
		CHECK_INT(bucket_open(b, absent[i], &content, &e), -ENOENT);
		CHECK_HAS(e.msg, absent[i]);
		CHECK_INT(bucket_get(b, absent[i], 10, &got, &e), -ENOENT);
		int r = bucket_remove(b, absent[i], &e);
		CHECK(r == -ENOENT || r == 0);
	}
	CHECK_INT(count_all(b), 1);
}

void bucket_contract_a_directory_is_not_an_object(struct bucket *b)
{
	struct err e;
	struct object_info o;
	struct blob *content;
	bucket_put_text(b, "dir/object", "x");

	CHECK_INT(bucket_stat(b, "dir", &o, &e), -ENOENT);
	CHECK_INT(bucket_open(b, "dir", &content, &e), -ENOENT);
	int r = bucket_remove(b, "dir", &e);
	CHECK(r == -ENOENT || r == 0);
	check_content(b, "dir/object", "x");
}

void bucket_contract_invalid_names_are_refused_everywhere(struct bucket *b)
{
	char too_long[BUCKET_NAME_MAX + 2];
	memset(too_long, 'x', sizeof too_long - 1);
	too_long[sizeof too_long - 1] = 0;
	const char *const bad[] = { "", "/", "/abs", "dir/", "a//b", ".", "..", "./a", "../a", "a/..",
		"a/../b", "a/./b", too_long };
	struct err e;
	auto_of(blob) struct blob *content = blob_of_memory("text", "x", 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct object_info o;
		struct blob *out;
		int n = 0;
		CHECK_INT(bucket_stat(b, bad[i], &o, &e), -EINVAL);
		CHECK_INT(bucket_open(b, bad[i], &out, &e), -EINVAL);
		CHECK_INT(bucket_put(b, bad[i], content, &e), -EINVAL);
		CHECK_INT(bucket_remove(b, bad[i], &e), -EINVAL);
		if (strcmp(bad[i], "") != 0 && strcmp(bad[i], "dir/") != 0)
			CHECK_INT(bucket_list(b, bad[i], false, false, count_one, &n, &e), -EINVAL);
	}
	CHECK_INT(count_all(b), 0);
}

void bucket_contract_stat_tells_size_and_time(struct bucket *b)
{
	struct err e;
	struct object_info o;
	bucket_put_text(b, "dir/object", "12345");

	CHECK_OK(bucket_stat(b, "dir/object", &o, &e), &e);
	CHECK_STR(o.name, "dir/object");
	CHECK_INT(o.size, 5);
	CHECK(o.mtime_ms > 1600000000000);
}

struct names {
	VEC(char *) list;
	uint64_t bytes;
	bool all_have_times;
};

static int keep_name(void *arg, const struct object_info *o)
{
	struct names *names = arg;
	vec_push(&names->list, xstrdup(o->name));
	names->bytes += o->size;
	names->all_have_times &= o->mtime_ms > 0;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The listing, sorted, with a blank after each name. */
static void check_list(struct bucket *b, const char *prefix, bool recursive, const char *want)
{
	struct err e;
	struct names names = { 0 };
	auto_buf struct buf got = { 0 };
	CHECK_OK(bucket_list(b, prefix, recursive, false, keep_name, &names, &e), &e);
	vec_sort(&names.list, compare_names);
	vec_each (name, &names.list) {
		buf_printf(&got, "%s ", *name);
		free(*name);
	}
	vec_fini(&names.list);
	CHECK_STR(buf_str(&got), want);
}

static void put_tree(struct bucket *b)
{
	bucket_put_text(b, "top", "1");
	bucket_put_text(b, "a/meta.json", "22");
	bucket_put_text(b, "a/chunks/000001", "333");
	bucket_put_text(b, "a/chunks/000002", "4444");
	bucket_put_text(b, "ab/index", "55555");
}

void bucket_contract_a_listing_shows_objects_and_directories_one_level_down(struct bucket *b)
{
	put_tree(b);

	check_list(b, "", false, "a/ ab/ top ");
	check_list(b, "a/", false, "a/chunks/ a/meta.json ");
	check_list(b, "a/chunks/", false, "a/chunks/000001 a/chunks/000002 ");
}

void bucket_contract_a_recursive_listing_shows_every_object(struct bucket *b)
{
	put_tree(b);

	check_list(b, "", true, "a/chunks/000001 a/chunks/000002 a/meta.json ab/index top ");
	check_list(b, "a/", true, "a/chunks/000001 a/chunks/000002 a/meta.json ");

	struct err e;
	struct names names = { .all_have_times = true };
	CHECK_OK(bucket_list(b, "", true, true, keep_name, &names, &e), &e);
	CHECK_INT(names.bytes, 15);
	CHECK(names.all_have_times);
	vec_each (name, &names.list)
		free(*name);
	vec_fini(&names.list);
}

void bucket_contract_a_prefix_with_nothing_below_lists_nothing(struct bucket *b)
{
	put_tree(b);

	check_list(b, "b/", false, "");
	check_list(b, "b/", true, "");
	check_list(b, "a/b/c/", true, "");
	check_list(b, "top/", false, "");
}

static int stop_at_second(void *arg, const struct object_info *o)
{
	(void)o;
	return ++*(int *)arg == 2 ? 42 : 0;
}

void bucket_contract_a_callback_can_end_the_listing(struct bucket *b)
{
	struct err e;
	put_tree(b);

	for (int recursive = 0; recursive < 2; recursive++) {
		int n = 0;
		CHECK_INT(bucket_list(b, "", recursive, false, stop_at_second, &n, &e), 42);
		CHECK_INT(n, 2);
	}
}

void bucket_contract_a_directory_goes_with_its_last_object(struct bucket *b)
{
	struct err e;
	put_tree(b);

	CHECK_OK(bucket_remove(b, "a/chunks/000001", &e), &e);
	check_list(b, "a/", false, "a/chunks/ a/meta.json ");
	CHECK_OK(bucket_remove(b, "a/chunks/000002", &e), &e);
	check_list(b, "a/", false, "a/meta.json ");
	CHECK_OK(bucket_remove(b, "a/meta.json", &e), &e);
	check_list(b, "", false, "ab/ top ");
	CHECK_OK(bucket_remove(b, "ab/index", &e), &e);
	CHECK_OK(bucket_remove(b, "top", &e), &e);
	check_list(b, "", false, "");
	bucket_put_text(b, "a/again", "x");
	check_list(b, "", false, "a/ ");
}

void bucket_contract_an_open_object_outlives_its_removal(struct bucket *b)
{
	struct err e;
	auto_of(blob) struct blob *content = NULL;
	bucket_put_text(b, "a/b", "still here");
	CHECK_OK(bucket_open(b, "a/b", &content, &e), &e);
	CHECK_OK(bucket_remove(b, "a/b", &e), &e);

	auto_buf struct buf got = { 0 };
	CHECK_OK(blob_read_buf(content, &got, 100, 0, &e), &e);
	CHECK_STR(buf_str(&got), "still here");
	struct object_info o;
	CHECK_INT(bucket_stat(b, "a/b", &o, &e), -ENOENT);
}

void bucket_contract_an_open_object_that_is_removed_reads_as_enoent(struct bucket *b)
{
	struct err e;
	char got[10];
	auto_of(blob) struct blob *content = NULL;
	bucket_put_text(b, "a/b", "soon gone");
	CHECK_OK(bucket_open(b, "a/b", &content, &e), &e);
	CHECK_OK(bucket_remove(b, "a/b", &e), &e);

	CHECK_INT(blob_read(content, got, 9, 0, &e), -ENOENT);
	CHECK_HAS(e.msg, "a/b");
}

void bucket_contract_an_open_object_that_is_replaced_reads_as_ebadmsg(struct bucket *b)
{
	struct err e;
	char got[10];
	auto_of(blob) struct blob *content = NULL, *pinned = NULL;
	char version[BLOB_VERSION_BYTES];
	bucket_put_text(b, "a/b", "version 1");
	CHECK_OK(bucket_open(b, "a/b", &content, &e), &e);
	CHECK_OK(blob_read(content, got, 9, 0, &e), &e);
	blob_version(content, version);
	CHECK(*version);
	bucket_put_text(b, "a/b", "version 2");

	CHECK_INT(blob_read(content, got, 9, 0, &e), -EBADMSG);
	CHECK_HAS(e.msg, "a/b");
	CHECK_OK(bucket_open_sized(b, "a/b", 9, &pinned, &e), &e);
	blob_pin(pinned, version);
	CHECK_INT(blob_read(pinned, got, 9, 0, &e), -EBADMSG);
}

void bucket_contract_get_refuses_what_is_too_large(struct bucket *b)
{
	struct err e;
	auto_buf struct buf got = { 0 };
	bucket_put_text(b, "a/b", "12345");

	CHECK_INT(bucket_get(b, "a/b", 4, &got, &e), -EFBIG);
	CHECK_HAS(e.msg, "a/b");
	CHECK_INT(got.len, 0);
	CHECK_OK(bucket_get(b, "a/b", 5, &got, &e), &e);
}

#define RACERS      4
#define RACE_ROUNDS 60
#define RACE_BYTES  20000

struct race {
	struct bucket *b;
	int may_be; /* an error that a reader may get beside -ENOENT; 0: none */
	atomic_uint failures;
	int letter;
};

static void *put_and_remove(void *arg)
{
	struct race *race = arg;
	char bytes[RACE_BYTES];
	memset(bytes, 'a' + race->letter, sizeof bytes);
	for (int i = 0; i < RACE_ROUNDS; i++) {
		auto_of(blob) struct blob *content = blob_of_memory("racer", bytes, sizeof bytes);
		struct err e;
		int r = bucket_put(race->b, "deep/er/contested", content, &e);
		if (r < 0) {
			fprintf(stderr, "  put gave %d: %s\n", r, e.msg);
			race->failures++;
		}
		auto_buf struct buf got = { 0 };
		r = bucket_get(race->b, "deep/er/contested", RACE_BYTES, &got, NULL);
		bool is_whole = r == 0 && got.len == RACE_BYTES;
		for (size_t k = 1; is_whole && k < got.len; k++)
			is_whole = got.data[k] == got.data[0];
		bool is_gone = r == -ENOENT || (race->may_be && r == race->may_be);
		if (!is_gone && !is_whole) {
			fprintf(stderr, "  get gave %d\n", r);
			race->failures++;
		}
		r = bucket_remove(race->b, "deep/er/contested", NULL);
		if (r != 0 && r != -ENOENT)
			race->failures++;
	}
	return NULL;
}

static void run_race(struct bucket *b, int may_be)
{
	pthread_t threads[RACERS];
	struct race races[RACERS];
	for (int i = 0; i < RACERS; i++) {
		races[i] = (struct race){ .b = b, .may_be = may_be, .letter = i };
		CHECK_INT(pthread_create(&threads[i], NULL, put_and_remove, &races[i]), 0);
	}
	unsigned failures = 0;
	for (int i = 0; i < RACERS; i++) {
		pthread_join(threads[i], NULL);
		failures += races[i].failures;
	}
	CHECK_INT(failures, 0);
	CHECK_INT(count_all(b), 0);
}

void bucket_contract_writers_and_readers_at_once_see_whole_objects(struct bucket *b)
{
	run_race(b, 0);
}

void bucket_contract_writers_and_readers_at_once_see_whole_objects_or_that_they_changed(struct bucket *b)
{
	run_race(b, -EBADMSG);
}
