/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/slot_map.h"

#include "lib/base/file.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

#define MAX_SLOTS 500

static struct slot slots[MAX_SLOTS];
static struct slot_source sources[MAX_SLOTS][4];
static uint32_t segments[MAX_SLOTS], offsets[MAX_SLOTS];

static const char *path(void)
{
	static char p[128];
	snprintf(p, sizeof p, "%s/slots", test_dir());
	return p;
}

/* Slots of all shapes. */
static void make(size_t n)
{
	uint64_t seed = 7;
	for (size_t i = 0; i < n; i++) {
		int64_t t = (int64_t)(test_random(&seed) >> 20) - (1ll << 43);
		struct slot *s = &slots[i];
		*s = (struct slot){
			.from = t, .to = t + 1000, .left = t - 7, .right = t + 1000, .capacity = 100
		};
		s->from = i % 7 ? s->from : INT64_MIN;
		s->to = i % 5 ? s->to : INT64_MAX;
		s->left = i % 3 ? s->left : INT64_MIN;
		s->right = i % 4 == 1 ? t + 2000 : i % 4 ? s->right : INT64_MAX;
		s->capacity = 16 + (uint32_t)(test_random(&seed) % 1000);
		s->n_sources = 1 + (uint32_t)(i % 4);
		s->sources = sources[i];
		for (uint32_t k = 0; k < s->n_sources; k++)
			sources[i][k] = (struct slot_source){ .ref = test_random(&seed) >> (i % 2 ? 30 : 0),
				.tombstoned_series = i % 11 ? 0 : test_random(&seed),
				.frame_bytes = (uint32_t)test_random(&seed),
				.source = (uint16_t)(test_random(&seed) % DEDUP_MAX_SOURCES),
				.rank = (uint16_t)test_random(&seed),
				.role = (uint8_t)(k % 3) };
	}
}

static void write_map(size_t n)
{
	struct err e;
	auto_of(slot_map_writer) struct slot_map_writer *w = NULL;
	CHECK_OK(slot_map_writer_open(path(), &w, &e), &e);
	for (size_t i = 0; i < n; i++)
		CHECK_OK(slot_map_writer_add(w, &slots[i], &segments[i], &offsets[i], &e), &e);
	CHECK_OK(slot_map_writer_finish(w, &e), &e);
}

static struct slot_map *open_map(void)
{
	struct err e;
	struct slot_map *m;
	CHECK_OK(slot_map_open(path(), &m, &e), &e);
	return m;
}

static void check_slot(const struct mapped_slot *got, size_t i)
{
	const struct slot *a = &got->slot, *b = &slots[i];
	CHECK_INT(got->number, i);
	CHECK_INT(got->segment, segments[i]);
	CHECK_INT(got->offset, offsets[i]);
	CHECK_INT(a->from, b->from);
	CHECK_INT(a->to, b->to);
	CHECK_INT(a->left, b->left);
	CHECK_INT(a->right, b->right);
	CHECK_INT(a->capacity, b->capacity);
	CHECK_INT(a->n_sources, b->n_sources);
	for (uint32_t k = 0; k < a->n_sources; k++) {
		CHECK(a->sources[k].ref == b->sources[k].ref);
		CHECK(a->sources[k].tombstoned_series == b->sources[k].tombstoned_series);
		CHECK_INT(a->sources[k].frame_bytes, b->sources[k].frame_bytes);
		CHECK_INT(a->sources[k].source, b->sources[k].source);
		CHECK_INT(a->sources[k].rank, b->sources[k].rank);
		CHECK_INT(a->sources[k].role, b->sources[k].role);
	}
}

TEST(slots_read_back_as_they_were_written)
{
	struct err e;
	make(MAX_SLOTS);
	write_map(MAX_SLOTS);
	struct slot_map *m = open_map();
	struct slot_cursor c = { 0 };
	CHECK_INT(slot_map_slots(m), MAX_SLOTS);
	CHECK_INT(slot_map_segments(m), 1);
	CHECK_INT(offsets[0], SLOT_FIRST_OFFSET);
	CHECK_INT(slot_map_seek(m, &c, 0, 0, &e), 1);
	for (size_t i = 0; i < MAX_SLOTS; i++) {
		check_slot(slot_cursor_get(&c), i);
		CHECK_INT(slot_map_next(m, &c, &e), i + 1 < MAX_SLOTS);
	}
	slot_cursor_fini(&c);
	slot_map_close(m);
}

