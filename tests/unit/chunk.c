/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/chunk.h"
#include "tests/support/test.h"

#include <errno.h>

/* A chunk of one sample (5 at 1700000000000), as promtool wrote it. */
static const uint8_t promtool_frame[] = { 0x11, 0x01, 0x00, 0x01, 0x80, 0xa0, 0xab, 0xfe, 0xf9, 0x62, 0x40,
	0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xce, 0xa9, 0xfb, 0x97 };

TEST(a_frame_that_promtool_wrote_is_read_and_written_the_same)
{
	struct chunk c;
	struct err e;
	size_t need;
	int n = chunk_frame_read(promtool_frame, sizeof promtool_frame, &c, &need, &e);
	CHECK_OK(n, &e);
	CHECK_INT(n, sizeof promtool_frame);
	CHECK_INT(c.encoding, CHUNK_XOR);
	CHECK_INT(c.size, 17); /* the length leaves the encoding out */
	auto_buf struct buf out = { 0 };
	chunk_frame_write(&out, c.encoding, c.data, c.size);
	CHECK_INT(out.len, sizeof promtool_frame);
	CHECK(!memcmp(out.data, promtool_frame, out.len));
}

TEST(frames_of_every_length_of_length_come_back)
{
	static const size_t sizes[] = { 0, 1, 2, 127, 128, 129, 16383, 16384, 2097151, 2097152,
		CHUNK_MAX_BYTES };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		auto_buf struct buf frame = { 0 };
		auto_free uint8_t *data = xmalloc(sizes[i] + 1);
		memset(data, (int)i + 1, sizes[i]);
		chunk_frame_write(&frame, 7, data, sizes[i]);
		CHECK_INT(frame.len, chunk_frame_bytes(sizes[i]));
		struct chunk c;
		struct err e;
		size_t need;
		CHECK_INT(chunk_frame_read(frame.data, frame.len, &c, &need, &e), frame.len);
		CHECK_INT(c.encoding, 7);
		CHECK_INT(c.size, sizes[i]);
		CHECK(!memcmp(c.data, data, c.size));
	}
}

TEST(a_cut_frame_says_how_many_bytes_it_takes)
{
	for (size_t n = 0; n < sizeof promtool_frame; n++) {
		struct chunk c;
		struct err e;
		size_t need = 0;
		CHECK_INT(chunk_frame_read(promtool_frame, n, &c, &need, &e), -EAGAIN);
		CHECK(need > n);
		CHECK_INT(need, n ? sizeof promtool_frame : 6);
	}
}

TEST(any_flipped_bit_of_the_body_is_noticed)
{
	for (size_t bit = 8; bit < 8 * sizeof promtool_frame; bit++) {
		uint8_t copy[sizeof promtool_frame];
		memcpy(copy, promtool_frame, sizeof copy);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		struct chunk c;
		struct err e;
		size_t need;
		CHECK_INT(chunk_frame_read(copy, sizeof copy, &c, &need, &e), -EBADMSG);
		CHECK_HAS(e.msg, "checksum");
	}
}

TEST(zeros_where_a_chunk_should_be_are_a_wrong_checksum)
{
	static const uint8_t zeros[16];
	struct chunk c;
	struct err e;
	size_t need;
	CHECK_INT(chunk_frame_read(zeros, sizeof zeros, &c, &need, &e), -EBADMSG);
	CHECK_HAS(e.msg, "527d5351");
}

TEST(lengths_nobody_writes_are_refused_without_being_waited_for)
{
	static const uint8_t too_long[] = { 0x81, 0x80, 0x80, 0x20 }; /* 64 MiB and one byte */
	static const uint8_t endless[] = { 0xff, 0xff, 0xff, 0xff, 0xff };
	struct chunk c;
	struct err e;
	size_t need;
	CHECK_INT(chunk_frame_read(too_long, sizeof too_long, &c, &need, &e), -EBADMSG);
	CHECK_HAS(e.msg, "length");
	CHECK_INT(chunk_frame_read(endless, sizeof endless, &c, &need, &e), -EBADMSG);
	CHECK_INT(chunk_frame_read(endless, 4, &c, &need, NULL), -EAGAIN);
	CHECK_INT(need, 6);
}

TEST_MAIN()
