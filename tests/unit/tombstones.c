/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/tombstones.h"

#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>

static void encode(struct buf *b, const struct tombstone *t, size_t n)
{
	tombstones_write(&(struct tombstones){ .data = (struct tombstone *)(uintptr_t)t, .len = n }, b);
}

TEST(ranges_are_sorted_and_those_that_touch_or_overlap_are_joined)
{
	static const struct tombstone in[] = {
		{ 7, { 50, 60 } },
		{ 3, { 10, 20 } },
		{ 7, { 0, 9 } },
		{ 3, { 21, 30 } }, /* touches */
		{ 3, { 25, 26 } }, /* lies within */
		{ 3, { 32, 40 } }, /* one millisecond between */
		{ 7, { 55, INT64_MAX } },
		{ 7, { INT64_MIN, -5 } },
		{ 7, { 100, 200 } },
		{ UINT64_MAX, { 1, 1 } },
	};
	static const struct tombstone want[] = {
		{ 3, { 10, 30 } },
		{ 3, { 32, 40 } },
		{ 7, { INT64_MIN, -5 } },
		{ 7, { 0, 9 } },
		{ 7, { 50, INT64_MAX } },
		{ UINT64_MAX, { 1, 1 } },
	};
	struct buf b = { 0 };
	struct tombstones t;
	struct err e;
	encode(&b, in, ARRAY_LEN(in));
	CHECK_OK(tombstones_parse(b.data, b.len, &t, &e), &e);
	CHECK_INT(t.len, ARRAY_LEN(want));
	for (size_t i = 0; i < t.len; i++) {
		CHECK(t.data[i].series_ref == want[i].series_ref);
		CHECK_INT(t.data[i].range.mint, want[i].range.mint);
		CHECK_INT(t.data[i].range.maxt, want[i].range.maxt);
	}

	const struct tombstone *first;
	CHECK_INT(tombstones_of(&t, 7, &first), 3);
	CHECK_INT(first->range.maxt, -5);
	CHECK_INT(tombstones_of(&t, 3, &first), 2);
	CHECK_INT(first->range.mint, 10);
	CHECK_INT(tombstones_of(&t, 5, &first), 0);
	CHECK_INT(tombstones_of(&t, 0, &first), 0);
	CHECK_INT(tombstones_of(&t, UINT64_MAX, &first), 1);
	tombstones_fini(&t);
	CHECK_INT(tombstones_of(&t, 7, &first), 0);
	buf_fini(&b);
}

TEST(a_file_without_entries_is_what_prometheus_writes)
{
	static const uint8_t empty[] = { 0x01, 0x30, 0xba, 0x30, 0x01, 0, 0, 0, 0 };
	struct buf b = { 0 };
	struct tombstones t;
	struct err e;
	encode(&b, NULL, 0);
	CHECK_INT(b.len, sizeof empty);
	CHECK(memcmp(b.data, empty, sizeof empty) == 0);
	CHECK_OK(tombstones_parse(empty, sizeof empty, &t, &e), &e);
	CHECK_INT(t.len, 0);
	tombstones_fini(&t);
	buf_fini(&b);
}

TEST(a_range_that_ends_before_it_starts_deletes_nothing)
{
	struct buf b = { 0 };
	struct tombstones t;
	struct err e;
	encode(&b, (const struct tombstone[]){ { 1, { 5, 4 } }, { 2, { 5, 5 } } }, 2);
	CHECK_OK(tombstones_parse(b.data, b.len, &t, &e), &e);
	CHECK_INT(t.len, 1);
	CHECK_INT(t.data[0].series_ref, 2);
	tombstones_fini(&t);
	buf_fini(&b);
}

static void reseal(struct buf *b)
{
	b->len -= 4;
	buf_add_be32(b, crc32c(0, b->data + 5, b->len - 5));
}

TEST(malformed_files_are_refused_with_the_reason)
{
	static const struct {
		size_t at;
		uint8_t byte;
		bool seal;
		const char *words;
	} cases[] = {
		{ 0, 0x02, false, "starts with 0230ba30" },
		{ 4, 2, false, "version 2" },
		{ 6, 1, false, "checksum" },
		{ 9, 0xff, true, "cut off" },
	};
	static const struct tombstone one = { 1, { 100, 20000 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = { 0 };
		struct tombstones t;
		struct err e;
		encode(&b, &one, 1);
		b.data[cases[i].at] = cases[i].byte;
		if (cases[i].seal) {
			b.data[b.len - 5] |= 0x80;
			reseal(&b);
		}
		CHECK_INT(tombstones_parse(b.data, b.len, &t, &e), -EBADMSG);
		CHECK_HAS(e.msg, cases[i].words);
		for (size_t n = 0; n < b.len; n++)
			CHECK_INT(tombstones_parse(b.data, n, &t, &e), -EBADMSG);
		buf_fini(&b);
	}
}

TEST_MAIN()
