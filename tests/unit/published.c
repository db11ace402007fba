/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/published.h"

#include "tests/support/test.h"

#include <errno.h>

static void write_three(struct buf *out)
{
	struct published p = { .generation = 7 };
	for (unsigned i = 0; i < 3; i++) {
		struct published_block b = { .min_time = -1000 + (int64_t)i, .max_time = INT64_MAX };
		b.ulid.bytes[15] = (uint8_t)i;
		vec_push(&p.blocks, b);
	}
	published_write(&p, out);
	published_fini(&p);
}

TEST(a_set_reads_back_as_it_was_written)
{
	auto_buf struct buf bytes = { 0 };
	struct published p;
	struct err e;
	write_three(&bytes);
	CHECK_OK(published_parse("p", bytes.data, bytes.len, &p, &e), &e);
	CHECK_INT(p.generation, 7);
	CHECK_INT(p.blocks.len, 3);
	CHECK_INT(p.blocks.data[2].ulid.bytes[15], 2);
	CHECK_INT(p.blocks.data[1].min_time, -999);
	CHECK_INT(p.blocks.data[0].max_time, INT64_MAX);
	published_fini(&p);
}

TEST(an_empty_set_is_a_set)
{
	auto_buf struct buf bytes = { 0 };
	struct published p = { 0 };
	struct err e;
	published_write(&p, &bytes);
	CHECK_OK(published_parse("p", bytes.data, bytes.len, &p, &e), &e);
	CHECK_INT(p.blocks.len, 0);
}

TEST(every_changed_and_every_missing_byte_is_noticed)
{
	auto_buf struct buf bytes = { 0 };
	struct published p;
	struct err e;
	write_three(&bytes);
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] ^= 0x10;
		CHECK_INT(published_parse("p", bytes.data, bytes.len, &p, &e), -EBADMSG);
		bytes.data[i] ^= 0x10;
		CHECK_INT(published_parse("p", bytes.data, i, &p, &e), -EBADMSG);
	}
	buf_add_u8(&bytes, 0);
	CHECK_INT(published_parse("p", bytes.data, bytes.len, &p, &e), -EBADMSG);
}

TEST_MAIN()
