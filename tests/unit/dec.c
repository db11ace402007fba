/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/dec.h"

#include "lib/base/buf.h"
#include "tests/support/test.h"

#include <errno.h>

TEST(numbers_are_big_endian)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff };
	struct dec d = dec_over(bytes, sizeof bytes);
	CHECK_INT(dec_be16(&d), 0x0102);
	CHECK_INT(dec_be32(&d), 0x03040506);
	CHECK_INT(dec_be64(&d), 0x0708090a0b0c0d0e);
	CHECK_INT(dec_u8(&d), 0xff);
	CHECK_INT(dec_left(&d), 0);
	CHECK_INT(d.err, 0);
}

TEST(varints_are_those_of_go)
{
	static const struct {
		uint64_t v;
		const char *bytes;
		size_t n;
	} table[] = {
		{ 0, "\x00", 1 },
		{ 1, "\x01", 1 },
		{ 127, "\x7f", 1 },
		{ 128, "\x80\x01", 2 },
		{ 300, "\xac\x02", 2 },
		{ 16384, "\x80\x80\x01", 3 },
		{ UINT32_MAX, "\xff\xff\xff\xff\x0f", 5 },
		{ INT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9 },
		{ UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct dec d = dec_over(table[i].bytes, table[i].n);
		CHECK(dec_uvarint(&d) == table[i].v);
		CHECK_INT(d.err, 0);
		CHECK_INT(dec_left(&d), 0);
	}
}

TEST(a_varint_of_more_than_64_bits_is_refused)
{
	static const struct {
		const char *bytes;
		size_t n;
	} table[] = {
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10 },
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11 },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct dec d = dec_over(table[i].bytes, table[i].n);
		CHECK_INT(dec_uvarint(&d), 0);
		CHECK_INT(d.err, -EBADMSG);
	}
}

TEST(a_varint_that_must_fit_32_bits_is_refused_when_it_does_not)
{
	struct dec fits = dec_over("\xff\xff\xff\xff\x0f", 5),
		   too_large = dec_over("\x80\x80\x80\x80\x10", 5);
	CHECK_INT(dec_uvarint32(&fits), UINT32_MAX);
	CHECK_INT(fits.err, 0);
	CHECK_INT(dec_uvarint32(&too_large), 0);
	CHECK_INT(too_large.err, -EBADMSG);
}

TEST(signed_varints_read_back)
{
	static const int64_t table[] = { 0, 1, -1, 63, -64, 64, -65, INT32_MAX, INT32_MIN, INT64_MAX,
		INT64_MIN };
	auto_buf struct buf b = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		buf_add_varint(&b, table[i]);
	struct dec d = dec_over(b.data, b.len);
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		CHECK_INT(dec_varint(&d), table[i]);
	CHECK_INT(d.err, 0);
	CHECK_INT(dec_left(&d), 0);
}

TEST(an_error_sticks_and_moves_nothing)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	struct dec d = dec_over(bytes, sizeof bytes);
	CHECK_INT(dec_u8(&d), 1);
	const uint8_t *at = d.p;
	CHECK_INT(dec_be32(&d), 0);
	CHECK_INT(d.err, -EBADMSG);
	CHECK(d.p == at);
	CHECK_INT(dec_u8(&d), 0);
	CHECK_INT(dec_be16(&d), 0);
	CHECK_INT(dec_be64(&d), 0);
	CHECK_INT(dec_uvarint(&d), 0);
	CHECK_INT(dec_varint(&d), 0);
	CHECK(!dec_bytes(&d, 1));
	CHECK_INT(dec_left(&d), 0);
	CHECK(d.p == at);
}

TEST(every_truncation_of_a_record_is_noticed)
{
	auto_buf struct buf b = { 0 };
	buf_add_be32(&b, 7);
	buf_add_uvarint(&b, 1u << 20);
	buf_add_be64(&b, 9);
	for (size_t n = 0; n <= b.len; n++) {
		auto_free uint8_t *exact = xmalloc(n ? n : 1); /* so that a read past it is seen */
		if (n)
			memcpy(exact, b.data, n);
		struct dec d = dec_over(exact, n);
		dec_be32(&d);
		dec_uvarint(&d);
		dec_be64(&d);
		CHECK_INT(d.err, n == b.len ? 0 : -EBADMSG);
	}
}

TEST(bytes_are_borrowed_up_to_the_end)
{
	struct dec d = dec_over("abc", 3);
	CHECK(!memcmp(dec_bytes(&d, 2), "ab", 2));
	CHECK(dec_bytes(&d, 0) != NULL);
	CHECK(!dec_bytes(&d, SIZE_MAX));
	CHECK_INT(d.err, -EBADMSG);
}

TEST_MAIN()
