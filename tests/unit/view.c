/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/view.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "tests/support/test.h"
#include "tests/support/view_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define T0      1699999200000
#define STEP    15000
#define WINDOW  (120 * STEP)
#define HOUR_MS 3600000
#define UP      "__name__=up,cluster=eu"

/* A block of one replica in window `w`, whose number is 16 * w + replica. */
static char *put_block(struct view_fixture *f, unsigned w, unsigned replica)
{
	char external[64];
	snprintf(external, sizeof external, "cluster=eu,replica=%u", replica);
	struct block_sketch *s = block_sketch_new(16 * w + replica, external);
	sketch_series(s, "__name__=up");
	/* the second scrapes miss some, so that there is something to fill */
	int64_t t = T0 + (int64_t)w * WINDOW + (int64_t)replica * 5000;
	sketch_floats(s, t, STEP, replica ? 100 : 40, replica / 2.0);
	sketch_floats(s, t + 60 * STEP + (replica ? 40 * STEP : 0), STEP, replica ? 10 : 50, replica / 2.0);
	sketch_times(s, T0 + (int64_t)w * WINDOW, T0 + (int64_t)(w + 1) * WINDOW);
	return xasprintf("%s/%s", f->bucket_dir, block_sketch_write(s, f->bucket_dir));
}

static void put_pair(struct view_fixture *f, unsigned w)
{
	free(put_block(f, w, 0));
	free(put_block(f, w, 1));
}

static struct view_fixture *with_windows(unsigned n)
{
	struct view_fixture *f = view_fixture_new();
	for (unsigned w = 0; w < n; w++)
		put_pair(f, w);
	return f;
}

static struct ulid ulid_of(struct view_fixture *f, size_t i, size_t n)
{
	struct merged_block *b = view_fixture_block(f, i, n);
	struct ulid u = *merged_block_ulid(b);
	merged_block_unref(b);
	return u;
}

