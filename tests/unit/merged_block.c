/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/merged_block.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/tsdb/chunk.h"
#include "store/bucket_faults.h"
#include "store/bucket_retry.h"
#include "tests/support/test.h"
#include "tests/support/view_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define T0   1699999200000
#define STEP 15000
#define B_MS 5000 /* how much later replica b scrapes */
#define UP   "__name__=up,cluster=eu"

/* The offsets in the values tell the replicas apart: value = t / 1000 + offset. */
#define OFFSET_A 0
#define OFFSET_B 0.5

static struct block_sketch *replica(const char *name)
{
	char external[64];
	snprintf(external, sizeof external, "cluster=eu,replica=%s", name);
	struct block_sketch *s = block_sketch_new((unsigned char)name[0], external);
	sketch_series(s, "__name__=up");
	return s;
}

/* Writes one replica's series of scrapes [0, n) without [from, to). */
static void write_replica(struct view_fixture *f, const char *name, size_t n, size_t from, size_t to)
{
	struct block_sketch *s = replica(name);
	int64_t t = T0 + (name[0] == 'b' ? B_MS : 0);
	double offset = name[0] == 'b' ? OFFSET_B : OFFSET_A;
	struct sample_list list = { 0 };
	for (size_t i = 0; i < n; i++) {
		int64_t at = t + (int64_t)i * STEP;
		if (i < from || i >= to)
			vec_push(&list.list, (struct sample){ at, bits_of((double)at / 1000 + offset) });
	}
	sketch_list(s, list.list.data, list.list.len);
	vec_fini(&list.list);
	block_sketch_write(s, f->bucket_dir);
}

static char *in_block(struct view_fixture *f, char name, const char *file)
{
	DIR *d = opendir(f->bucket_dir);
	CHECK(d);
	char *path = NULL;
	for (struct dirent *de; (de = readdir(d));) {
		struct ulid u;
		if (ulid_parse(de->d_name, &u) && u.bytes[15] == (uint8_t)name)
			path = xasprintf("%s/%s/%s", f->bucket_dir, de->d_name, file);
	}
	closedir(d);
	CHECK(path);
	return path;
}

static void flip(const char *path, off_t at)
{
	uint8_t byte;
	int fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK_INT(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	CHECK_INT(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void corrupt_chunk(struct view_fixture *f, char name)
{
	auto_free char *path = in_block(f, name, "chunks/000001");
	flip(path, 30);
}

/* How many samples are b's. */
static size_t of_b(const struct merged_series *s)
{
	size_t n = 0;
	vec_each (x, &s->samples.list)
		n += value_of(x->v) == (double)x->t / 1000 + OFFSET_B;
	return n;
}

static size_t of_a(const struct merged_series *s)
{
	size_t n = 0;
	vec_each (x, &s->samples.list)
		n += value_of(x->v) == (double)x->t / 1000 + OFFSET_A;
	return n;
}

static bool is_same_series(const struct merged_series *a, const struct merged_series *b)
{
	size_t n = a->samples.list.len;
	return n == b->samples.list.len &&
	       (n == 0 || !memcmp(a->samples.list.data, b->samples.list.data, n * sizeof(struct sample)));
}

/* Opens, syncs and reads the series of the only block. */
static struct merged_series sync_and_read(struct view_fixture *f)
{
	struct merged_series s;
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	merged_series_read(b, UP, &s);
	merged_block_unref(b);
	return s;
}

static char *local_path(struct view_fixture *f, const char *file)
{
	struct merged_block *b = view_fixture_block(f, 0, 1);
	char *path = xasprintf("%s/%s", merged_block_dir(b), file);
	merged_block_unref(b);
	return path;
}

TEST(a_gap_of_the_base_is_filled_by_the_other_replica)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 40, 60);
	write_replica(f, "b", 100, 50, 50);
	struct merged_series s = sync_and_read(f);
	CHECK_INT(of_a(&s), 80);
	CHECK_INT(of_b(&s), 20);
	CHECK_INT(s.samples.list.len, 100);
	CHECK(!s.incomplete);
	for (size_t i = 1; i < s.samples.list.len; i++)
		CHECK(s.samples.list.data[i].t - s.samples.list.data[i - 1].t <= STEP + B_MS);
	merged_series_fini(&s);
	view_fixture_free(f);
}

TEST(a_base_without_a_gap_is_served_as_its_own_frame)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 0, 0);
	write_replica(f, "b", 100, 0, 0);
	struct merged_series s = sync_and_read(f);
	CHECK_INT(of_a(&s), 100);
	CHECK_INT(s.samples.list.len, 100);
	merged_series_fini(&s);
	view_fixture_free(f);
}

