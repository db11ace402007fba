/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/node_id.h"

#include "tests/support/test.h"

static struct ulid ulid_of(const char *s)
{
	struct ulid u;
	CHECK(ulid_parse(s, &u));
	return u;
}

TEST(every_kind_of_id_says_what_it_is_and_none_has_the_sign_bit)
{
	struct ulid u = ulid_of("01HQZZZZZZ0000000000000001");
	const struct {
		uint64_t id;
		enum node_kind kind;
	} cases[] = {
		{ NODE_ROOT, NODE_FIXED },
		{ NODE_CONTROL, NODE_FIXED },
		{ NODE_TEXTS + 63, NODE_FIXED },
		{ node_block(node_block_hash(&u), 0), NODE_BLOCK },
		{ node_block(node_block_hash(&u), 0xffff), NODE_BLOCK },
		{ node_bucket("01HQZZZZZZ0000000000000001/chunks/000001"), NODE_BUCKET },
		{ node_upper(1, "x", 1), NODE_UPPER },
		{ node_upper(UINT64_MAX, NULL, 0), NODE_UPPER },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK_INT(node_kind(cases[i].id), cases[i].kind);
		CHECK(cases[i].id >> 63 == 0);
	}
}

TEST(ids_are_what_they_were_in_the_first_release)
{
	/* The kernel holds ids across a change of the program that serves it, so these numbers must never change. */
	struct ulid u = ulid_of("01HQZZZZZZ0000000000000001");
	CHECK(node_block(node_block_hash(&u), 5) == 0x13d0ae674c1f0005ull);
	CHECK(node_bucket("01HQZZZZZZ0000000000000001/index") == 0x209a7da0dda2efb5ull);
	CHECK(node_upper(4711, "generation", 10) == 0x3fc3380000001267ull);
	CHECK(node_name_hash("wal") == 0xb0bee8e833f29e0ull);
}

TEST(a_block_id_gives_back_its_hash_and_place)
{
	struct ulid u = ulid_of("7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
	uint64_t id = node_block(node_block_hash(&u), NODE_PLACE_FILES + 7);
	CHECK(node_block_hash_of(id) == node_block_hash(&u));
	CHECK_INT(node_place_of(id), NODE_PLACE_FILES + 7);
}

TEST(names_with_one_first_part_share_the_upper_half_of_their_ids)
{
	uint64_t dir = node_bucket("01HQZZZZZZ0000000000000001");
	CHECK_INT(node_bucket_first_part(dir),
		node_bucket_first_part(node_bucket("01HQZZZZZZ0000000000000001/index")));
	CHECK(node_bucket_first_part(dir) !=
		node_bucket_first_part(node_bucket("01HQZZZZZZ0000000000000002/index")));
	/* The lower half is the whole name's, so two blocks whose first parts collide still differ. */
	CHECK((uint32_t)node_bucket("a/index") != (uint32_t)node_bucket("b/index"));
}

TEST(a_backing_inode_that_is_used_again_has_another_id)
{
	CHECK(node_upper(12, "one", 3) != node_upper(12, "two", 3));
	CHECK(node_upper(12, "one", 3) != node_upper(13, "one", 3));
	CHECK(node_upper(12, "one", 3) == node_upper(12, "one", 3));
}

TEST(high_inode_numbers_of_stacked_filesystems_stay_apart)
{
	CHECK(node_upper(1ull << 60 | 5, NULL, 0) != node_upper(1ull << 61 | 5, NULL, 0));
	CHECK(node_upper(1ull << 60 | 5, NULL, 0) != node_upper(5, NULL, 0));
}

TEST(ten_thousand_blocks_have_ten_thousand_hashes)
{
	uint64_t state = 1, bits[1u << 10] = { 0 };
	unsigned same = 0;
	/* 44 bits: the chance of one collision is 3 in a million; folded to 16 bits every value turns up about as often. */
	unsigned most = 0, counts[1u << 10] = { 0 };
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t r = test_random(&state);
		uint8_t rest[10] = { 0 };
		memcpy(rest, &r, sizeof r);
		struct ulid u = ulid_make(1700000000000 + i, rest);
		uint64_t h = node_block_hash(&u);
		CHECK(h >> 44 == 0);
		same += bits[h & 1023] == h;
		bits[h & 1023] = h;
		unsigned n = ++counts[h & 1023];
		most = n > most ? n : most;
	}
	CHECK_INT(same, 0);
	CHECK(most < 40);
}

TEST_MAIN()
