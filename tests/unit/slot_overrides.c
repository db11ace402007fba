/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/slot_overrides.h"

#include "lib/base/file.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct slot_part two[] = { { 100, 199, 50 }, { 200, 900, 60 } };

static struct slot_key key_of(uint8_t source, uint64_t ref)
{
	return (struct slot_key){ .source = { .bytes = { source } }, .ref = ref, .from = 100, .to = 1000 };
}

static const char *path(void)
{
	static char p[128];
	snprintf(p, sizeof p, "%s/slot-overrides", test_dir());
	return p;
}

static struct slot_overrides *open_file(void)
{
	struct err e;
	struct slot_overrides *o;
	CHECK_OK(slot_overrides_open(path(), &o, &e), &e);
	return o;
}

static int add(struct slot_overrides *o, uint8_t source, uint64_t ref)
{
	struct err e;
	struct slot_key key = key_of(source, ref);
	int r = slot_overrides_add(o, &key, two, 2, &e);
	CHECK_OK(r, &e);
	return r;
}

static unsigned find(struct slot_overrides *o, uint8_t source, uint64_t ref, struct slot_part *parts)
{
	struct slot_key key = key_of(source, ref);
	return slot_overrides_find(o, &key, parts);
}

static unsigned find_any(struct slot_overrides *o, uint8_t source, uint64_t ref)
{
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS];
	return find(o, source, ref, parts);
}

TEST(parts_are_news_once_and_count_when_they_are_taken_up)
{
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS];
	struct slot_overrides *o = open_file();
	CHECK_INT(add(o, 1, 8), 1);
	CHECK_INT(add(o, 1, 8), 0);
	CHECK_INT(find(o, 1, 8, parts), 0);
	slot_overrides_activate(o);
	CHECK_INT(find(o, 1, 8, parts), 2);
	CHECK_INT(parts[0].mint, 100);
	CHECK_INT(parts[1].maxt, 900);
	CHECK_INT(parts[1].bytes, 60);
	CHECK_INT(find_any(o, 2, 8), 0);
	CHECK_INT(find_any(o, 1, 9), 0);
	slot_overrides_close(o);
}

TEST(the_next_open_knows_what_was_added)
{
	struct slot_overrides *o = open_file();
	for (uint64_t ref = 0; ref < 100; ref++)
		add(o, (uint8_t)(ref % 3), ref * 7 % 100);
	slot_overrides_close(o);
	o = open_file();
	for (uint64_t ref = 0; ref < 100; ref++)
		CHECK_INT(find_any(o, (uint8_t)(ref % 3), ref * 7 % 100), 2);
	slot_overrides_close(o);
}

TEST(a_slot_with_another_end_is_another_slot)
{
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS];
	struct slot_overrides *o = open_file();
	struct slot_key key = key_of(1, 8);
	add(o, 1, 8);
	slot_overrides_activate(o);
	key.to = 999;
	CHECK_INT(slot_overrides_find(o, &key, parts), 0);
	key.to = 1000;
	key.from = 99;
	CHECK_INT(slot_overrides_find(o, &key, parts), 0);
	slot_overrides_close(o);
}

TEST(other_parts_of_a_slot_take_the_place_of_the_first)
{
	struct err e;
	struct slot_part parts[SLOT_OVERRIDE_MAX_PARTS];
	const struct slot_part one = { 100, 900, 500 };
	struct slot_key key = key_of(1, 8);
	struct slot_overrides *o = open_file();
	add(o, 1, 8);
	CHECK_INT(slot_overrides_add(o, &key, &one, 1, &e), 1);
	slot_overrides_close(o);
	o = open_file();
	CHECK_INT(find(o, 1, 8, parts), 1);
	CHECK_INT(parts[0].bytes, 500);
	slot_overrides_close(o);
}

TEST(what_is_no_part_of_the_slot_is_refused)
{
	static const struct slot_part cases[][2] = {
		{ { 99, 150, 1 }, { 200, 300, 1 } },   /* before it */
		{ { 100, 150, 1 }, { 200, 1000, 1 } }, /* behind it */
		{ { 100, 200, 1 }, { 200, 300, 1 } },  /* they overlap */
		{ { 100, 150, 1 }, { 300, 200, 1 } },  /* backwards */
	};
	struct err e;
	struct slot_key key = key_of(1, 8);
	struct slot_overrides *o = open_file();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_INT(slot_overrides_add(o, &key, cases[i], 2, &e), -EINVAL);
	CHECK_INT(slot_overrides_add(o, &key, two, 0, &e), -EINVAL);
	CHECK_INT(slot_overrides_add(o, &key, two, SLOT_OVERRIDE_MAX_PARTS + 1, &e), -EINVAL);
	CHECK(!file_exists(path()));
	slot_overrides_close(o);
}