static void change_byte(const char *block, const char *file, off_t at)
{
	auto_free char *path = xasprintf("%s/%s", block, file);
	int fd = open(path, O_RDWR);
	uint8_t byte;
	CHECK(fd >= 0);
	CHECK_INT(pread(fd, &byte, 1, at), 1);
	byte ^= 0xff;
	CHECK_INT(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void remove_tree(const char *path)
{
	struct err e;
	CHECK_OK(file_remove_tree(path, &e), &e);
}

static size_t samples_of(struct merged_block *b)
{
	struct merged_series s;
	merged_series_read(b, UP, &s);
	size_t n = s.samples.list.len;
	CHECK_INT(s.zeros, 0);
	merged_series_fini(&s);
	return n;
}

TEST(each_window_is_one_block)
{
	struct view_fixture *f = with_windows(3);
	view_fixture_sync(f);
	for (size_t i = 0; i < 3; i++) {
		struct merged_block *b = view_fixture_block(f, i, 3);
		CHECK_INT(merged_block_min_time(b), T0 + (int64_t)i * WINDOW);
		CHECK_INT(merged_block_max_time(b), T0 + (int64_t)(i + 1) * WINDOW);
		CHECK(samples_of(b) >= 105);
		merged_block_unref(b);
	}
	view_fixture_free(f);
}

TEST(two_hosts_give_a_window_the_same_name_and_the_same_bytes)
{
	struct view_fixture *f = with_windows(1);
	auto_buf struct buf first = { 0 }, second = { 0 };
	view_fixture_sync(f);
	struct ulid u = ulid_of(f, 0, 1);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	const char *const files[] = { "meta.json", "index", "chunks/000001" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		CHECK(merged_file_read(b, files[i], &first));
	merged_block_unref(b);
	view_fixture_close(f);
	snprintf(f->data_dir, sizeof f->data_dir, "%s/other-host", test_dir());
	view_fixture_sync(f);
	struct ulid other = ulid_of(f, 0, 1);
	CHECK_INT(ulid_cmp(&u, &other), 0);
	b = view_fixture_block(f, 0, 1);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		CHECK(merged_file_read(b, files[i], &second));
	CHECK_INT(first.len, second.len);
	CHECK(!memcmp(first.data, second.data, first.len));
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(another_function_gives_other_names)
{
	struct view_fixture *f = with_windows(1);
	struct ulid names[3];
	for (unsigned i = 0; i < 3; i++) {
		f->func = (enum dedup_func)i;
		view_fixture_open(f);
		view_fixture_sync(f);
		names[i] = ulid_of(f, 0, 1);
		for (unsigned k = 0; k < i; k++)
			CHECK(ulid_cmp(&names[i], &names[k]) != 0);
	}
	view_fixture_free(f);
}

struct reason {
	const char *want;
	unsigned found;
};

static void look_for(void *arg, const struct ulid *block, const char *reason, const char *detail)
{
	struct reason *r = arg;
	(void)block;
	CHECK(*detail);
	r->found += !strcmp(reason, r->want);
}

TEST(a_corrupt_source_is_left_out_alone_and_named)
{
	static const struct {
		const char *file;
		off_t at;
		const char *reason;
	} cases[] = {
		{ "index", 3, "corrupt-index" },
		{ "index", 15, "corrupt-index" },
		{ "chunks/000001", 0, "corrupt-segment" },
		{ "chunks/000001", 4, "corrupt-segment" },
		{ "tombstones", 4, "corrupt-tombstones" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct view_fixture *f = with_windows(1);
		struct block_sketch *s = block_sketch_new(16, "cluster=eu,replica=0");
		sketch_series(s, "__name__=up");
		sketch_floats(s, T0 + WINDOW, STEP, 50, 0);
		sketch_delete(s, T0 + WINDOW + 3 * STEP, T0 + WINDOW + 4 * STEP);
		auto_free char *bad = xasprintf("%s/%s", f->bucket_dir, block_sketch_write(s, f->bucket_dir));
		free(put_block(f, 1, 1));
		change_byte(bad, cases[i].file, cases[i].at);
		view_fixture_sync(f);
		struct merged_block *b = view_fixture_block(f, 1, 2);
		CHECK_INT(samples_of(b), 110); /* the other replica's alone */
		merged_block_unref(b);
		struct reason r = { cases[i].reason, 0 };
		catalogue_skipped(f->catalogue, look_for, &r);
		CHECK_INT(r.found, 1);
		view_fixture_sync(f); /* and it stays so */
		b = view_fixture_block(f, 0, 2);
		CHECK(samples_of(b) >= 105);
		merged_block_unref(b);
		view_fixture_free(f);
		remove_tree(f->bucket_dir);
		remove_tree(f->data_dir);
	}
}

TEST(a_source_that_cant_be_read_now_is_left_out_until_the_next_sync)
{
	struct view_fixture *f = with_windows(1);
	auto_free char *block = put_block(f, 1, 0);
	auto_free char *index = xasprintf("%s/index", block + strlen(f->bucket_dir) + 1);
	view_fixture_open(f);
	bucket_fault_set(f->bucket, FAULT_OPEN, index, -ETIMEDOUT, 1);
	view_fixture_sync(f);
	ulid_of(f, 0, 1);
	view_fixture_sync(f);
	ulid_of(f, 0, 2);
	view_fixture_free(f);
}

TEST(a_source_that_is_published_and_cant_be_read_now_fails_the_sync)
{
	struct err e;
	struct view_fixture *f = with_windows(1);
	view_fixture_sync(f);
	ulid_of(f, 0, 1);
	free(put_block(f, 0, 2)); /* joins the window, which is merged again */
	bucket_fault_set(f->bucket, FAULT_OPEN, "/index", -ETIMEDOUT, FAULT_ALWAYS);
	CHECK_INT(view_sync(f->view, VIEW_NOW_MS, &e), -ETIMEDOUT);
	CHECK_HAS(e.msg, "/index");
	ulid_of(f, 0, 1);
	bucket_fault_set(f->bucket, FAULT_OPEN, "", 0, 0);
	view_fixture_sync(f);
	view_fixture_free(f);
}

TEST(a_bucket_that_cant_be_listed_leaves_the_published_set)
{
	struct view_fixture *f = with_windows(2);
	struct err e;
	view_fixture_sync(f);
	put_pair(f, 2);
	bucket_fault_set(f->bucket, FAULT_LIST, "", -ECONNREFUSED, FAULT_ALWAYS);
	CHECK_INT(view_sync(f->view, VIEW_NOW_MS, &e), -ECONNREFUSED);
	ulid_of(f, 0, 2);
	auto_buf struct buf status = { 0 };
	view_status_json(f->view, &status);
	CHECK_HAS(buf_str(&status), e.msg);
	bucket_fault_set(f->bucket, FAULT_LIST, "", 0, 0);
	view_fixture_sync(f);
	ulid_of(f, 0, 3);
	view_fixture_free(f);
}

/* Makes the block one that was compacted of itself and the other. */
static void add_source(const char *block, const char *other)
{
	struct err e;
	auto_free char *path = xasprintf("%s/meta.json", block);
	auto_buf struct buf before = { 0 }, after = { 0 };
	CHECK_OK(file_read(path, 1 << 20, &before, &e), &e);
	const char *text = buf_str(&before), *list = strstr(text, "\"sources\":");
	CHECK(list && (list = strchr(list, '[')));
	buf_printf(&after, "%.*s[\"%s\",%s", (int)(list - text), text, strrchr(other, '/') + 1, list + 1);
	int fd = open(path, O_WRONLY | O_TRUNC);
	CHECK_INT(file_write_all(fd, after.data, after.len), 0);
	close(fd);
}

TEST(what_a_compacted_block_has_swallowed_stays_while_that_cant_be_read)
{
	static const int errors[] = { -EBADMSG, -EACCES, -ETIMEDOUT };
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct view_fixture *f = view_fixture_new();
		auto_free char *swallowed = put_block(f, 0, 0);
		view_fixture_sync(f);
		struct ulid before = ulid_of(f, 0, 1);
		struct block_sketch *s = block_sketch_new(16, "cluster=eu,replica=0");
		sketch_series(s, "__name__=up");
		sketch_floats(s, T0, STEP, 119, 0);
		auto_free char *compacted =
			xasprintf("%s/%s", f->bucket_dir, block_sketch_write(s, f->bucket_dir));
		add_source(compacted, swallowed);
		auto_free char *index = xasprintf("%s/index", compacted + strlen(f->bucket_dir) + 1);
		bucket_fault_set(f->bucket, FAULT_OPEN, index, errors[i], FAULT_ALWAYS);
		view_fixture_sync(f);
		struct ulid meanwhile = ulid_of(f, 0, 1);
		CHECK_INT(ulid_cmp(&meanwhile, &before), 0);
		bucket_fault_set(f->bucket, FAULT_OPEN, "", 0, 0);
		for (int k = 0; k < 5; k++)
			view_fixture_sync(f);
		meanwhile = ulid_of(f, 0, 1);
		CHECK(ulid_cmp(&meanwhile, &before) != 0);
		view_fixture_free(f);
		remove_tree(f->bucket_dir);
		remove_tree(f->data_dir);
	}
}

struct publications {
	unsigned times;
	size_t before, after;
	uint64_t generation;
};

static void note_publish(void *arg, const struct view_snapshot *before, const struct view_snapshot *after)
{
	struct publications *p = arg;
	p->times++;
	p->before = before->n;
	p->after = after->n;
	p->generation = after->generation;
}

TEST(a_snapshot_stays_what_it_was_while_the_set_changes)
{
	struct view_fixture *f = with_windows(2);
	struct publications p = { 0 };
	view_fixture_open(f);
	view_on_publish(f->view, note_publish, &p);
	view_fixture_sync(f);
	CHECK_INT(p.times, 1);
	CHECK_INT(p.before, 0);
	CHECK_INT(p.after, 2);
	view_fixture_sync(f);
	CHECK_INT(p.times, 1); /* nothing new */
	struct view_snapshot *old = view_snapshot(f->view);
	free(put_block(f, 2, 0));
	view_fixture_sync(f);
	CHECK_INT(p.times, 2);
	CHECK_INT(p.after, 3);
	CHECK(p.generation > old->generation);
	CHECK_INT(old->n, 2);
	for (size_t i = 0; i < old->n; i++) {
		CHECK(samples_of(old->blocks[i]) >= 105);
		CHECK(view_snapshot_find(old, merged_block_ulid(old->blocks[i])) == old->blocks[i]);
	}
	view_snapshot_unref(old);
	view_fixture_free(f);
}

TEST(a_replaced_block_is_still_found_and_read_but_not_listed)
{
	struct view_fixture *f = view_fixture_new();
	free(put_block(f, 0, 0));
	view_fixture_sync(f);
	struct ulid u = ulid_of(f, 0, 1);
	CHECK(!view_find_lately(f->view, &u));
	free(put_block(f, 0, 1));
	view_fixture_sync(f);
	struct view_snapshot *now = view_snapshot(f->view);
	CHECK(!view_snapshot_find(now, &u));
	view_snapshot_unref(now);
	struct merged_block *old = view_find_any(f->view, &u);
	CHECK(old);
	CHECK_INT(samples_of(old), 90);
	merged_block_unref(old);
	old = view_find_lately(f->view, &u);
	CHECK(old);
	merged_block_unref(old);
	struct ulid unknown = { .bytes = { 1 } };
	CHECK(!view_find_any(f->view, &unknown));
	CHECK(!view_find_lately(f->view, &unknown));
	view_fixture_free(f);
}

TEST(the_next_process_finds_what_this_one_had_replaced)
{
	struct view_fixture *f = view_fixture_new();
	free(put_block(f, 0, 0));
	view_fixture_sync(f);
	struct ulid u = ulid_of(f, 0, 1);
	free(put_block(f, 0, 1));
	view_fixture_sync(f);
	view_fixture_open(f);
	view_fixture_sync(f);
	struct merged_block *old = view_find_any(f->view, &u);
	CHECK(old);
	CHECK_INT(samples_of(old), 90);
	struct merged_block *same = view_find_any(f->view, &u);
	CHECK(same == old);
	merged_block_unref(same);
	merged_block_unref(old);
	view_fixture_free(f);
}

TEST(the_next_process_shows_the_same_set_without_the_bucket)
{
	struct view_fixture *f = with_windows(3);
	struct publications p = { 0 };
	struct err e;
	view_fixture_sync(f);
	free(put_block(f, 3, 0));
	view_fixture_sync(f);
	struct ulid retired, listed[4];
	for (size_t i = 0; i < 4; i++)
		listed[i] = ulid_of(f, i, 4);
	retired = listed[3];
	free(put_block(f, 3, 1));
	view_fixture_sync(f);
	listed[3] = ulid_of(f, 3, 4);

	view_fixture_open(f);
	view_on_publish(f->view, note_publish, &p);
	bucket_fault_set(f->bucket, FAULT_LIST, "", -ECONNREFUSED, FAULT_ALWAYS);
	CHECK_OK(view_restore(f->view, &e), &e);
	for (size_t i = 0; i < 4; i++) {
		struct ulid u = ulid_of(f, i, 4);
		CHECK_INT(ulid_cmp(&u, &listed[i]), 0);
		struct merged_block *b = view_fixture_block(f, i, 4);
		CHECK_INT(merged_block_min_time(b), T0 + (int64_t)i * WINDOW);
		CHECK_INT(merged_block_max_time(b), T0 + (int64_t)(i + 1) * WINDOW);
		CHECK(samples_of(b) >= 105);
		merged_block_unref(b);
	}
	struct merged_block *lately = view_find_lately(f->view, &retired);
	CHECK(lately);
	CHECK_INT(samples_of(lately), 90);
	merged_block_unref(lately);

	bucket_fault_set(f->bucket, FAULT_LIST, "", 0, 0);
	view_fixture_sync(f);
	CHECK_INT(p.times, 0); /* it is the same set */
	auto_buf struct buf labels = { 0 };
	struct merged_block *b = view_fixture_block(f, 0, 4);
	CHECK_INT(merged_block_xattr(b, "user.thanosfs.labels", &labels), 0);
	CHECK_STR(buf_str(&labels), "{cluster=\"eu\",replica=\"0\"}\n{cluster=\"eu\",replica=\"1\"}");
	merged_block_unref(b);
	free(put_block(f, 4, 0));
	view_fixture_sync(f);
	CHECK_INT(p.times, 1);
	CHECK_INT(p.before, 4);
	CHECK_INT(p.after, 5);
	view_fixture_free(f);
}

TEST(a_published_set_that_is_damaged_or_missing_is_not_restored)
{
	struct view_fixture *f = with_windows(1);
	struct err e;
	view_fixture_open(f);
	CHECK_INT(view_restore(f->view, &e), -ENOENT);
	view_fixture_sync(f);
	change_byte(f->data_dir, "published", 20);
	view_fixture_open(f);
	CHECK_INT(view_restore(f->view, &e), -EBADMSG);
	view_fixture_sync(f);
	ulid_of(f, 0, 1);
	view_fixture_open(f);
	CHECK_OK(view_restore(f->view, &e), &e);
	ulid_of(f, 0, 1);
	view_fixture_free(f);
}

TEST(a_set_that_comes_back_is_published_under_its_old_names)
{
	struct view_fixture *f = view_fixture_new();
	free(put_block(f, 0, 0));
	view_fixture_sync(f);
	struct ulid u = ulid_of(f, 0, 1);
	auto_free char *second = put_block(f, 0, 1);
	view_fixture_sync(f);
	struct merged_block *pair = view_fixture_block(f, 0, 1);
	size_t n = samples_of(pair);
	remove_tree(second);
	view_fixture_sync(f);
	struct ulid again = ulid_of(f, 0, 1);
	CHECK_INT(ulid_cmp(&u, &again), 0);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	CHECK_INT(samples_of(b), 90);
	merged_block_unref(b);
	CHECK_INT(samples_of(pair), n); /* from what was made */
	merged_block_unref(pair);
	view_fixture_free(f);
}

TEST(retired_blocks_are_forgotten_after_an_hour_and_their_directories_removed)
{
	struct view_fixture *f = view_fixture_new();
	struct err e;
	free(put_block(f, 0, 0));
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	struct ulid u = *merged_block_ulid(b);
	auto_free char *dir = xstrdup(merged_block_dir(b));
	free(put_block(f, 0, 1));
	view_fixture_sync(f);
	uint64_t size;
	size_t index = merged_file_number(b, "index", &size);
	merged_block_file_opened(b, index);
	int64_t later = clock_unix_ms() + 2 * HOUR_MS;
	CHECK_OK(view_sync(f->view, later, &e), &e);
	struct merged_block *found = view_find_any(f->view, &u); /* open */
	CHECK(found);
	merged_block_unref(found);
	merged_block_file_closed(b, index);
	merged_block_unref(b);
	CHECK_OK(view_sync(f->view, later, &e), &e);
	CHECK(!file_exists(dir));
	CHECK(!view_find_any(f->view, &u));
	ulid_of(f, 0, 1);
	view_fixture_free(f);
}

static void damage_local(struct view_fixture *f, const char *file, off_t size)
{
	struct merged_block *b = view_fixture_block(f, 0, 1);
	auto_free char *path = xasprintf("%s/%s", merged_block_dir(b), file);
	merged_block_unref(b);
	view_fixture_close(f);
	if (size < 0)
		CHECK_INT(unlink(path), 0);
	else
		CHECK_INT(truncate(path, size), 0);
}

TEST(a_local_directory_that_is_damaged_is_merged_again)
{
	static const struct {
		const char *file;
		off_t size; /* -1: gone */
	} cases[] = { { "index", 100 }, { "index", -1 }, { "index", 0 }, { "meta.json", 10 },
		{ "meta.json", 0 }, { "meta.json", -1 }, { "block.json", 20 }, { "block.json", -1 },
		{ "slots", 0 }, { "slots", 50 }, { "slots", -1 }, { "tombstones", -1 } };
	struct view_fixture *f = with_windows(1);
	view_fixture_sync(f);
	struct ulid u = ulid_of(f, 0, 1);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	size_t n = samples_of(b);
	merged_block_unref(b);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		damage_local(f, cases[i].file, cases[i].size);
		view_fixture_sync(f);
		struct ulid again = ulid_of(f, 0, 1);
		CHECK_INT(ulid_cmp(&u, &again), 0);
		b = view_fixture_block(f, 0, 1);
		CHECK_INT(samples_of(b), n);
		merged_block_unref(b);
	}
	view_fixture_free(f);
}

TEST(what_an_interrupted_merge_left_is_no_hindrance)
{
	struct view_fixture *f = with_windows(1);
	struct err e;
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	auto_free char *tmp = xasprintf("%s.tmp/below", merged_block_dir(b));
	merged_block_unref(b);
	CHECK_OK(file_mkdirs(tmp, 0755, &e), &e);
	damage_local(f, "meta.json", -1);
	view_fixture_sync(f);
	b = view_fixture_block(f, 0, 1);
	CHECK(samples_of(b) >= 105);
	CHECK(!file_exists(tmp));
	merged_block_unref(b);
	view_fixture_free(f);
}

TEST(a_damaged_file_of_slot_sizes_costs_no_more_than_learning_them_again)
{
	struct view_fixture *f = with_windows(1);
	struct err e;
	auto_free char *path = xasprintf("%s/slot-overrides", f->data_dir);
	CHECK_OK(file_mkdirs(f->data_dir, 0755, &e), &e);
	CHECK_OK(file_replace(path, "01ARZ3NDEKTSV4RRFFQ69G5FA0 1 2 3\n\0\0\n%s%n", 40, &e), &e);
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	CHECK(samples_of(b) >= 105);
	merged_block_unref(b);
	view_fixture_free(f);
}

static uint64_t made_bytes(struct merged_block *b)
{
	struct stat st;
	auto_free char *path = xasprintf("%s/segment-0", merged_block_dir(b));
	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

TEST(the_limit_of_the_cache_is_kept_and_held_ranges_go_on_being_read)
{
	struct view_fixture *f = with_windows(1);
	struct merged_range range;
	auto_buf struct buf none = { 0 };
	uint64_t size;
	f->cache_max_bytes = 1000;
	view_fixture_sync(f);
	struct merged_block *b = view_fixture_block(f, 0, 1);
	size_t n = samples_of(b), file = merged_file_number(b, "chunks/000001", &size);
	CHECK(made_bytes(b) > 1000);
	merged_block_read(b, file, size - 100, 100, &none, &range);
	CHECK(range.fd >= 0);
	uint8_t before[100], after[100];
	CHECK_INT(file_pread_all(range.fd, before, 100, range.fd_at), 0);
	view_fixture_sync(f);
	CHECK(made_bytes(b) <= 1000);
	CHECK(metric_value("thanosfs_cache_bytes") <= 1000);
	CHECK(metric_value("thanosfs_cache_evicted_bytes_total") > 0);
	CHECK_INT(file_pread_all(range.fd, after, 100, range.fd_at), 0);
	CHECK(!memcmp(before, after, 100));
	merged_block_range_done(b, file, &range);
	CHECK_INT(samples_of(b), n);
	merged_block_unref(b);
	/* What the next process finds is whole, too. */
	view_fixture_open(f);
	view_fixture_sync(f);
	b = view_fixture_block(f, 0, 1);
	CHECK_INT(samples_of(b), n);
	merged_block_unref(b);
	view_fixture_free(f);
}

static void parse(struct buf *text)
{
	struct err e;
	auto_of(json_doc) struct json_doc *doc = NULL;
	CHECK_OK(json_doc_parse("json", text->data, text->len, &doc, &e), &e);
}

TEST(status_and_blocks_are_json_that_tells_what_is_there)
{
	struct view_fixture *f = with_windows(1);
	auto_buf struct buf status = { 0 }, blocks = { 0 };
	auto_free char *bad = put_block(f, 1, 0);
	change_byte(bad, "index", 0);
	view_fixture_sync(f);
	view_status_json(f->view, &status);
	view_blocks_json(f->view, &blocks);
	parse(&status);
	parse(&blocks);
	CHECK_HAS(buf_str(&status), "\"corrupt-index\"");
	CHECK_HAS(buf_str(&status), "\"complete\"");
	CHECK_HAS(buf_str(&blocks), "\"merged_series\": 1");
	CHECK_HAS(buf_str(&blocks), "\"cluster\": \"eu\"");
	view_fixture_free(f);
}

struct readers {
	struct view_fixture *f;
	_Atomic bool stop;
	_Atomic unsigned reads;
};

/* What a reader finds listed must be there to be read, whole. */
static void *read_on(void *arg)
{
	struct readers *r = arg;
	while (!r->stop) {
		struct view_snapshot *s = view_snapshot(r->f->view);
		for (size_t i = 0; i < s->n; i++) {
			struct merged_range range;
			auto_buf struct buf out = { 0 };
			uint64_t size;
			struct merged_block *b = view_find_any(r->f->view, merged_block_ulid(s->blocks[i]));
			CHECK(b);
			size_t file = merged_file_number(b, "chunks/000001", &size);
			merged_block_file_opened(b, file);
			merged_block_read(b, file, size / 2, 4096, &out, &range);
			CHECK(range.n > 0);
			CHECK(!range.incomplete);
			merged_block_range_done(b, file, &range);
			merged_block_file_closed(b, file);
			merged_block_unref(b);
			r->reads++;
		}
		view_snapshot_unref(s);
	}
	return NULL;
}

TEST(readers_and_syncs_meet_without_harm)
{
	struct view_fixture *f = with_windows(2);
	struct readers r = { .f = f };
	pthread_t threads[3];
	struct err e;
	f->cache_max_bytes = 5000;
	view_fixture_sync(f);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, read_on, &r), 0);
	for (unsigned w = 2; w < 8; w++) {
		free(put_block(f, w, 0));
		view_fixture_sync(f);
		free(put_block(f, w, 1));
		CHECK_OK(view_sync(f->view, VIEW_NOW_MS, &e), &e);
		unsigned seen = r.reads;
		while (r.reads < seen + 10)
			sched_yield();
	}
	r.stop = true;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	ulid_of(f, 0, 8);
	view_fixture_free(f);
}

TEST_MAIN()
