/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bucket_extents.h"

#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/file.h"
#include "lib/base/metrics.h"
#include "tests/support/bucket_contract.h"
#include "tests/support/bucket_fault.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/bucket_slow.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIB 1024ull
#define MIB (1024 * KIB)

static struct extents_options defaults(void)
{
	struct extents_options o = EXTENTS_DEFAULTS;
	o.dir = test_dir();
	o.min_object_bytes = 1;
	o.readahead_bytes = 0;
	o.save_ms = 3600000;
	return o;
}

static struct extents *open_cache(const struct extents_options *o)
{
	struct err e;
	struct extents *x = NULL;
	CHECK_OK(extents_open(o, &x, &e), &e);
	return x;
}

static struct extents *contract_cache;

static struct bucket *new_layer(void)
{
	struct extents_options o = defaults();
	contract_cache = open_cache(&o);
	return bucket_extents_new(bucket_slow_new(bucket_memory_new(false)), contract_cache);
}

BUCKET_CONTRACT(extents, new_layer)

/* What every object holds: the byte at each place is known. */
static uint8_t byte_at(uint64_t at)
{
	uint64_t seed = at / 8;
	return (uint8_t)(test_random(&seed) >> at % 8 * 8);
}

static void put_bytes(struct bucket *b, const char *name, size_t n)
{
	struct err e;
	auto_free uint8_t *p = xmalloc(n);
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(i);
	auto_of(blob) struct blob *content = blob_of_memory(name, p, n);
	CHECK_OK(bucket_put(b, name, content, &e), &e);
}

static bool is_right(const uint8_t *p, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != byte_at(at + i))
			return false;
	return true;
}

static void check_read(struct blob *b, size_t n, uint64_t at)
{
	struct err e;
	auto_free uint8_t *p = xmalloc(n);
	CHECK_OK(blob_read(b, p, n, at, &e), &e);
	CHECK(is_right(p, n, at));
}

/* memory ▸ fault ▸ slow ▸ extents */
struct fixture {
	struct extents_options options;
	struct extents *x;
	struct bucket *fault, *slow, *b;
};

static struct fixture *set_up(const struct extents_options *o, size_t object_bytes)
{
	static struct fixture f;
	f.options = *o;
	f.x = open_cache(o);
	f.fault = bucket_fault_new(bucket_memory_new(false));
	f.slow = bucket_slow_new(f.fault);
	put_bytes(f.slow, "a/object", object_bytes);
	f.b = bucket_extents_new(f.slow, f.x);
	return &f;
}

static void tear_down(struct fixture *f)
{
	bucket_free(f->b);
	extents_close(f->x);
}

/* The cache is closed and opened again over the same store, as by another process. */
static void restart(struct fixture *f)
{
	struct err e;
	struct bucket *fault = bucket_fault_new(bucket_memory_new(false));
	struct bucket *slow = bucket_slow_new(fault);
	struct blob *content = NULL;
	CHECK_OK(bucket_open(f->fault, "a/object", &content, &e), &e);
	CHECK_OK(bucket_put(slow, "a/object", content, &e), &e);
	blob_close(content);
	tear_down(f);
	f->fault = fault;
	f->slow = slow;
	f->x = open_cache(&f->options);
	f->b = bucket_extents_new(slow, f->x);
}

static struct blob *open_object(struct fixture *f)
{
	struct err e;
	struct blob *b = NULL;
	CHECK_OK(bucket_open(f->b, "a/object", &b, &e), &e);
	return b;
}

/* Waits until no fetch is on its way. */
static void settle(struct fixture *f)
{
	struct extents_stats s;
	struct timespec ts = { .tv_nsec = 200000 };
	do {
		nanosleep(&ts, NULL);
		extents_stats(f->x, &s);
	} while (s.fetching + s.queued_prefetches + s.queued_reads > 0);
}

