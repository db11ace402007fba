/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/block_dir.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/tsdb/meta.h"
#include "tests/support/block_sketch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define T0 1700000000000

/* A block of one sample at T0 + at seconds; its directory. */
static char *add_block(unsigned number, int at)
{
	struct block_sketch *b = block_sketch_new(number, "");
	struct sample one = { T0 + at * 1000ll, bits_of(at) };
	sketch_series(b, "__name__=up");
	sketch_list(b, &one, 1);
	return xasprintf("%s/%s", test_dir(), block_sketch_write(b, test_dir()));
}

/* The last bytes of the ULIDs of the blocks that are held. */
static const char *numbers(const struct held_blocks *h, struct buf *out)
{
	buf_reset(out);
	vec_each (b, &h->list)
		buf_printf(out, "%s%u", out->len ? " " : "", (*b)->ulid.bytes[15]);
	return buf_str(out);
}

static const char *hold(struct block_dir *d, int from, int to, int64_t now_us, struct buf *out)
{
	struct err e;
	struct held_blocks h = { 0 };
	CHECK_OK(block_dir_hold(d, T0 + from * 1000ll, T0 + to * 1000ll, now_us, &h, &e), &e);
	numbers(&h, out);
	held_blocks_fini(&h);
	return buf_str(out);
}

TEST(blocks_of_a_range_come_in_the_order_of_their_times)
{
	struct err e;
	auto_of(block_dir) struct block_dir *d = NULL;
	auto_buf struct buf got = { 0 };
	free(add_block(1, 200));
	free(add_block(2, 100));
	free(add_block(3, 300));
	CHECK_OK(block_dir_open(test_dir(), &d, &e), &e);
	int64_t now = clock_monotonic_us();
	CHECK_STR(hold(d, 0, 1000, now, &got), "2 1 3");
	CHECK_STR(hold(d, 100, 200, now, &got), "2 1");
	CHECK_STR(hold(d, 101, 199, now, &got), "");
	CHECK_STR(hold(d, 300, 300, now, &got), "3");
}

TEST(blocks_that_come_and_go_are_noticed_within_a_second)
{
	struct err e;
	auto_of(block_dir) struct block_dir *d = NULL;
	auto_buf struct buf got = { 0 };
	auto_free char *first = add_block(1, 100);
	CHECK_OK(block_dir_open(test_dir(), &d, &e), &e);
	int64_t now = clock_monotonic_us();
	struct held_blocks held = { 0 };
	CHECK_OK(block_dir_hold(d, T0, T0 + 1000000, now, &held, &e), &e);
	CHECK_OK(file_remove_tree(first, &e), &e);
	free(add_block(2, 200));
	CHECK_STR(hold(d, 0, 1000, now, &got), "1");
	CHECK_STR(hold(d, 0, 1000, now + BLOCK_DIR_LOOK_US, &got), "2");
	free(add_block(3, 300));
	CHECK_STR(hold(d, 0, 1000, now + BLOCK_DIR_LOOK_US + 1, &got), "2");
	CHECK_STR(hold(d, 0, 1000, INT64_MAX, &got), "2 3");
	CHECK_STR(numbers(&held, &got), "1"); /* whoever holds it still has it */
	held_blocks_fini(&held);
}

TEST(a_block_is_opened_once)
{
	struct err e;
	auto_of(block_dir) struct block_dir *d = NULL;
	free(add_block(1, 100));
	CHECK_OK(block_dir_open(test_dir(), &d, &e), &e);
	struct held_blocks held = { 0 };
	struct block_read *first, *again;
	CHECK_OK(block_dir_hold(d, T0, T0 + 1000000, 0, &held, &e), &e);
	CHECK_OK(listed_block_open(held.list.data[0], &first, &e), &e);
	held_blocks_fini(&held);
	CHECK_OK(block_dir_hold(d, T0, T0 + 1000000, INT64_MAX, &held, &e), &e);
	CHECK_OK(listed_block_open(held.list.data[0], &again, &e), &e);
	CHECK(first == again);
	held_blocks_fini(&held);
}

TEST(a_block_that_turned_out_to_be_bad_is_opened_anew_after_the_next_look)
{
	struct err e;
	auto_of(block_dir) struct block_dir *d = NULL;
	free(add_block(1, 100));
	CHECK_OK(block_dir_open(test_dir(), &d, &e), &e);
	struct held_blocks held = { 0 }, later = { 0 };
	struct block_read *bad, *anew;
	CHECK_OK(block_dir_hold(d, T0, T0 + 1000000, 0, &held, &e), &e);
	CHECK_OK(listed_block_open(held.list.data[0], &bad, &e), &e);
	listed_block_gave(held.list.data[0], -ECANCELED); /* which is no fault of its */
	CHECK_OK(block_dir_hold(d, T0, T0 + 1000000, INT64_MAX, &later, &e), &e);
	CHECK(later.list.data[0] == held.list.data[0]);
	held_blocks_fini(&later);
	listed_block_gave(held.list.data[0], -EIO);
	CHECK_OK(block_dir_hold(d, T0, T0 + 1000000, 0, &later, &e), &e);
	CHECK(later.list.data[0] == held.list.data[0]);
	held_blocks_fini(&later);
	CHECK_OK(block_dir_hold(d, T0, T0 + 1000000, INT64_MAX, &later, &e), &e);
	CHECK_INT(later.list.len, 1);
	CHECK_OK(listed_block_open(later.list.data[0], &anew, &e), &e);
	CHECK(anew != bad); /* which is open as long as somebody holds it */
	held_blocks_fini(&held);
	held_blocks_fini(&later);
}

