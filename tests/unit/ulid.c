/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/ulid.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

TEST(a_ulid_reads_and_writes)
{
	static const uint8_t bytes[16] = { 0x01, 0x56, 0x3e, 0x3a, 0xb5, 0xd3, 0xd6, 0x76, 0x4c, 0x61, 0xef,
		0xb9, 0x93, 0x02, 0xbd, 0x5b };
	struct ulid u;
	char text[ULID_CHARS + 1];
	CHECK(ulid_parse("01ARZ3NDEKTSV4RRFFQ69G5FAV", &u));
	CHECK(!memcmp(u.bytes, bytes, sizeof bytes));
	CHECK_INT(ulid_time_ms(&u), 1469922850259);
	ulid_format(&u, text);
	CHECK_STR(text, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
	CHECK(ulid_parse("01arz3ndektsv4rrffq69g5fav", &u));
	CHECK(!memcmp(u.bytes, bytes, sizeof bytes));
}

TEST(the_lowest_and_the_highest_are_taken)
{
	struct ulid u;
	char text[ULID_CHARS + 1];
	CHECK(ulid_parse("00000000000000000000000000", &u));
	CHECK_INT(ulid_time_ms(&u), 0);
	CHECK(ulid_parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", &u));
	CHECK_INT(ulid_time_ms(&u), INT64_C(0xffffffffffff));
	ulid_format(&u, text);
	CHECK_STR(text, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

TEST(what_is_no_ulid_is_refused)
{
	static const char *const table[] = { "", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAVX",
		"81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAU", "01ARZ3NDEKTSV4RRFFQ69G5FAI",
		"01ARZ3NDEKTSV4RRFFQ69G5FAL", "01ARZ3NDEKTSV4RRFFQ69G5FAO", "01ARZ3NDEKTSV4RRFFQ69G5F.V",
		"01ARZ3NDEKTSV4RRFFQ69G5F\xc3\xa4", "wal", "01ARZ3NDEKTSV4RRFFQ69G5FAV.tmp" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct ulid u;
		CHECK(!ulid_parse(table[i], &u));
	}
}

TEST(every_ulid_survives_being_written_and_sorts_as_its_text)
{
	uint64_t seed = 6;
	struct ulid last = { { 0 } };
	char last_text[ULID_CHARS + 1];
	ulid_format(&last, last_text);
	for (int i = 0; i < 20000; i++) {
		struct ulid u, again;
		char text[ULID_CHARS + 1];
		for (size_t k = 0; k < 16; k++)
			u.bytes[k] = (uint8_t)test_random(&seed);
		ulid_format(&u, text);
		CHECK(ulid_parse(text, &again));
		CHECK_INT(ulid_cmp(&u, &again), 0);
		CHECK_INT(ulid_cmp(&u, &last) < 0, strcmp(text, last_text) < 0);
		last = u;
		memcpy(last_text, text, sizeof text);
	}
}

TEST(a_ulid_is_made_of_a_time_and_ten_bytes)
{
	static const uint8_t rest[10] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	struct ulid u = ulid_make(1469922850259, rest);
	CHECK_INT(ulid_time_ms(&u), 1469922850259);
	CHECK(!memcmp(u.bytes + 6, rest, sizeof rest));
	struct ulid a = ulid_random(5), b = ulid_random(5);
	CHECK_INT(ulid_time_ms(&a), 5);
	CHECK(ulid_cmp(&a, &b) != 0);
}

TEST_MAIN()