TEST(any_offset_is_found_with_a_kept_cursor_and_a_new_one)
{
	struct err e;
	make(MAX_SLOTS);
	write_map(MAX_SLOTS);
	struct slot_map *m = open_map();
	struct slot_cursor kept = { 0 };
	uint64_t seed = 3, end = slot_map_segment_bytes(m, 0);
	CHECK_INT(end, offsets[MAX_SLOTS - 1] + slots[MAX_SLOTS - 1].capacity);
	for (int k = 0; k < 2000; k++) {
		size_t i = test_random(&seed) % MAX_SLOTS;
		uint64_t at = offsets[i] + test_random(&seed) % slots[i].capacity;
		struct slot_cursor fresh = { 0 };
		CHECK_INT(slot_map_seek(m, &kept, 0, at, &e), 1);
		check_slot(slot_cursor_get(&kept), i);
		CHECK_INT(slot_map_seek(m, &fresh, 0, at, &e), 1);
		check_slot(slot_cursor_get(&fresh), i);
		slot_cursor_fini(&fresh);
	}
	CHECK_INT(slot_map_seek(m, &kept, 0, end, &e), 0);
	CHECK_INT(slot_map_seek(m, &kept, 0, UINT64_MAX, &e), 0);
	CHECK_INT(slot_map_seek(m, &kept, 1, 0, &e), 0);
	slot_cursor_fini(&kept);
	slot_map_close(m);
}

TEST(a_segment_that_is_full_is_followed_by_another)
{
	struct err e;
	make(300);
	for (size_t i = 0; i < 300; i++)
		slots[i].capacity = 20u << 20; /* about a hundred to a segment */
	write_map(300);
	struct slot_map *m = open_map();
	struct slot_cursor c = { 0 };
	size_t i = 0;
	CHECK_INT(slot_map_segments(m), 3);
	for (uint32_t s = 0; s < 3; s++) {
		CHECK(slot_map_segment_bytes(m, s) <= 2ull << 30);
		CHECK_INT(slot_map_segment_first(m, s), i);
		int r = slot_map_seek(m, &c, s, 0, &e);
		for (; r == 1; r = slot_map_next(m, &c, &e))
			check_slot(slot_cursor_get(&c), i++);
		CHECK_INT(r, 0);
	}
	CHECK_INT(i, 300);
	CHECK_INT(slot_map_segment_first(m, 3), 300);
	slot_cursor_fini(&c);
	slot_map_close(m);
}

TEST(a_map_without_slots_is_one)
{
	struct err e;
	struct slot_cursor c = { 0 };
	write_map(0);
	struct slot_map *m = open_map();
	CHECK_INT(slot_map_slots(m), 0);
	CHECK_INT(slot_map_seek(m, &c, 0, 0, &e), 0);
	slot_cursor_fini(&c);
	slot_map_close(m);
}

TEST(every_changed_byte_is_noticed)
{
	struct err e;
	auto_buf struct buf good = { 0 };
	make(150);
	write_map(150);
	CHECK_OK(file_read(path(), 1 << 20, &good, &e), &e);
	for (size_t at = 0; at < good.len; at += 3) {
		struct slot_map *m;
		struct slot_cursor c = { 0 };
		good.data[at] ^= 0x20;
		CHECK_OK(file_replace(path(), good.data, good.len, &e), &e);
		good.data[at] ^= 0x20;
		int r = slot_map_open(path(), &m, &e);
		if (r == 0) {
			for (r = slot_map_seek(m, &c, 0, 0, &e); r == 1;)
				r = slot_map_next(m, &c, &e);
			slot_cursor_fini(&c);
			slot_map_close(m);
		}
		CHECK_INT(r, -EBADMSG);
		CHECK_HAS(e.msg, "slots");
	}
}

TEST(a_file_that_ends_early_is_refused)
{
	struct err e;
	auto_buf struct buf good = { 0 };
	struct slot_map *m;
	make(5);
	write_map(5);
	CHECK_OK(file_read(path(), 1 << 20, &good, &e), &e);
	for (size_t n = 0; n < good.len; n++) {
		CHECK_OK(file_replace(path(), good.data, n, &e), &e);
		CHECK_INT(slot_map_open(path(), &m, &e), -EBADMSG);
	}
	CHECK_INT(slot_map_open("/nowhere/slots", &m, &e), -ENOENT);
}

TEST_MAIN()