/* KiB of a file's mappings that are in this process' memory. */
static unsigned resident(const char *path)
{
	auto_buf struct buf smaps = { 0 };
	struct err e;
	unsigned kib, sum = 0;
	bool is_ours = false;
	CHECK_OK(file_read("/proc/self/smaps", 16 << 20, &smaps, &e), &e);
	for (char *rest, *line = strtok_r((char *)(uintptr_t)buf_str(&smaps), "\n", &rest); line;
		line = strtok_r(NULL, "\n", &rest)) {
		if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
			is_ours = strstr(line, path) != NULL;
		if (is_ours && sscanf(line, "Rss: %u kB", &kib) == 1)
			sum += kib;
	}
	return sum;
}

TEST(pages_that_were_read_are_let_go_where_they_are_many)
{
	struct err e;
	auto_of(block_dir) struct block_dir *d = NULL;
	auto_free char *dir = add_block(1, 0);
	struct held_blocks h = { 0 };
	struct block_read *b;
	struct chunk c;
	CHECK_OK(block_dir_open(test_dir(), &d, &e), &e);
	CHECK_OK(block_dir_hold(d, T0, T0, clock_monotonic_us(), &h, &e), &e);
	CHECK_OK(listed_block_open(h.list.data[0], &b, &e), &e);
	CHECK_OK(block_read_chunk(b, 8, &c, &e), &e);
	CHECK(resident(dir) > 0);
	block_dir_let_go(d);
	CHECK(resident(dir) > 0);
	/* Places behind the segment's end count as what they'd be. */
	for (uint64_t at = BLOCK_READ_STRIDE; at <= BLOCK_DIR_PAGES + BLOCK_READ_STRIDE;
		at += BLOCK_READ_STRIDE) {
		CHECK_INT(block_read_chunk(b, at, &c, &e), -EBADMSG);
		CHECK_INT(block_read_chunk(b, at + 1, &c, &e), -EBADMSG);
	}
	block_dir_let_go(d);
	CHECK_INT(resident(dir), 0);
	CHECK_OK(block_read_chunk(b, 8, &c, &e), &e);
	block_dir_let_go(d);
	CHECK(resident(dir) > 0);
	held_blocks_fini(&h);
}

TEST(what_is_no_block_is_left_out)
{
	struct err e;
	auto_of(block_dir) struct block_dir *d = NULL;
	auto_buf struct buf got = { 0 };
	auto_free char *unreadable = add_block(1, 100), *meta = xasprintf("%s/meta.json", unreadable);
	auto_free char *without = add_block(2, 100), *no_meta = xasprintf("%s/meta.json", without);
	auto_free char *unfinished = add_block(3, 100), *tmp = xasprintf("%s.tmp", unfinished);
	auto_free char *wal = xasprintf("%s/wal", test_dir());
	free(add_block(4, 100));
	CHECK_OK(file_replace(meta, "{", 1, &e), &e);
	CHECK_INT(unlink(no_meta), 0);
	CHECK_INT(rename(unfinished, tmp), 0);
	CHECK_OK(file_mkdirs(wal, 0755, &e), &e);
	CHECK_OK(block_dir_open(test_dir(), &d, &e), &e);
	CHECK_STR(hold(d, 0, 1000, 0, &got), "4");
	CHECK_STR(hold(d, 0, 1000, INT64_MAX, &got), "4");
}

TEST(a_block_that_another_one_was_made_from_is_left_out)
{
	struct err e;
	auto_of(block_dir) struct block_dir *d = NULL;
	auto_of(block_meta) struct block_meta *m = NULL;
	auto_buf struct buf json = { 0 }, got = { 0 };
	free(add_block(1, 100));
	auto_free char *child = add_block(2, 100), *path = xasprintf("%s/meta.json", child);
	CHECK_OK(file_read(path, 1 << 20, &json, &e), &e);
	CHECK_OK(block_meta_parse(json.data, json.len, &m, &e), &e);
	struct meta_parent parent = { .ulid = m->ulid, .min_time = T0, .max_time = T0 + 1 };
	parent.ulid.bytes[15] = 1;
	vec_push(&m->compaction.parents, parent);
	buf_reset(&json);
	block_meta_write(m, &json);
	CHECK_OK(file_replace(path, json.data, json.len, &e), &e);
	CHECK_OK(block_dir_open(test_dir(), &d, &e), &e);
	CHECK_STR(hold(d, 0, 1000, 0, &got), "2");
}

TEST(a_directory_that_is_not_there_is_an_error_each_time)
{
	struct err e;
	struct block_dir *d = NULL;
	auto_free char *none = xasprintf("%s/none", test_dir());
	CHECK_INT(block_dir_open(none, &d, &e), -ENOENT);
	CHECK_HAS(e.msg, "none");
	CHECK_OK(file_mkdirs(none, 0755, &e), &e);
	CHECK_OK(block_dir_open(none, &d, &e), &e);
	CHECK_OK(file_remove_tree(none, &e), &e);
	struct held_blocks held = { 0 };
	for (int i = 0; i < 2; i++)
		CHECK_INT(block_dir_hold(d, T0, T0, INT64_MAX, &held, &e), -ENOENT);
	block_dir_close(d);
}

TEST_MAIN()