static uint64_t hash_of(struct slot_overrides *o, const char *sources, unsigned *count)
{
	struct ulid ulids[8];
	uint64_t hash;
	size_t n = strlen(sources);
	for (size_t i = 0; i < n; i++)
		ulids[i] = (struct ulid){ .bytes = { (uint8_t)sources[i] } };
	*count = slot_overrides_of_sources(o, ulids, n, &hash);
	return hash;
}

TEST(the_hash_tells_what_concerns_the_sources_in_any_order)
{
	unsigned n, m;
	struct slot_overrides *o = open_file();
	add(o, 'a', 8);
	add(o, 'b', 8);
	slot_overrides_activate(o);
	uint64_t both = hash_of(o, "ab", &n);
	CHECK_INT(n, 2);
	CHECK(hash_of(o, "ba", &m) == both);
	CHECK(hash_of(o, "a", &n) != both);
	CHECK_INT(n, 1);
	CHECK_INT(hash_of(o, "xy", &n), 0);
	CHECK_INT(n, 0);
	add(o, 'a', 9);
	CHECK(hash_of(o, "ab", &n) == both); /* not taken up yet */
	slot_overrides_activate(o);
	CHECK(hash_of(o, "ab", &n) != both);
	slot_overrides_close(o);
	/* The same after the file was read again, whatever the order of its lines. */
	struct slot_overrides *again = open_file();
	CHECK_INT(hash_of(again, "ab", &n) != both, 1);
	CHECK_INT(n, 3);
	slot_overrides_close(again);
}

static void read_file(struct buf *b)
{
	struct err e;
	buf_reset(b);
	CHECK_OK(file_read(path(), 1 << 20, b, &e), &e);
}

static void write_file(const void *p, size_t n)
{
	struct err e;
	CHECK_OK(file_replace(path(), p, n, &e), &e);
}

TEST(a_line_with_a_changed_byte_is_dropped_and_the_others_stay)
{
	auto_buf struct buf good = { 0 };
	struct slot_overrides *o = open_file();
	add(o, 1, 8);
	add(o, 1, 9);
	add(o, 1, 10);
	slot_overrides_close(o);
	read_file(&good);
	size_t line = good.len / 3 + 1; /* somewhere in the second */
	for (size_t at = line; at < line + 20; at++) {
		auto_buf struct buf bad = { 0 };
		buf_add(&bad, good.data, good.len);
		bad.data[at] ^= 1;
		write_file(bad.data, bad.len);
		o = open_file();
		CHECK_INT(find_any(o, 1, 8), 2);
		CHECK_INT(find_any(o, 1, 9), 0);
		CHECK_INT(find_any(o, 1, 10), 2);
		slot_overrides_close(o);
	}
}

TEST(a_line_that_a_crash_tore_does_not_take_the_next_one_with_it)
{
	auto_buf struct buf text = { 0 };
	struct slot_overrides *o = open_file();
	add(o, 1, 8);
	add(o, 1, 9);
	slot_overrides_close(o);
	read_file(&text);
	CHECK_INT(truncate(path(), (off_t)text.len - 5), 0);
	o = open_file();
	CHECK_INT(find_any(o, 1, 9), 0);
	CHECK_INT(add(o, 1, 9), 1);
	CHECK_INT(add(o, 1, 10), 1);
	slot_overrides_close(o);
	o = open_file();
	for (uint64_t ref = 8; ref <= 10; ref++)
		CHECK_INT(find_any(o, 1, ref), 2);
	slot_overrides_close(o);
}

TEST(lines_behind_a_hole_of_zeros_are_read)
{
	auto_buf struct buf text = { 0 }, holed = { 0 };
	struct slot_overrides *o = open_file();
	add(o, 1, 8);
	slot_overrides_close(o);
	read_file(&text);
	buf_add_zeros(&holed, 4096);
	buf_add(&holed, text.data, text.len);
	write_file(holed.data, holed.len);
	o = open_file();
	CHECK_INT(find_any(o, 1, 8), 2);
	slot_overrides_close(o);
}

TEST(a_file_that_is_far_too_long_is_started_anew)
{
	struct slot_overrides *o = open_file();
	add(o, 1, 8);
	slot_overrides_close(o);
	CHECK_INT(truncate(path(), 65 << 20), 0);
	o = open_file();
	CHECK_INT(find_any(o, 1, 8), 0);
	CHECK_INT(add(o, 1, 8), 1);
	slot_overrides_close(o);
	struct stat st;
	CHECK_INT(stat(path(), &st), 0);
	CHECK(st.st_size < 1000);
}

TEST_MAIN()