TEST(a_second_read_needs_no_request)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 3 * MIB + 1234);
	auto_of(blob) struct blob *b = open_object(f);
	check_read(b, 100, 70000);
	CHECK_INT(bucket_slow_counts(f->slow).bytes, 64 * KIB);
	check_read(b, 64 * KIB, 64 * KIB);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 0);
	CHECK_INT(extents_bytes(f->x), 64 * KIB);
	check_read(b, 3 * MIB + 1234, 0);
	CHECK_INT(extents_bytes(f->x), 3 * MIB + 1234);
	blob_close(take(b));
	tear_down(f);
}

TEST(bytes_that_turned_out_wrong_are_fetched_again)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 3 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	check_read(b, 3 * MIB, 0);
	bucket_slow_counts(f->slow);
	blob_forget(b, 70000, 10);
	CHECK_INT(extents_bytes(f->x), 3 * MIB - 64 * KIB);
	check_read(b, 64 * KIB, 0);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 0);
	check_read(b, 3 * MIB, 0);
	CHECK_INT(bucket_slow_counts(f->slow).bytes, 64 * KIB);
	CHECK_INT(extents_bytes(f->x), 3 * MIB);
	blob_forget(b, 0, UINT64_MAX);
	CHECK_INT(extents_bytes(f->x), 0);
	check_read(b, 3 * MIB, 0);
	blob_close(take(b));
	tear_down(f);
}

TEST(what_was_cached_serves_the_next_process)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 2 * MIB);
	struct blob *b = open_object(f);
	check_read(b, 300 * KIB, 500 * KIB);
	blob_close(b);
	uint64_t bytes = extents_bytes(f->x);
	restart(f);
	CHECK_INT(extents_bytes(f->x), bytes);
	b = open_object(f);
	check_read(b, 300 * KIB, 500 * KIB);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 0);
	blob_close(b);
	tear_down(f);
}

TEST(the_missing_blocks_of_a_read_are_joined_across_small_gaps_and_cut_into_parts)
{
	struct extents_options o = defaults();
	o.gap_bytes = 64 * KIB;
	struct fixture *f = set_up(&o, 8 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	check_read(b, 1, 64 * KIB);  /* a gap of one block */
	check_read(b, 1, 192 * KIB); /* and two blocks that lie next to each other */
	check_read(b, 1, 256 * KIB);
	bucket_slow_counts(f->slow);
	check_read(b, 384 * KIB, 0);
	struct slow_counts c = bucket_slow_counts(f->slow);
	CHECK_INT(c.reads, 2);
	CHECK_INT(c.bytes, 256 * KIB);
	check_read(b, 4 * MIB, 4 * MIB);
	c = bucket_slow_counts(f->slow);
	CHECK_INT(c.reads, 4);
	blob_close(take(b));
	tear_down(f);
}

struct reader {
	pthread_t thread;
	struct blob *b;
	uint64_t at;
	size_t n;
	int r;
	struct err e;
	bool is_right;
};

static void *read_in_thread(void *arg)
{
	struct reader *r = arg;
	auto_free uint8_t *p = xmalloc(r->n);
	r->r = blob_read(r->b, p, r->n, r->at, &r->e);
	r->is_right = r->r == 0 && is_right(p, r->n, r->at);
	return NULL;
}

static void start_reader(struct reader *r, struct blob *b, size_t n, uint64_t at)
{
	*r = (struct reader){ .b = b, .at = at, .n = n };
	CHECK(pthread_create(&r->thread, NULL, read_in_thread, r) == 0);
}

static void end_reader(struct reader *r)
{
	pthread_join(r->thread, NULL);
	CHECK_OK(r->r, &r->e);
	CHECK(r->is_right);
}

TEST(many_readers_of_one_block_cost_one_request)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 1 * MIB);
	struct reader readers[16];
	auto_of(blob) struct blob *b = open_object(f);
	bucket_slow_hold(f->slow, true);
	start_reader(&readers[0], b, 1000, 0);
	bucket_slow_await(f->slow, 1);
	for (int i = 1; i < 16; i++)
		start_reader(&readers[i], b, 1000, 1000 * (uint64_t)i);
	bucket_slow_hold(f->slow, false);
	for (int i = 0; i < 16; i++)
		end_reader(&readers[i]);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 1);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_reader_waits_no_longer_for_anothers_fetch_than_it_has_time)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 1 * MIB);
	struct reader patient;
	struct err e;
	uint8_t byte;
	auto_of(blob) struct blob *b = open_object(f);
	bucket_slow_hold(f->slow, true);
	start_reader(&patient, b, 1000, 0);
	bucket_slow_await(f->slow, 1);
	struct deadline before =
		deadline_enter((struct deadline){ .until_us = clock_monotonic_us() + 20000 });
	CHECK_INT(blob_read(b, &byte, 1, 5, &e), -ETIMEDOUT);
	CHECK_HAS(e.msg, "has no answer yet");
	deadline_leave(before);
	bucket_slow_hold(f->slow, false);
	end_reader(&patient);
	CHECK_OK(blob_read(b, &byte, 1, 5, &e), &e);
	blob_close(take(b));
	tear_down(f);
}

