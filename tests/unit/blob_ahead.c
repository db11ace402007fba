/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/blob_ahead.h"

#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define PART 1000u

/* A blob of a known pattern that holds reads up until `together` are under way, and can fail some. */
struct far_blob {
	struct blob base;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned under_way, most, together, fails;
	atomic_ulong bytes;
	bool *closed;
};

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 31 + at / 255);
}

static int far_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct far_blob *f = (struct far_blob *)b;
	pthread_mutex_lock(&f->lock);
	f->under_way++;
	if (f->under_way > f->most)
		f->most = f->under_way;
	pthread_cond_broadcast(&f->changed);
	while (f->most < f->together)
		pthread_cond_wait(&f->changed, &f->lock);
	f->under_way--;
	bool fails = f->fails > 0;
	f->fails -= fails;
	pthread_mutex_unlock(&f->lock);
	if (fails)
		return err_set(e, -ETIMEDOUT, "far away");
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = pattern(at + i);
	atomic_fetch_add(&f->bytes, n);
	return 0;
}

static void far_close(struct blob *b)
{
	struct far_blob *f = (struct far_blob *)b;
	*f->closed = true;
	free(f);
}

static bool closed;

static struct far_blob *far_new(uint64_t size)
{
	static const struct blob_ops ops = { .read = far_read, .close = far_close };
	struct far_blob *f = xcalloc(1, sizeof *f);
	f->base = (struct blob){ .ops = &ops, .size = size, .name = xstrdup("far") };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->closed = &closed;
	closed = false;
	return f;
}

static struct blob *ahead_of(struct far_blob *f, unsigned parts, unsigned threads)
{
	return blob_ahead_new(&f->base, &(struct blob_ahead_options){ PART, parts, threads });
}

static void check_range(struct blob *b, uint64_t at, size_t n)
{
	struct err e;
	auto_free uint8_t *out = xmalloc(n + 1);
	CHECK_OK(blob_read(b, out, n, at, &e), &e);
	for (size_t i = 0; i < n; i++)
		if (out[i] != pattern(at + i))
			CHECK_INT(out[i], pattern(at + i));
}

TEST(a_blob_reads_from_front_to_back_and_each_part_is_fetched_once)
{
	struct far_blob *f = far_new(100 * PART + 17);
	struct blob *b = ahead_of(f, 4, 3);
	uint64_t at = 0;
	for (size_t n = 1; at < b->size; n = n * 5 % 3001 + 1) {
		size_t piece = MIN_OF(n, (size_t)(b->size - at));
		check_range(b, at, piece);
		at += piece;
	}
	CHECK(atomic_load(&f->bytes) <= b->size + 4096);
	blob_close(b);
	CHECK(closed);
}

TEST(parts_are_fetched_in_parallel_before_anybody_reads)
{
	struct far_blob *f = far_new(50 * PART);
	f->together = 5; /* else the first read would never end */
	struct blob *b = ahead_of(f, 6, 5);
	check_range(b, 0, 10);
	CHECK_INT(f->most, 5);
	blob_close(b);
}

TEST(the_end_is_there_without_moving_the_reader)
{
	struct far_blob *f = far_new(500 * PART);
	struct blob *b = ahead_of(f, 2, 2);
	check_range(b, b->size - 52, 52);
	check_range(b, 0, 3 * PART);
	check_range(b, b->size - 52, 52);
	CHECK(atomic_load(&f->bytes) <= 4096 + 6 * PART);
	blob_close(b);
}

TEST(reads_that_jump_about_are_right_too)
{
	struct far_blob *f = far_new(90 * PART);
	struct blob *b = ahead_of(f, 3, 2);
	for (uint64_t i = 0; i < 200; i++)
		check_range(b, i * 7919 % (89 * PART), 1 + i * 37 % (2 * PART) % (PART + 1));
	blob_close(b);
}

TEST(blobs_of_any_small_size_read_whole)
{
	for (size_t n = 0; n < 12; n++) {
		static const size_t sizes[] = { 0, 1, 999, 1000, 1001, 4095, 4096, 4097, 5000, 8192, 9999,
			10000 };
		struct far_blob *f = far_new(sizes[n]);
		struct blob *b = ahead_of(f, 2, 2);
		check_range(b, 0, sizes[n]);
		blob_close(b);
	}
}

TEST(a_failed_part_fails_the_read_that_needs_it_and_the_next_try_works)
{
	struct far_blob *f = far_new(20 * PART);
	struct err e;
	uint8_t out[64];
	f->fails = 1;
	struct blob *b = ahead_of(f, 1, 1);
	CHECK_INT(blob_read(b, out, 52, b->size - 52, &e), -ETIMEDOUT); /* the end is fetched first */
	CHECK_STR(e.msg, "far away");
	check_range(b, b->size - 52, 52);
	check_range(b, 0, 20 * PART);
	blob_close(b);
}

static void *read_all(void *arg)
{
	struct blob *b = arg;
	for (uint64_t at = 0; at < b->size; at += 333)
		check_range(b, at, MIN_OF((size_t)700, (size_t)(b->size - at)));
	return NULL;
}

TEST(several_readers_at_once_get_what_they_ask_for)
{
	struct far_blob *f = far_new(60 * PART);
	struct blob *b = ahead_of(f, 3, 3);
	pthread_t threads[4];
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, read_all, b), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	blob_close(b);
}

TEST_MAIN()
