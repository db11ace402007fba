/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/block_stats.h"

#include "lib/tsdb/block_source.h"
#include "tests/support/block_sketch.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define T0 1700000000000

/* Metrics a (four series), b and c (one each), instances 1 to 4. */
static const char *write_block(unsigned number, int64_t t)
{
	static const char *const words[] = { "__name__=a,instance=1", "__name__=a,instance=2",
		"__name__=a,instance=30", "__name__=a,instance=4", "__name__=b,instance=30", "__name__=c" };
	struct block_sketch *b = block_sketch_new(number, "");
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		sketch_series(b, words[i]);
		sketch_floats(b, t, 15000, 121, 0); /* two chunks */
	}
	return block_sketch_write(b, test_dir());
}

static const char *print(const struct source_top *t, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < t->n; i++)
		buf_printf(out, "%s%.*s %llu", i ? ", " : "", (int)t->list[i].name.len, t->list[i].name.p,
			(unsigned long long)t->list[i].value);
	return buf_str(out);
}

TEST(lists_are_counted_by_what_they_are_of)
{
	struct err e;
	auto_free char *dir = xasprintf("%s/%s", test_dir(), write_block(1, T0));
	auto_of(block_read) struct block_read *b = NULL;
	auto_of(arena) struct arena *a = arena_new(NULL);
	auto_buf struct buf got = { 0 };
	struct source_stats s;
	CHECK_OK(block_read_open(dir, &b, &e), &e);
	source_stats_init(&s, 3, a);
	CHECK_OK(block_stats(b, a, &s, &e), &e);
	CHECK_INT(s.series, 6);
	CHECK_INT(s.label_pairs, 3 + 4);
	CHECK_STR(print(&s.series_by_metric, &got), "a 4, b 1, c 1");
	CHECK_STR(print(&s.values_by_name, &got), "instance 4, __name__ 3");
	CHECK_STR(print(&s.bytes_by_name, &got), "instance 7, __name__ 6");
	CHECK_STR(print(&s.series_by_pair, &got), "__name__=a 4, instance=30 2, __name__=b 1");
	source_stats_init(&s, 1, a);
	CHECK_OK(block_stats(b, a, &s, &e), &e);
	CHECK_STR(print(&s.series_by_pair, &got), "__name__=a 4");
}

TEST(of_a_directory_the_block_that_ends_last_counts)
{
	struct err e;
	auto_of(series_source) struct series_source *source = NULL;
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct source_stats s;
	CHECK_OK(block_source_open(test_dir(), &source, &e), &e);
	source_stats_init(&s, 3, a);
	CHECK_OK(source->ops->stats(source, a, &s, &e), &e);
	CHECK_INT(s.series, 0);
	CHECK(s.min_time > s.max_time);
	series_source_free(take(source));
	write_block(1, T0 + 7200000);
	write_block(2, T0);
	CHECK_OK(block_source_open(test_dir(), &source, &e), &e);
	CHECK_OK(source->ops->stats(source, a, &s, &e), &e);
	CHECK_INT(s.series, 6);
	CHECK_INT(s.chunks, 12);
	CHECK_INT(s.min_time, T0 + 7200000);
	CHECK_INT(s.max_time, T0 + 7200000 + 120 * 15000);
}

TEST(a_list_that_is_damaged_names_its_block)
{
	struct err e;
	auto_free char *dir = xasprintf("%s/%s", test_dir(), write_block(1, T0));
	auto_free char *index = xasprintf("%s/index", dir);
	auto_of(block_read) struct block_read *b = NULL;
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct source_stats s;
	CHECK_OK(block_read_open(dir, &b, &e), &e);
	source_stats_init(&s, 3, a);
	CHECK_INT(truncate(index, 0), 0);
	CHECK_INT(block_stats(b, a, &s, &e), -EIO);
	CHECK_HAS(e.msg, b->name);
}

TEST_MAIN()