TEST(announced_ranges_are_fetched_without_a_reader)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 8 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	blob_will_read(b, 100000, 4 * MIB);
	settle(f);
	CHECK(bucket_slow_counts(f->slow).reads >= 4);
	check_read(b, 4 * MIB, 100000);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 0);
	blob_close(take(b));
	tear_down(f);
}

TEST(near_announcements_share_a_request)
{
	struct extents_options o = defaults();
	o.threads = 1;
	struct fixture *f = set_up(&o, 8 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	bucket_slow_hold(f->slow, true);
	blob_will_read(b, 7 * MIB, 1);
	bucket_slow_await(f->slow, 1);
	for (uint64_t i = 0; i < 8; i++)
		blob_will_read(b, i * 100 * KIB, 4096);
	bucket_slow_hold(f->slow, false);
	settle(f);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 2);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_read_does_not_wait_behind_prefetches)
{
	struct extents_options o = defaults();
	o.threads = 4;
	struct fixture *f = set_up(&o, 32 * MIB);
	struct reader reader;
	auto_of(blob) struct blob *b = open_object(f);
	bucket_slow_hold(f->slow, true);
	blob_will_read(b, 0, 16 * MIB);
	bucket_slow_await(f->slow, 3); /* a quarter of the threads stays free */
	start_reader(&reader, b, 100, 20 * MIB);
	bucket_slow_await(f->slow, 4);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 4);
	bucket_slow_hold(f->slow, false);
	end_reader(&reader);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_read_runs_a_queued_prefetch_itself)
{
	struct extents_options o = defaults();
	o.threads = 1;
	struct fixture *f = set_up(&o, 32 * MIB);
	struct reader reader;
	auto_of(blob) struct blob *b = open_object(f);
	bucket_slow_hold(f->slow, true);
	blob_will_read(b, 0, 16 * MIB);
	bucket_slow_await(f->slow, 1);
	start_reader(&reader, b, 100, 10 * MIB);
	bucket_slow_await(f->slow, 2);
	bucket_slow_hold(f->slow, false);
	end_reader(&reader);
	settle(f);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 16);
	blob_close(take(b));
	tear_down(f);
}

TEST(too_many_announcements_drop_the_oldest)
{
	struct extents_options o = defaults();
	o.threads = 1;
	o.max_queued = 2;
	struct fixture *f = set_up(&o, 32 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	bucket_slow_hold(f->slow, true);
	blob_will_read(b, 0, 1);
	bucket_slow_await(f->slow, 1);
	for (uint64_t i = 1; i < 6; i++)
		blob_will_read(b, i * 4 * MIB, 1);
	bucket_slow_hold(f->slow, false);
	settle(f);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 3);
	check_read(b, 1, 5 * 4 * MIB);
	check_read(b, 1, 4 * 4 * MIB);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 0);
	check_read(b, 1, 1 * 4 * MIB);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 1);
	blob_close(take(b));
	tear_down(f);
}

