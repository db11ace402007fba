/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/frame_check.h"

#include "lib/tsdb/chunk.h"
#include "tests/support/test.h"

#define FRAMES 400

static size_t places[FRAMES + 1];

static void write_segment(struct buf *out)
{
	uint64_t rng = 7;
	static const uint8_t header[SEGMENT_HEADER_BYTES] = { 0x85, 0xbd, 0x40, 0xdd, 1 };
	buf_add(out, header, sizeof header);
	for (int i = 0; i < FRAMES; i++) {
		uint8_t data[600];
		size_t n = 3 + test_random(&rng) % (sizeof data - 3);
		for (size_t k = 0; k < n; k++)
			data[k] = (uint8_t)test_random(&rng);
		places[i] = out->len;
		chunk_frame_write(out, (uint8_t)(1 + i % 6), data, n);
	}
	places[FRAMES] = out->len;
}

TEST(every_whole_frame_of_any_piece_is_checked)
{
	auto_buf struct buf s = { 0 };
	uint64_t rng = 1;
	size_t frames;
	write_segment(&s);
	CHECK(frame_check(s.data, s.len, 0, &frames));
	CHECK_INT(frames, FRAMES);
	for (int i = 0; i < 2000; i++) {
		size_t at = test_random(&rng) % s.len, n = 1 + test_random(&rng) % (s.len - at), whole = 0;
		for (int k = 0; k < FRAMES; k++)
			whole += places[k] >= at && places[k + 1] <= at + n;
		CHECK(frame_check(s.data + at, n, at, &frames));
		CHECK_INT(frames, whole);
	}
}

TEST(a_wrong_byte_is_found_in_any_frame_but_the_first)
{
	auto_buf struct buf s = { 0 };
	uint64_t rng = 2;
	write_segment(&s);
	for (int i = 0; i < 2000; i++) {
		size_t first = 1 + test_random(&rng) % (FRAMES - 3), last = first + 2;
		size_t at = places[first] - 1, n = places[last + 1] - at;
		size_t wrong = places[first + 1] + test_random(&rng) % (n - (places[first + 1] - at));
		uint8_t bit = (uint8_t)(1u << test_random(&rng) % 8);
		s.data[wrong] ^= bit;
		bool is_cut =
			false; /* a length that grew beyond the piece looks like a frame that its end cuts */
		if (frame_check(s.data + at, n, at, NULL)) {
			for (size_t k = first + 1; k <= last; k++)
				is_cut |= wrong >= places[k] && wrong < places[k] + 2;
			CHECK(is_cut);
		}
		s.data[wrong] ^= bit;
	}
}

TEST(zeros_at_the_end_and_a_piece_without_a_frame_are_nothing_wrong)
{
	auto_buf struct buf s = { 0 };
	size_t frames;
	write_segment(&s);
	buf_add_zeros(&s, 5000);
	CHECK(frame_check(s.data, s.len, 0, &frames));
	CHECK_INT(frames, FRAMES);
	CHECK(frame_check(s.data + places[FRAMES], 5000, places[FRAMES], &frames));
	CHECK_INT(frames, 0);
	CHECK(frame_check(s.data + places[3] + 1, 2, places[3] + 1, &frames));
	CHECK(frame_check(s.data, 3, 0, &frames));
	CHECK(frame_check(s.data, 0, 0, &frames));
}

TEST_MAIN()
