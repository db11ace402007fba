/* SPDX-License-Identifier: Apache-2.0 */
#include "store/extents_map.h"

#include "lib/base/crc32c.h"
#include "tests/support/test.h"

#include <errno.h>

static void write_sample(struct buf *out)
{
	auto_extents_map struct extents_map m = {
		.block_bytes = 64u << 10,
		.size = (3u << 20) + 5,
		.used = 77,
		.name = xstrdup("memory bucket\na/object"),
		.version = xstrdup("\"etag\""),
	};
	vec_push(&m.regions, (struct extents_map_region){ 0, 5, 0x8001, 0 });
	vec_push(&m.regions, (struct extents_map_region){ 3, 77, 1, 2 });
	for (uint32_t i = 0; i < 3; i++)
		vec_push(&m.crcs, i + 100);
	extents_map_write(&m, out);
}

static int parse(const struct buf *b, struct err *e)
{
	auto_extents_map struct extents_map m = { 0 };
	return extents_map_parse("file.map", b->data, b->len, &m, e);
}

/* Puts the right checksum behind what was changed. */
static void seal(struct buf *b)
{
	b->len -= 4;
	buf_add_be32(b, crc32c(0, b->data, b->len));
}

TEST(what_was_written_is_read)
{
	struct err e;
	auto_buf struct buf b = { 0 };
	auto_extents_map struct extents_map m = { 0 };
	write_sample(&b);
	CHECK_OK(extents_map_parse("file.map", b.data, b.len, &m, &e), &e);
	CHECK_INT(m.block_bytes, 64 << 10);
	CHECK_INT(m.size, (3 << 20) + 5);
	CHECK_INT(m.used, 77);
	CHECK_STR(m.name, "memory bucket\na/object");
	CHECK_STR(m.version, "\"etag\"");
	CHECK_INT(m.regions.len, 2);
	CHECK_INT(m.regions.data[0].present, 0x8001);
	CHECK_INT(m.regions.data[1].index, 3);
	CHECK_INT(m.crcs.data[m.regions.data[1].crc], 102);
}

TEST(every_prefix_and_every_flipped_bit_is_refused)
{
	struct err e;
	auto_buf struct buf b = { 0 };
	write_sample(&b);
	size_t whole = b.len;
	for (b.len = 0; b.len < whole; b.len++) {
		CHECK_INT(parse(&b, &e), -EBADMSG);
		CHECK_HAS(e.msg, "file.map");
	}
	for (size_t bit = 0; bit < whole * 8; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK_INT(parse(&b, &e), -EBADMSG);
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CHECK_OK(parse(&b, &e), &e);
}

TEST(sound_checksums_do_not_make_nonsense_sound)
{
	/* The place of a big-endian byte, and what is put there. */
	static const struct {
		size_t at;
		uint8_t byte;
	} changes[] = {
		{ 0, 'X' },   /* another magic */
		{ 10, 3 },    /* blocks of no power of two */
		{ 8, 1 },     /* blocks of more than a region */
		{ 12, 1 },    /* an object of more than 64 GiB */
		{ 28, 0 },    /* a name of no byte, so that all behind it is shifted */
		{ 30, 0 },    /* a NUL in the name */
		{ 58, 0xff }, /* more regions than there is room for */
	};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct err e;
		auto_buf struct buf b = { 0 };
		write_sample(&b);
		b.data[changes[i].at] = changes[i].byte;
		seal(&b);
		CHECK_INT(parse(&b, &e), -EBADMSG);
	}
}

TEST(blocks_past_the_objects_end_are_refused)
{
	struct err e;
	auto_buf struct buf b = { 0 };
	auto_extents_map struct extents_map m = {
		.block_bytes = 64u << 10, .size = 64u << 10, .name = xstrdup("x"), .version = xstrdup("")
	};
	vec_push(&m.regions, (struct extents_map_region){ 0, 1, 2, 0 });
	vec_push(&m.crcs, 1);
	extents_map_write(&m, &b);
	CHECK_INT(parse(&b, &e), -EBADMSG);
}

TEST(a_regions_mask_has_a_bit_for_each_of_its_blocks)
{
	CHECK_INT(extents_map_region_mask(1, 64 << 10, 0), 1);
	CHECK_INT(extents_map_region_mask(1 << 20, 64 << 10, 0), 0xffff);
	CHECK_INT(extents_map_region_mask(1 << 20, 64 << 10, 1), 0);
	CHECK_INT(extents_map_region_mask((1 << 20) + 1, 64 << 10, 1), 1);
	CHECK(extents_map_region_mask(1 << 20, 16 << 10, 0) == UINT64_MAX);
	CHECK_INT(extents_map_region_mask(1 << 20, 1 << 20, 0), 1);
}

TEST_MAIN()