TEST(without_threads_readers_fetch_for_themselves)
{
	struct extents_options o = defaults();
	o.threads = 0;
	o.readahead_bytes = 8 * MIB;
	struct fixture *f = set_up(&o, 9 * MIB + 5);
	auto_of(blob) struct blob *b = open_object(f);
	blob_will_read(b, 0, 4 * MIB);
	check_read(b, 9 * MIB + 5, 0);
	CHECK_INT(extents_bytes(f->x), 9 * MIB + 5);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_sequential_reader_is_read_ahead_of_up_to_the_objects_end)
{
	struct extents_options o = defaults();
	o.readahead_bytes = 4 * MIB;
	struct fixture *f = set_up(&o, 16 * MIB + 77);
	auto_of(blob) struct blob *b = open_object(f);
	for (uint64_t at = 0; at < b->size; at += 128 * KIB)
		check_read(b, MIN_OF(128 * KIB, b->size - at), at);
	settle(f);
	struct slow_counts c = bucket_slow_counts(f->slow);
	CHECK_INT(c.bytes, b->size);
	CHECK(c.reads < 60);
	blob_close(take(b));
	tear_down(f);
}

TEST(who_announces_what_it_reads_gets_no_more_than_that)
{
	struct extents_options o = defaults();
	o.readahead_bytes = 4 * MIB;
	struct fixture *f = set_up(&o, 16 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	blob_will_read(b, 0, 2 * MIB);
	for (uint64_t at = 0; at < 2 * MIB; at += 128 * KIB)
		check_read(b, 128 * KIB, at);
	settle(f);
	CHECK_INT(bucket_slow_counts(f->slow).bytes, 2 * MIB);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_failed_fetch_fails_who_waits_for_it_and_the_next_read_tries_again)
{
	struct err e;
	char byte;
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 1 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	bucket_fault_set(f->fault, FAULT_READ, "", -ETIMEDOUT, 1);
	CHECK_INT(blob_read(b, &byte, 1, 0, &e), -ETIMEDOUT);
	CHECK_HAS(e.msg, "a/object");
	CHECK_INT(extents_bytes(f->x), 0);
	check_read(b, 1000, 0);
	blob_close(take(b));
	tear_down(f);
}

TEST(another_version_is_an_error_and_takes_what_is_cached_away)
{
	struct err e;
	char byte;
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 1 * MIB);
	bucket_slow_set_version(f->slow, "one");
	struct blob *b = open_object(f);
	check_read(b, 1000, 0);
	bucket_slow_set_version(f->slow, "two");
	check_read(b, 1000, 0);
	CHECK_INT(blob_read(b, &byte, 1, 512 * KIB, &e), -EBADMSG);
	CHECK_INT(extents_bytes(f->x), 0);
	CHECK_INT(blob_read(b, &byte, 1, 0, &e), -EBADMSG);
	blob_close(b);
	b = open_object(f);
	check_read(b, 1000, 0);
	CHECK_INT(extents_bytes(f->x), 64 * KIB);
	blob_close(b);
	tear_down(f);
}

TEST(another_version_is_noticed_after_a_restart)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 1 * MIB);
	bucket_slow_set_version(f->slow, "one");
	struct blob *b = open_object(f);
	check_read(b, 1 * MIB, 0);
	blob_close(b);
	restart(f);
	bucket_slow_set_version(f->slow, "two");
	b = open_object(f);
	CHECK_INT(extents_bytes(f->x), 0);
	check_read(b, 1000, 0);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 1);
	blob_close(b);
	tear_down(f);
}

