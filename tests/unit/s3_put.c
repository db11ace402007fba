/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_put.h"

#include "tests/support/test.h"

#define MIB (1ull << 20)
#define TIB (1ull << 40)

TEST(parts_are_as_configured_until_there_would_be_too_many)
{
	static const struct {
		uint64_t bytes, part_size, want;
	} cases[] = {
		{ 65 * MIB, 64 * MIB, 64 * MIB },
		{ 9999 * 64 * MIB, 64 * MIB, 64 * MIB },
		{ 10000 * 5 * MIB, 5 * MIB, 6 * MIB },
		{ 5 * TIB, 64 * MIB, 525 * MIB },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t got = s3_part_bytes(cases[i].bytes, cases[i].part_size);
		CHECK_INT(got, cases[i].want);
		CHECK((cases[i].bytes + got - 1) / got <= S3_MAX_PARTS);
		CHECK(got <= S3_MAX_PART_BYTES);
	}
}

TEST_MAIN()