TEST(a_corrupt_base_chunk_gives_the_other_replicas_samples)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 0, 0);
	write_replica(f, "b", 100, 0, 0);
	corrupt_chunk(f, 'a');
	uint64_t before = metric_value("thanosfs_chunks_corrupt_total");
	struct merged_series s = sync_and_read(f);
	CHECK_INT(of_b(&s), 100);
	CHECK_INT(s.samples.list.len, 100);
	CHECK(!s.incomplete);
	CHECK_INT(metric_value("thanosfs_chunks_corrupt_total") - before, 1);
	merged_series_fini(&s);
	view_fixture_free(f);
}

TEST(where_every_replica_is_corrupt_there_are_zeros_and_they_are_counted)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 0, 0);
	write_replica(f, "b", 100, 0, 0);
	corrupt_chunk(f, 'a');
	corrupt_chunk(f, 'b');
	uint64_t before = metric_value("thanosfs_slots_without_data_total");
	struct merged_series s = sync_and_read(f);
	CHECK_INT(s.zeros, 1);
	CHECK_INT(s.samples.list.len, 0);
	CHECK(!s.incomplete); /* another try would find the same */
	CHECK_INT(metric_value("thanosfs_slots_without_data_total") - before, 1);
	uint64_t made = metric_value("thanosfs_slots_made_total");
	struct merged_series again = sync_and_read(f);
	CHECK_INT(again.zeros, 1);
	CHECK_INT(metric_value("thanosfs_slots_made_total"), made);
	merged_series_fini(&s);
	view_fixture_free(f);
}

/* Puts a layer of faults over the fixture's bucket; its bucket_fault can't be used any more. */
static struct bucket *spoil(struct view_fixture *f, const char *plan)
{
	struct err e;
	struct faults_options o = { 0 };
	CHECK_OK(fault_plan_parse(plan, &o.plan, &e), &e);
	f->bucket = bucket_faults_new(f->bucket, &o);
	bucket_faults_enable(f->bucket, false);
	return f->bucket;
}

TEST(bytes_that_are_wrong_on_the_way_once_are_fetched_again)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 0, 0);
	write_replica(f, "b", 100, 0, 0);
	struct bucket *faults = spoil(f, "seed=2,read.corrupt=0.5");
	uint64_t corrupt = metric_value("thanosfs_chunks_corrupt_total");
	unsigned whole = 0, reread = 0;
	for (int i = 0; i < 40; i++) {
		view_fixture_sync(f);
		struct merged_block *b = view_fixture_block(f, 0, 1);
		merged_block_discard_made(b, 0);
		merged_block_unref(b);
		view_fixture_open(f); /* forgets what is in memory */
		view_fixture_sync(f);
		uint64_t before = metric_value("thanosfs_chunks_reread_total");
		bucket_faults_enable(faults, true);
		struct merged_series s = sync_and_read(f);
		bucket_faults_enable(faults, false);
		CHECK(s.incomplete || (of_a(&s) == 100 && s.samples.list.len == 100));
		whole += !s.incomplete;
		reread += metric_value("thanosfs_chunks_reread_total") > before;
		/* What was not whole was not kept. */
		struct merged_series again = sync_and_read(f);
		CHECK(!again.incomplete && of_a(&again) == 100);
		merged_series_fini(&s);
		merged_series_fini(&again);
	}
	CHECK(whole >= 10 && whole < 40 && reread > 5);
	CHECK_INT(metric_value("thanosfs_chunks_corrupt_total"), corrupt);
	view_fixture_free(f);
}