TEST(another_size_under_the_same_name_starts_anew)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 1 * MIB);
	struct blob *b = open_object(f);
	check_read(b, 1 * MIB, 0);
	blob_close(b);
	put_bytes(f->slow, "a/object", 900 * KIB);
	b = open_object(f);
	CHECK_INT(extents_bytes(f->x), 0);
	check_read(b, 900 * KIB, 0);
	blob_close(b);
	tear_down(f);
}

/* The files of the only object. */
static void find_files(char **data, char **map)
{
	auto_free char *command = xasprintf("find '%s' -name '*.data' -o -name '*.map' | sort", test_dir());
	FILE *p = popen(command, "r");
	char line[512];
	*data = *map = NULL;
	while (p && fgets(line, sizeof line, p)) {
		line[strcspn(line, "\n")] = 0;
		char **to = strstr(line, ".map") ? map : data;
		free(*to);
		*to = xstrdup(line);
	}
	pclose(p);
	CHECK(*data && *map);
}

static void overwrite(const char *path, uint64_t at, const char *text)
{
	auto_close_fd int fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && file_pwrite_all(fd, text, strlen(text), at) == 0);
}

static void cache_whole_object_and_stop(struct fixture *f)
{
	struct blob *b = open_object(f);
	check_read(b, b->size, 0);
	blob_close(b);
	tear_down(f);
}

static struct fixture *start_again(const struct extents_options *o, size_t object_bytes)
{
	return set_up(o, object_bytes);
}

