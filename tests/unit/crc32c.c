/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/crc32c.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <pthread.h>

TEST(the_checksums_are_those_of_rfc_3720)
{
	/* Appendix B.4 prints the bytes of the checksum in the order they are sent: the least significant first. */
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];
	static const uint8_t read_command[48] = { 0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00,
		0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 };
	memset(ones, 0xff, sizeof ones);
	for (int i = 0; i < 32; i++) {
		up[i] = (uint8_t)i;
		down[i] = (uint8_t)(31 - i);
	}
	const struct {
		const void *p;
		size_t n;
		uint32_t crc;
	} table[] = {
		{ zeros, 32, 0x8a9136aa },
		{ ones, 32, 0x62a8ab43 },
		{ up, 32, 0x46dd794e },
		{ down, 32, 0x113fdb5c },
		{ read_command, 48, 0xd9963a56 },
		{ "123456789", 9, 0xe3069283 },
		{ "", 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		CHECK_INT(crc32c(0, table[i].p, table[i].n), table[i].crc);
		CHECK_INT(crc32c_portable(0, table[i].p, table[i].n), table[i].crc);
	}
}

TEST(both_ways_agree_for_every_length_and_alignment)
{
	uint8_t bytes[8192 + 8];
	uint64_t seed = 4;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)test_random(&seed);
	for (size_t n = 0; n <= 8192; n++) {
		size_t at = n % 8;
		CHECK_INT(crc32c(0, bytes + at, n), crc32c_portable(0, bytes + at, n));
	}
	for (size_t at = 0; at < 8; at++)
		for (size_t n = 3060; n < 3090; n++) /* around the size at which three streams begin */
			CHECK_INT(crc32c(7, bytes + at, n), crc32c_portable(7, bytes + at, n));
}

TEST(a_checksum_can_be_continued)
{
	uint8_t bytes[10000];
	uint64_t seed = 5;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)test_random(&seed);
	uint32_t whole = crc32c(0, bytes, sizeof bytes);
	for (int i = 0; i < 500; i++) {
		size_t cut = test_random(&seed) % (sizeof bytes + 1);
		CHECK_INT(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole);
		CHECK_INT(crc32c_portable(crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole);
	}
}

static void *checksum(void *arg)
{
	*(uint32_t *)arg = crc32c(0, "123456789", 9);
	return NULL;
}

TEST(the_first_use_may_be_in_several_threads)
{
	pthread_t threads[8];
	uint32_t crc[8] = { 0 };
	for (size_t i = 0; i < 8; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, checksum, &crc[i]), 0);
	for (size_t i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		CHECK_INT(crc[i], 0xe3069283);
	}
}

TEST_MAIN()