TEST(a_read_of_many_chunks_is_answered_within_its_deadline)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 3000, 0, 0);
	write_replica(f, "b", 3000, 0, 0);
	f->read_deadline_ms = 300;
	struct bucket *faults = spoil(f, "read.stall=1:1m");
	struct retry_options retry = RETRY_DEFAULTS;
	f->bucket = bucket_retry_new(faults, &retry);
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	uint64_t size;
	size_t file = merged_file_number(b, "chunks/000001", &size);
	auto_buf struct buf bytes = { 0 };
	struct merged_range range;
	bucket_faults_enable(faults, true);
	int64_t begin = clock_monotonic_us();
	merged_block_read(b, file, 128 << 10, 128 << 10, &bytes, &range);
	/* One stall that ends with the deadline; a machine that is busy adds to it, but not once a chunk. */
	CHECK(clock_monotonic_us() - begin >= 300000);
	CHECK(range.incomplete);
	CHECK_INT(bucket_faults_count(faults), 1);
	merged_block_range_done(b, file, &range);
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(sources_that_cant_be_had_now_give_zeros_that_are_not_kept)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 0, 0);
	write_replica(f, "b", 100, 0, 0);
	view_fixture_sync(f);
	bucket_fault_set(f->bucket, FAULT_OPEN, "chunks", -ETIMEDOUT, FAULT_ALWAYS);
	struct merged_series s = sync_and_read(f);
	CHECK_INT(s.zeros, 1);
	CHECK(s.incomplete);
	bucket_fault_set(f->bucket, FAULT_OPEN, "", 0, 0);
	struct merged_series again = sync_and_read(f);
	CHECK_INT(of_a(&again), 100);
	CHECK(!again.incomplete);
	merged_series_fini(&again);
	view_fixture_free(f);
}

TEST(a_slot_that_lacks_a_source_is_zeros_and_whole_the_next_time)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 0, 0);
	write_replica(f, "b", 100, 0, 0);
	view_fixture_sync(f);
	auto_free char *path = in_block(f, 'a', "chunks");
	bucket_fault_set(f->bucket, FAULT_READ, path + strlen(f->bucket_dir) + 1, -EIO, 1);
	struct merged_series s = sync_and_read(f);
	CHECK_INT(s.zeros, 1);
	CHECK_INT(s.samples.list.len, 0);
	CHECK(s.incomplete);
	struct merged_series again = sync_and_read(f);
	CHECK_INT(of_a(&again), 100);
	CHECK(!again.incomplete);
	/* Now it is kept, and the bucket is not asked again. */
	bucket_fault_set(f->bucket, FAULT_READ, "", -EIO, FAULT_ALWAYS);
	struct merged_series kept = sync_and_read(f);
	CHECK(is_same_series(&again, &kept));
	CHECK(!kept.incomplete);
	merged_series_fini(&s);
	merged_series_fini(&again);
	merged_series_fini(&kept);
	view_fixture_free(f);
}