TEST(damaged_bytes_are_fetched_again_after_a_restart)
{
	struct extents_options o = defaults();
	auto_free char *data = NULL, *map = NULL;
	cache_whole_object_and_stop(set_up(&o, 1 * MIB));
	find_files(&data, &map);
	overwrite(data, 100000, "damage");
	struct fixture *f = start_again(&o, 1 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	CHECK_INT(extents_bytes(f->x), 1 * MIB);
	check_read(b, 1 * MIB, 0);
	struct slow_counts c = bucket_slow_counts(f->slow);
	CHECK_INT(c.reads, 1);
	CHECK_INT(c.bytes, 64 * KIB);
	CHECK_INT(extents_bytes(f->x), 1 * MIB);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_damaged_or_torn_map_vouches_for_nothing)
{
	for (int way = 0; way < 3; way++) {
		struct extents_options o = defaults();
		auto_free char *data = NULL, *map = NULL;
		cache_whole_object_and_stop(set_up(&o, 1 * MIB));
		find_files(&data, &map);
		if (way == 0)
			overwrite(map, 40, "damage");
		else if (way == 1)
			CHECK(truncate(map, 50) == 0);
		else
			CHECK(unlink(map) == 0);
		struct fixture *f = start_again(&o, 1 * MIB);
		CHECK_INT(extents_bytes(f->x), 0);
		CHECK(!file_exists(data) && !file_exists(map));
		auto_of(blob) struct blob *b = open_object(f);
		check_read(b, 1 * MIB, 0);
		blob_close(take(b));
		tear_down(f);
		file_remove_tree(test_dir(), NULL);
	}
}

TEST(holes_in_the_data_file_are_not_counted)
{
	struct extents_options o = defaults();
	auto_free char *data = NULL, *map = NULL;
	cache_whole_object_and_stop(set_up(&o, 1 * MIB));
	find_files(&data, &map);
	CHECK(truncate(data, 512 * KIB) == 0);
	struct fixture *f = start_again(&o, 1 * MIB);
	CHECK_INT(extents_bytes(f->x), 512 * KIB);
	auto_of(blob) struct blob *b = open_object(f);
	check_read(b, 1 * MIB, 0);
	CHECK_INT(bucket_slow_counts(f->slow).bytes, 512 * KIB);
	blob_close(take(b));
	tear_down(f);
}

static uint64_t disk_bytes(const char *path)
{
	struct stat st;
	CHECK(stat(path, &st) == 0);
	return (uint64_t)st.st_blocks * 512;
}

TEST(bytes_that_no_map_knows_are_given_back)
{
	struct extents_options o = defaults();
	auto_free char *data = NULL, *map = NULL;
	struct fixture *f = set_up(&o, 8 * MIB);
	struct blob *b = open_object(f);
	check_read(b, 1 * MIB, 0);
	blob_close(b);
	tear_down(f);
	find_files(&data, &map);
	auto_free char *garbage = xcalloc(1, 3 * MIB + 1);
	memset(garbage, 'x', 3 * MIB);
	overwrite(data, 2 * MIB, garbage);
	CHECK(disk_bytes(data) >= 4 * MIB);
	f = start_again(&o, 8 * MIB);
	CHECK_INT(extents_bytes(f->x), 1 * MIB);
	CHECK(disk_bytes(data) <= 1 * MIB + 64 * KIB);
	tear_down(f);
}

TEST(a_file_that_holds_another_object_is_not_believed)
{
	struct extents_options o = defaults();
	auto_free char *data = NULL, *map = NULL, *other_data = NULL, *other_map = NULL;
	cache_whole_object_and_stop(set_up(&o, 1 * MIB));
	find_files(&data, &map);
	other_data = xstrdup(data);
	other_map = xstrdup(map);
	char *digit = strrchr(other_data, '/') + 8;
	*digit = *digit == '0' ? '1' : '0';
	strrchr(other_map, '/')[8] = *digit;
	CHECK(rename(data, other_data) == 0 && rename(map, other_map) == 0);
	struct extents *x = open_cache(&o);
	CHECK_INT(extents_bytes(x), 0);
	CHECK(!file_exists(other_data) && !file_exists(other_map));
	extents_close(x);
}

TEST(a_full_cache_evicts_what_was_used_longest_ago)
{
	struct extents_options o = defaults();
	o.max_bytes = 4 * MIB;
	struct fixture *f = set_up(&o, 16 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	for (uint64_t i = 0; i < 4; i++)
		check_read(b, 1 * MIB, i * MIB);
	check_read(b, 100, 0); /* used again */
	check_read(b, 1 * MIB, 10 * MIB);
	CHECK_INT(extents_bytes(f->x), 4 * MIB);
	bucket_slow_counts(f->slow);
	check_read(b, 1 * MIB, 0);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 0);
	check_read(b, 1, 1 * MIB);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 1);
	auto_free char *data = NULL, *map = NULL;
	extents_save(f->x);
	find_files(&data, &map);
	CHECK(disk_bytes(data) <= 4 * MIB + 64 * KIB);
	blob_close(take(b));
	tear_down(f);
}

TEST(objects_of_a_former_process_are_evicted_before_what_is_used_now)
{
	struct extents_options o = defaults();
	o.max_bytes = 4 * MIB;
	cache_whole_object_and_stop(set_up(&o, 3 * MIB));
	struct err e;
	struct fixture *f = start_again(&o, 3 * MIB);
	auto_of(blob) struct blob *b = NULL;
	put_bytes(f->slow, "b/object", 3 * MIB);
	CHECK_OK(bucket_open(f->b, "b/object", &b, &e), &e);
	check_read(b, 3 * MIB, 0);
	CHECK_INT(extents_bytes(f->x), 4 * MIB);
	bucket_slow_counts(f->slow);
	check_read(b, 3 * MIB, 0);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 0);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_lower_limit_is_kept_at_once_by_trim_and_on_opening)
{
	struct err e;
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 8 * MIB);
	struct blob *b = open_object(f);
	check_read(b, 8 * MIB, 0);
	CHECK_OK(extents_trim(f->x, 5 * MIB, &e), &e);
	CHECK_INT(extents_bytes(f->x), 5 * MIB);
	check_read(b, 8 * MIB, 0);
	blob_close(b);
	tear_down(f);
	o.max_bytes = 2 * MIB;
	f = start_again(&o, 8 * MIB);
	CHECK_INT(extents_bytes(f->x), 2 * MIB);
	tear_down(f);
}

