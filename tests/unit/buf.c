/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"

#include "lib/base/dec.h"
#include "tests/support/test.h"

TEST(what_is_added_stands_in_order)
{
	auto_buf struct buf b = { 0 };
	buf_add_str(&b, "ab");
	buf_add_u8(&b, 'c');
	buf_add(&b, "de", 2);
	buf_add(&b, NULL, 0);
	buf_printf(&b, "%d%s", 42, "f");
	CHECK_STR(buf_str(&b), "abcde42f");
	CHECK_INT(b.len, 8);
}

TEST(numbers_are_written_big_endian)
{
	auto_buf struct buf b = { 0 };
	buf_add_be16(&b, 0x0102);
	buf_add_be32(&b, 0x03040506);
	buf_add_be64(&b, 0x0708090a0b0c0d0eull);
	buf_add_zeros(&b, 2);
	for (size_t i = 0; i < 14; i++)
		CHECK_INT(b.data[i], i + 1);
	CHECK_INT(b.data[14] | b.data[15], 0);
	CHECK_INT(b.len, 16);
}

TEST(every_uvarint_reads_back_and_has_its_size)
{
	for (unsigned bits = 0; bits <= 64; bits++) {
		for (int less = 0; less < 2; less++) {
			uint64_t v = (bits == 64 ? 0 : (uint64_t)1 << bits) - (unsigned)less;
			auto_buf struct buf b = { 0 };
			buf_add_uvarint(&b, v);
			struct dec d = dec_over(b.data, b.len);
			CHECK(dec_uvarint(&d) == v);
			CHECK_INT(dec_left(&d), 0);
			size_t want = 1;
			for (uint64_t rest = v; rest >= 0x80; rest >>= 7)
				want++;
			CHECK_INT(b.len, want);
		}
	}
}

TEST(zigzag_keeps_small_numbers_small)
{
	static const int64_t values[] = { 0, -1, 1, -2, 2, INT64_MAX, INT64_MIN };
	static const uint64_t codes[] = { 0, 1, 2, 3, 4, UINT64_MAX - 1, UINT64_MAX };
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		CHECK(zigzag(values[i]) == codes[i]);
		CHECK_INT(unzigzag(codes[i]), values[i]);
	}
}

TEST(a_buffer_grows_and_keeps_what_it_holds)
{
	auto_buf struct buf b = { 0 };
	for (uint32_t i = 0; i < 100000; i++)
		buf_add_be32(&b, i);
	struct dec d = dec_over(b.data, b.len);
	for (uint32_t i = 0; i < 100000; i++)
		CHECK_INT(dec_be32(&d), i);
	size_t cap = b.cap;
	buf_reset(&b);
	CHECK_INT(b.len, 0);
	CHECK_INT(b.cap, cap);
}

TEST(room_can_be_reserved_without_being_used)
{
	auto_buf struct buf b = { 0 };
	buf_add_str(&b, "x");
	uint8_t *p = buf_reserve(&b, 1000);
	CHECK(p == b.data + 1);
	CHECK_INT(b.len, 1);
	CHECK(b.cap >= 1001);
}

TEST(long_texts_are_formatted_whole)
{
	static char text[10000];
	memset(text, 'x', sizeof text - 1);
	for (size_t n = 120; n < 140; n++) { /* around the size that is tried first */
		auto_buf struct buf b = { 0 };
		buf_printf(&b, "%.*s", (int)n, text);
		CHECK_INT(b.len, n);
		CHECK_INT(strlen(buf_str(&b)), n);
	}
	auto_buf struct buf b = { 0 };
	buf_printf(&b, "<%s>", text);
	CHECK_INT(b.len, sizeof text + 1);
	CHECK_INT(b.data[b.len - 1], '>');
}

TEST(an_empty_buffer_is_an_empty_text)
{
	auto_buf struct buf b = { 0 };
	CHECK_STR(buf_str(&b), "");
}

TEST_MAIN()