TEST(a_source_segment_that_cant_be_had_is_zeros_without_an_error)
{
	struct view_fixture *f = view_fixture_new();
	auto_buf struct buf bytes = { 0 };
	write_replica(f, "a", 100, 0, 0);
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	bucket_fault_set(f->bucket, FAULT_OPEN, "chunks", -ECONNREFUSED, 1);
	CHECK(!merged_file_read(b, "chunks/000001", &bytes));
	for (size_t i = 0; i < bytes.len; i++)
		CHECK_INT(bytes.data[i], 0);
	buf_reset(&bytes);
	CHECK(merged_file_read(b, "chunks/000001", &bytes));
	CHECK_INT(bytes.data[0], 0x85);
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(what_one_replica_alone_has_is_the_sources_bytes)
{
	struct view_fixture *f = view_fixture_new();
	auto_buf struct buf got = { 0 }, want = { 0 };
	struct err e;
	write_replica(f, "a", 1000, 300, 310);
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	auto_free char *path = in_block(f, 'a', "chunks/000001");
	CHECK_OK(file_read(path, 1 << 20, &want, &e), &e);
	CHECK(merged_file_read(b, "chunks/000001", &got));
	CHECK_INT(got.len, want.len);
	CHECK(!memcmp(got.data, want.data, got.len));
	struct merged_series s = sync_and_read(f);
	CHECK_INT(of_a(&s), 990);
	merged_series_fini(&s);
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(deleted_chunks_are_gone_and_partly_deleted_ones_lack_what_was_deleted)
{
	struct view_fixture *f = view_fixture_new();
	struct block_sketch *a = replica("a");
	sketch_floats(a, T0, STEP, 360, OFFSET_A);          /* three chunks */
	sketch_delete(a, T0 - 100, T0 + 119 * STEP);        /* the first */
	sketch_delete(a, T0 + 150 * STEP, T0 + 159 * STEP); /* ten samples of the second */
	block_sketch_write(a, f->bucket_dir);
	struct merged_series s = sync_and_read(f);
	CHECK_INT(s.chunks, 2);
	CHECK_INT(s.samples.list.len, 230);
	vec_each (x, &s.samples.list) {
		CHECK(x->t >= T0 + 120 * STEP);
		CHECK(x->t < T0 + 150 * STEP || x->t > T0 + 159 * STEP);
	}
	merged_series_fini(&s);
	view_fixture_free(f);
}

TEST(what_one_replica_had_deleted_the_other_fills)
{
	struct view_fixture *f = view_fixture_new();
	struct block_sketch *a = replica("a");
	sketch_floats(a, T0, STEP, 120, OFFSET_A);
	sketch_delete(a, T0 + 50 * STEP, T0 + 59 * STEP);
	block_sketch_write(a, f->bucket_dir);
	write_replica(f, "b", 120, 0, 0);
	struct merged_series s = sync_and_read(f);
	CHECK_INT(of_a(&s), 110);
	CHECK_INT(of_b(&s), 10);
	merged_series_fini(&s);
	view_fixture_free(f);
}

TEST(tombstones_that_cant_be_read_again_hide_the_chunk_for_now)
{
	struct view_fixture *f = view_fixture_new();
	struct block_sketch *a = replica("a");
	sketch_floats(a, T0, STEP, 120, OFFSET_A);
	sketch_delete(a, T0 + 50 * STEP, T0 + 59 * STEP);
	block_sketch_write(a, f->bucket_dir);
	view_fixture_sync(f);
	bucket_fault_set(f->bucket, FAULT_OPEN, "tombstones", -EIO, FAULT_ALWAYS);
	struct merged_series s = sync_and_read(f);
	CHECK_INT(s.zeros, 1);
	CHECK(s.incomplete);
	bucket_fault_set(f->bucket, FAULT_OPEN, "", 0, 0);
	struct merged_series again = sync_and_read(f);
	CHECK_INT(again.samples.list.len, 110);
	merged_series_fini(&again);
	view_fixture_free(f);
}

TEST(a_marker_of_the_base_goes_where_another_replica_goes_on)
{
	struct view_fixture *f = view_fixture_new();
	struct block_sketch *a = replica("a");
	struct sample_list list = { 0 };
	for (int i = 0; i < 100; i++)
		if (i <= 40 || i >= 60)
			vec_push(&list.list,
				(struct sample){ T0 + i * STEP,
					i == 40 ? STALE_NAN_BITS : bits_of((double)(T0 + i * STEP) / 1000) });
	sketch_list(a, list.list.data, list.list.len);
	vec_fini(&list.list);
	block_sketch_write(a, f->bucket_dir);
	write_replica(f, "b", 100, 0, 0);
	struct merged_series s = sync_and_read(f);
	vec_each (x, &s.samples.list)
		CHECK(x->v != STALE_NAN_BITS);
	CHECK_INT(of_a(&s), 80);
	CHECK(of_b(&s) >= 20 && of_b(&s) <= 21);
	merged_series_fini(&s);
	view_fixture_free(f);
}

TEST(the_marker_at_the_end_of_both_replicas_stays)
{
	struct view_fixture *f = view_fixture_new();
	for (int r = 0; r < 2; r++) {
		struct block_sketch *s = replica(r ? "b" : "a");
		struct sample_list list = { 0 };
		for (int i = 0; i <= 50; i++) {
			int64_t t = T0 + i * STEP + r * B_MS;
			bool miss = r == 0 && i >= 20 && i < 25;
			if (!miss)
				vec_push(&list.list, (struct sample){ t, i == 50 ? STALE_NAN_BITS
										 : bits_of((double)t / 1000 +
											   r * OFFSET_B) });
		}
		sketch_list(s, list.list.data, list.list.len);
		vec_fini(&list.list);
		block_sketch_write(s, f->bucket_dir);
	}
	struct merged_series s = sync_and_read(f);
	CHECK_INT(s.samples.list.len, 51);
	CHECK(s.samples.list.data[50].v == STALE_NAN_BITS);
	CHECK_INT(s.samples.list.data[50].t, T0 + 50 * STEP);
	CHECK_INT(of_b(&s), 5);
	merged_series_fini(&s);
	view_fixture_free(f);
}

TEST(native_histograms_of_both_kinds_merge_as_whole_samples)
{
	for (int is_float = 0; is_float < 2; is_float++) {
		struct view_fixture *f = view_fixture_new();
		struct block_sketch *a = replica("a"), *b = replica("b");
		sketch_histograms(a, is_float, HISTOGRAM_UNKNOWN_RESET, T0, STEP, 40, 10, 1, OFFSET_A);
		sketch_histograms(
			a, is_float, HISTOGRAM_UNKNOWN_RESET, T0 + 60 * STEP, STEP, 40, 70, 1, OFFSET_A);
		sketch_histograms(b, is_float, HISTOGRAM_UNKNOWN_RESET, T0 + 30 * STEP + B_MS, STEP, 40, 40,
			1, OFFSET_B);
		block_sketch_write(a, f->bucket_dir);
		block_sketch_write(b, f->bucket_dir);
		struct merged_series s = sync_and_read(f);
		CHECK_INT(of_a(&s), 80);
		CHECK_INT(of_b(&s), 20);
		for (unsigned i = 0; i < s.chunks; i++)
			CHECK_INT(s.encodings[i], is_float ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM);
		merged_series_fini(&s);
		view_fixture_free(f);
		struct err e;
		CHECK_OK(file_remove_tree(f->bucket_dir, &e), &e);
		CHECK_OK(file_remove_tree(f->data_dir, &e), &e);
	}
}

/* Reads, syncs and reads again until nothing is news; the series then. */
static struct merged_series settle(struct view_fixture *f, unsigned *rounds)
{
	struct merged_series s = sync_and_read(f);
	for (*rounds = 0; view_has_news(f->view); ++*rounds) {
		CHECK(*rounds < 5);
		merged_series_fini(&s);
		s = sync_and_read(f);
	}
	return s;
}

TEST(floats_and_histograms_in_one_slot_become_chunks_of_their_own)
{
	struct view_fixture *f = view_fixture_new();
	struct block_sketch *a = replica("a"), *b = replica("b");
	/* One chunk of a with a hole, in which b has histograms. */
	struct sample_list list = { 0 };
	for (int i = 0; i < 100; i++)
		if (i < 40 || i >= 60)
			vec_push(&list.list,
				(struct sample){ T0 + i * STEP, bits_of((double)(T0 + i * STEP) / 1000) });
	sketch_list(a, list.list.data, list.list.len);
	vec_fini(&list.list);
	sketch_histograms(
		b, false, HISTOGRAM_UNKNOWN_RESET, T0 + 30 * STEP + B_MS, STEP, 40, 10, 1, OFFSET_B);
	block_sketch_write(a, f->bucket_dir);
	block_sketch_write(b, f->bucket_dir);
	struct merged_series first = sync_and_read(f);
	CHECK_INT(
		of_a(&first), first.samples.list.len); /* the base's alone until the window is merged again */
	CHECK(view_has_news(f->view));
	unsigned rounds;
	struct merged_series s = settle(f, &rounds);
	CHECK_INT(s.chunks, 3);
	CHECK_INT(s.encodings[0], CHUNK_XOR);
	CHECK_INT(s.encodings[1], CHUNK_HISTOGRAM);
	CHECK_INT(s.encodings[2], CHUNK_XOR);
	CHECK_INT(of_a(&s), 80);
	CHECK_INT(of_b(&s), 20);
	merged_series_fini(&first);
	merged_series_fini(&s);
	view_fixture_free(f);
}

TEST(a_counter_reset_of_histograms_inside_a_slot_starts_a_chunk)
{
	struct view_fixture *f = view_fixture_new();
	struct block_sketch *a = replica("a"), *b = replica("b");
	/* The target restarts at sample 40, which a misses. */
	sketch_histograms(a, false, HISTOGRAM_UNKNOWN_RESET, T0, STEP, 30, 1000, 1, OFFSET_A);
	sketch_histograms(b, false, HISTOGRAM_UNKNOWN_RESET, T0 + B_MS, STEP, 40, 1000, 1, OFFSET_B);
	sketch_histograms(b, false, HISTOGRAM_UNKNOWN_RESET, T0 + 40 * STEP + B_MS, STEP, 20, 1, 1, OFFSET_B);
	sketch_histograms(a, false, HISTOGRAM_UNKNOWN_RESET, T0 + 50 * STEP, STEP, 50, 11, 1, OFFSET_A);
	block_sketch_write(a, f->bucket_dir);
	block_sketch_write(b, f->bucket_dir);
	unsigned rounds;
	struct merged_series s = settle(f, &rounds);
	CHECK_INT(s.samples.list.len, 100);
	CHECK_INT(of_a(&s), 80);
	CHECK_INT(of_b(&s), 20);
	merged_series_fini(&s);
	view_fixture_free(f);
}

/* Pieces of ten scrapes, which a and b have in turn, of values that don't compress. */
static void write_halves(struct view_fixture *f)
{
	uint64_t seed = 1;
	for (int r = 0; r < 2; r++) {
		struct block_sketch *s = replica(r ? "b" : "a");
		struct sample_list list = { 0 };
		for (int i = 0; i < 110; i++)
			if (i / 10 % 2 == r)
				vec_push(&list.list,
					(struct sample){ T0 + i * STEP + r * B_MS, test_random(&seed) >> 2 });
		sketch_list(s, list.list.data, list.list.len);
		vec_fini(&list.list);
		block_sketch_write(s, f->bucket_dir);
	}
}

TEST(a_slot_that_turns_out_too_small_has_the_bases_samples_until_the_next_sync)
{
	struct view_fixture *f = view_fixture_new();
	write_halves(f);
	view_fixture_sync(f);
	CHECK(!view_has_news(f->view));
	struct merged_block *old = view_fixture_block(f, 0, 1);
	uint64_t before = metric_value("thanosfs_slots_overflowed_total");
	struct merged_series s;
	merged_series_read(old, UP, &s);
	CHECK_INT(s.samples.list.len, 60);
	CHECK(!s.incomplete);
	CHECK_INT(metric_value("thanosfs_slots_overflowed_total") - before, 1);
	CHECK(view_has_news(f->view));
	unsigned rounds;
	struct merged_series all = settle(f, &rounds);
	CHECK_INT(rounds, 0);
	CHECK_INT(all.samples.list.len, 110);
	struct merged_block *now = view_fixture_block(f, 0, 1);
	CHECK(ulid_cmp(merged_block_ulid(old), merged_block_ulid(now)) != 0);
	/* What it needs is known to the next process too, under the same name. */
	view_fixture_open(f);
	struct merged_series later = sync_and_read(f);
	CHECK(is_same_series(&all, &later));
	struct merged_block *again = view_fixture_block(f, 0, 1);
	CHECK_INT(ulid_cmp(merged_block_ulid(again), merged_block_ulid(now)), 0);
	merged_block_unref(again);
	merged_block_unref(now);
	merged_block_unref(old);
	merged_series_fini(&s);
	merged_series_fini(&all);
	merged_series_fini(&later);
	view_fixture_free(f);
}

TEST(slots_whose_bits_a_crash_lost_are_made_again_to_the_same_bytes)
{
	struct view_fixture *f = view_fixture_new();
	auto_buf struct buf first = { 0 }, again = { 0 };
	write_replica(f, "a", 1000, 200, 250);
	write_replica(f, "b", 1000, 0, 0);
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	CHECK(merged_file_read(b, "chunks/000001", &first));
	merged_block_unref(b);
	auto_free char *bits = local_path(f, "segment-0.made");
	view_fixture_close(f);
	CHECK(file_exists(bits));
	CHECK_INT(unlink(bits), 0);
	uint64_t made = metric_value("thanosfs_slots_made_total");
	view_fixture_sync(f);
	b = view_fixture_block(f, 0, 1);
	CHECK(merged_file_read(b, "chunks/000001", &again));
	CHECK(metric_value("thanosfs_slots_made_total") > made);
	CHECK_INT(again.len, first.len);
	CHECK(!memcmp(again.data, first.data, first.len));
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(made_slots_are_kept_from_process_to_process)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 1000, 200, 250);
	write_replica(f, "b", 1000, 0, 0);
	struct merged_series s = sync_and_read(f);
	uint64_t made = metric_value("thanosfs_slots_made_total");
	view_fixture_open(f);
	struct merged_series again = sync_and_read(f);
	CHECK(is_same_series(&s, &again));
	CHECK_INT(metric_value("thanosfs_slots_made_total"), made);
	merged_series_fini(&s);
	merged_series_fini(&again);
	view_fixture_free(f);
}

TEST(open_files_go_on_when_their_sources_are_deleted)
{
	struct view_fixture *f = view_fixture_new();
	struct err e;
	uint64_t size;
	auto_buf struct buf bytes = { 0 };
	write_replica(f, "a", 1000, 200, 250);
	write_replica(f, "b", 1000, 0, 0);
	struct block_sketch *other = block_sketch_new(7, "cluster=us,replica=a");
	sketch_series(other, "__name__=up");
	sketch_floats(other, T0, STEP, 500, 0);
	block_sketch_write(other, f->bucket_dir);
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	const char *const files[] = { "index", "chunks/000001", "chunks/000002" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		merged_block_file_opened(b, merged_file_number(b, files[i], &size));
	CHECK_OK(file_remove_tree(f->bucket_dir, &e), &e);
	CHECK_OK(file_mkdirs(f->bucket_dir, 0755, &e), &e);
	view_fixture_sync(f);
	struct merged_series s, us;
	merged_series_read(b, UP, &s);
	CHECK_INT(s.samples.list.len, 1000);
	CHECK(!s.incomplete);
	merged_series_read(b, "__name__=up,cluster=us", &us);
	CHECK_INT(us.samples.list.len, 500);
	CHECK(merged_file_read(b, "chunks/000001", &bytes));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		merged_block_file_closed(b, merged_file_number(b, files[i], &size));
	merged_series_fini(&s);
	merged_series_fini(&us);
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(a_block_at_rest_lets_go_of_its_files_and_takes_them_up_again)
{
	struct view_fixture *f = view_fixture_new();
	struct merged_range range;
	auto_buf struct buf none = { 0 };
	uint64_t size;
	write_replica(f, "a", 100, 20, 25);
	write_replica(f, "b", 100, 0, 0);
	struct merged_series s = sync_and_read(f), again;
	struct merged_block *b = view_fixture_block(f, 0, 1);
	size_t file = merged_file_number(b, "chunks/000001", &size);
	merged_block_read(b, file, size - 10, 100, &none, &range);
	CHECK_INT(range.n, 10);
	CHECK(range.fd >= 0);
	CHECK(merged_block_is_open(b));
	merged_block_rest(b, INT64_MAX); /* not while a range is held */
	uint8_t byte;
	CHECK_INT(file_pread_all(range.fd, &byte, 1, range.fd_at), 0);
	merged_block_range_done(b, file, &range);
	CHECK(!merged_block_is_open(b));
	merged_block_rest(b, INT64_MAX);
	CHECK_INT(fcntl(range.fd, F_GETFD), -1);
	merged_series_read(b, UP, &again);
	CHECK(is_same_series(&s, &again));
	merged_series_fini(&s);
	merged_series_fini(&again);
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(reads_end_at_the_files_end)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 0, 0);
	write_replica(f, "b", 100, 0, 0);
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	const char *const names[] = { "meta.json", "tombstones", "index", "chunks/000001" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct merged_range r;
		auto_buf struct buf out = { 0 };
		uint64_t size;
		size_t file = merged_file_number(b, names[i], &size);
		merged_block_read(b, file, size, 10, &out, &r);
		CHECK_INT(r.n, 0);
		merged_block_range_done(b, file, &r);
		merged_block_read(b, file, UINT64_MAX, SIZE_MAX, &out, &r);
		CHECK_INT(r.n, 0);
		merged_block_range_done(b, file, &r);
		merged_block_read(b, file, size - 1, 4096, &out, &r);
		CHECK_INT(r.n, 1);
		merged_block_range_done(b, file, &r);
		merged_block_read(b, 99, 0, 10, &out, &r);
		CHECK_INT(r.n, 0);
		merged_block_range_done(b, 99, &r);
	}
	CHECK(!merged_block_is_open(b));
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(extended_attributes_name_the_sources_and_their_labels)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 100, 0, 0);
	write_replica(f, "b", 100, 0, 0);
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	auto_buf struct buf sources = { 0 }, labels = { 0 }, resolution = { 0 };
	CHECK_INT(merged_block_xattr(b, "user.thanosfs.sources", &sources), 0);
	CHECK_INT(strlen(buf_str(&sources)), 2 * ULID_CHARS + 1);
	CHECK_INT(merged_block_xattr(b, "user.thanosfs.labels", &labels), 0);
	CHECK_STR(buf_str(&labels), "{cluster=\"eu\",replica=\"a\"}\n{cluster=\"eu\",replica=\"b\"}");
	CHECK_INT(merged_block_xattr(b, "user.thanosfs.resolution", &resolution), 0);
	CHECK_STR(buf_str(&resolution), "0");
	CHECK_INT(merged_block_xattr(b, "user.other", &labels), -ENODATA);
	merged_block_unref(b);
	view_fixture_free(f);
}

/* Reading must give what it gave before the damage, or an explicit nothing that is not kept. */
static void check_damaged(struct view_fixture *f, const struct merged_series *want, const char *file, long at)
{
	struct merged_series got = sync_and_read(f);
	if (!is_same_series(want, &got) && !(got.zeros && got.samples.list.len == 0))
		test_fail(__FILE__, __LINE__, "%s with byte %ld changed gives other samples", file, at);
	merged_series_fini(&got);
}

static void damage_each_byte(const char *name, size_t step)
{
	struct view_fixture *f = view_fixture_new();
	struct stat st;
	write_replica(f, "a", 300, 100, 130);
	write_replica(f, "b", 300, 0, 0);
	struct merged_series want = sync_and_read(f);
	CHECK_INT(want.samples.list.len, 300);
	auto_free char *path = local_path(f, name);
	view_fixture_close(f);
	CHECK_INT(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at += (off_t)step) {
		flip(path, at);
		check_damaged(f, &want, name, at);
		view_fixture_close(f);
		/* The next process finds the damage, whatever it was, and has all of it again. */
		struct merged_series healed = sync_and_read(f);
		CHECK(is_same_series(&want, &healed));
		merged_series_fini(&healed);
		view_fixture_close(f);
		CHECK_INT(stat(path, &st), 0);
	}
	for (off_t size = 0; size < st.st_size; size += (off_t)(7 * step)) {
		CHECK_INT(truncate(path, size), 0);
		check_damaged(f, &want, name, -size);
		view_fixture_close(f);
		struct merged_series healed = sync_and_read(f);
		CHECK(is_same_series(&want, &healed));
		merged_series_fini(&healed);
		view_fixture_close(f);
	}
	merged_series_fini(&want);
	view_fixture_free(f);
}

TEST(a_damaged_slot_map_never_gives_other_bytes)
{
	damage_each_byte("slots", 1);
}

TEST(a_damaged_block_json_never_gives_other_bytes)
{
	damage_each_byte("block.json", 5);
}

TEST(damaged_bits_of_made_slots_never_give_other_bytes)
{
	damage_each_byte("segment-0.made", 1);
}

TEST(a_segment_file_of_another_length_is_started_anew)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 300, 100, 130);
	write_replica(f, "b", 300, 0, 0);
	struct merged_series want = sync_and_read(f);
	auto_free char *path = local_path(f, "segment-0");
	view_fixture_close(f);
	CHECK_INT(truncate(path, 1000), 0);
	/* Opened, but no slot is made before the process ends. */
	auto_buf struct buf header = { 0 };
	struct merged_range range;
	uint64_t size;
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	size_t file = merged_file_number(b, "chunks/000001", &size);
	merged_block_read(b, file, 0, 8, &header, &range);
	merged_block_range_done(b, file, &range);
	merged_block_unref(b);
	view_fixture_close(f);
	struct merged_series got = sync_and_read(f);
	CHECK(is_same_series(&want, &got));
	CHECK_INT(got.zeros, 0);
	merged_series_fini(&want);
	merged_series_fini(&got);
	view_fixture_free(f);
}

TEST(a_segment_file_without_its_header_is_started_anew)
{
	struct view_fixture *f = view_fixture_new();
	write_replica(f, "a", 300, 100, 130);
	write_replica(f, "b", 300, 0, 0);
	struct merged_series want = sync_and_read(f);
	auto_free char *path = local_path(f, "segment-0");
	view_fixture_close(f);
	flip(path, 1);
	struct merged_series got = sync_and_read(f);
	CHECK(is_same_series(&want, &got));
	auto_buf struct buf bytes = { 0 };
	struct merged_block *b = view_fixture_block(f, 0, 1);
	CHECK(merged_file_read(b, "chunks/000001", &bytes));
	CHECK(!memcmp(bytes.data, "\x85\xbd\x40\xdd\x01\0\0\0", 8));
	merged_block_unref(b);
	merged_series_fini(&want);
	merged_series_fini(&got);
	view_fixture_free(f);
}

TEST_MAIN()