TEST(set_max_trims_in_the_background)
{
	struct extents_options o = defaults();
	struct fixture *f = set_up(&o, 8 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	check_read(b, 8 * MIB, 0);
	extents_set_max(f->x, 3 * MIB);
	while (extents_bytes(f->x) > 3 * MIB)
		settle(f);
	check_read(b, 8 * MIB, 0);
	CHECK(extents_bytes(f->x) <= 3 * MIB);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_complete_object_has_a_descriptor_and_stays_while_it_is_open)
{
	struct err e;
	struct extents_options o = defaults();
	o.max_bytes = 6 * MIB;
	struct fixture *f = set_up(&o, 2 * MIB + 9);
	struct blob *b = open_object(f);
	check_read(b, 100, 0);
	CHECK_INT(blob_fd(b), -1);
	check_read(b, b->size, 0);
	int fd = blob_fd(b);
	CHECK(fd >= 0);
	CHECK_INT(extents_trim(f->x, 0, &e), -EBUSY);
	auto_free uint8_t *p = xmalloc(b->size);
	CHECK_INT(file_pread_all(fd, p, b->size, 0), 0);
	CHECK(is_right(p, b->size, 0));
	blob_close(b);
	CHECK_OK(extents_trim(f->x, 0, &e), &e);
	tear_down(f);
}

TEST(a_complete_object_larger_than_half_the_cache_has_no_descriptor)
{
	struct extents_options o = defaults();
	o.max_bytes = 3 * MIB;
	struct fixture *f = set_up(&o, 2 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	check_read(b, b->size, 0);
	CHECK_INT(blob_fd(b), -1);
	blob_close(take(b));
	tear_down(f);
}

static int64_t test_now;

static int64_t fake_now(void *arg)
{
	(void)arg;
	return test_now;
}

TEST(a_directory_that_fails_costs_no_read_and_recovers)
{
	struct extents_options o = defaults();
	struct extents_stats s;
	o.now_us = fake_now;
	struct fixture *f = set_up(&o, 1 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	/* A file size limit fails like a full disk does, and for root too. */
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	struct rlimit all = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
	CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
	check_read(b, 1000, 0);
	check_read(b, 1000, 0);
	extents_stats(f->x, &s);
	CHECK_INT(s.failing, EFBIG);
	CHECK_INT(s.bytes, 0);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 2);
	CHECK(setrlimit(RLIMIT_FSIZE, &all) == 0);
	check_read(b, 1000, 0); /* it is left alone for a while */
	CHECK_INT(extents_bytes(f->x), 0);
	test_now += o.retry_ms * 1000 + 1;
	check_read(b, 1000, 0);
	extents_stats(f->x, &s);
	CHECK_INT(s.failing, 0);
	CHECK_INT(s.bytes, 64 * KIB);
	blob_close(take(b));
	tear_down(f);
}

TEST(a_cached_file_that_is_gone_is_read_from_the_store)
{
	struct extents_options o = defaults();
	auto_free char *data = NULL, *map = NULL;
	o.max_fds = 1;
	struct err e;
	struct fixture *f = set_up(&o, 1 * MIB);
	auto_of(blob) struct blob *b = open_object(f), *other = NULL;
	check_read(b, 1 * MIB, 0);
	extents_save(f->x);
	find_files(&data, &map);
	put_bytes(f->slow, "b/object", 1000);
	CHECK_OK(bucket_open(f->b, "b/object", &other, &e), &e);
	check_read(other, 1000, 0);
	CHECK(unlink(data) == 0);
	check_read(b, 1 * MIB, 0);
	blob_close(take(b));
	blob_close(take(other));
	tear_down(f);
}

TEST(few_descriptors_serve_many_objects)
{
	struct err e;
	struct extents_options o = defaults();
	struct extents_stats s;
	struct blob *blobs[100];
	o.max_fds = 5;
	struct fixture *f = set_up(&o, 1000);
	for (int i = 0; i < 100; i++) {
		auto_free char *name = xasprintf("many/%d", i);
		put_bytes(f->slow, name, 100 * KIB);
		CHECK_OK(bucket_open(f->b, name, &blobs[i], &e), &e);
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 100; i++)
			check_read(blobs[i], 100 * KIB, 0);
	extents_stats(f->x, &s);
	CHECK(s.fds <= 5);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 100);
	for (int i = 0; i < 100; i++)
		blob_close(blobs[i]);
	tear_down(f);
}

TEST(unused_objects_become_stubs_and_come_back)
{
	struct err e;
	struct extents_options o = defaults();
	struct extents_stats s;
	o.save_ms = 1;
	struct fixture *f = set_up(&o, 1 * MIB);
	struct blob *b = open_object(f);
	check_read(b, 1 * MIB, 0);
	blob_close(b);
	do
		extents_stats(f->x, &s);
	while (s.loaded_objects > 0);
	CHECK_INT(s.bytes, 1 * MIB);
	CHECK_INT(s.fds, 0);
	bucket_slow_counts(f->slow);
	b = open_object(f);
	check_read(b, 1 * MIB, 0);
	CHECK_INT(bucket_slow_counts(f->slow).reads, 0);
	blob_close(b);
	CHECK_OK(extents_trim(f->x, 0, &e), &e);
	do
		extents_stats(f->x, &s);
	while (s.objects > 0);
	tear_down(f);
}

TEST(small_objects_and_files_go_past_the_cache)
{
	struct err e;
	struct extents_options o = defaults();
	o.min_object_bytes = 1000;
	struct fixture *f = set_up(&o, 999);
	auto_of(blob) struct blob *b = open_object(f);
	check_read(b, 999, 0);
	CHECK_INT(extents_bytes(f->x), 0);
	blob_close(take(b));
	CHECK_OK(bucket_remove(f->b, "a/object", &e), &e);
	tear_down(f);
}

TEST(bad_options_are_refused)
{
	struct err e;
	struct extents *x = NULL;
	struct extents_options o = defaults();
	o.block_bytes = 100000;
	CHECK_INT(extents_open(&o, &x, &e), -EINVAL);
	o = defaults();
	o.part_bytes = 8 * MIB;
	CHECK_INT(extents_open(&o, &x, &e), -EINVAL);
	o = defaults();
	o.dir = "/proc/nowhere";
	CHECK(extents_open(&o, &x, &e) < 0);
	CHECK_HAS(e.msg, "/proc/nowhere");
}

TEST(metrics_and_json_tell_what_happened)
{
	struct extents_options o = defaults();
	auto_buf struct buf metrics = { 0 }, json = { 0 };
	struct json_writer w;
	struct fixture *f = set_up(&o, 1 * MIB);
	auto_of(blob) struct blob *b = open_object(f);
	check_read(b, 1 * MIB, 0);
	check_read(b, 1 * MIB, 0);
	metrics_render(&metrics);
	CHECK_HAS(buf_str(&metrics), "thanosfs_extents_bytes 1048576\n");
	CHECK_HAS(buf_str(&metrics), "thanosfs_extents_hits_bytes_total 1048576\n");
	CHECK_HAS(buf_str(&metrics), "thanosfs_extents_fetched_bytes_total 1048576\n");
	CHECK_HAS(buf_str(&metrics), "thanosfs_extents_fetches_total{for=\"read\"} 1\n");
	CHECK_HAS(buf_str(&metrics), "thanosfs_extents_waits_total 1\n");
	json_writer_init(&w, &json, 0);
	json_write_object(&w);
	extents_write_json(f->x, &w);
	json_write_object_end(&w);
	CHECK_HAS(buf_str(&json), "\"bytes\":1048576");
	blob_close(take(b));
	tear_down(f);
}

TEST_MAIN()
