/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/open_count.h"

#include "tests/support/test.h"

TEST(opens_and_closes_of_a_node_add_up)
{
	struct open_count *c = open_count_new(NULL);
	unsigned left;
	bool is_kept;
	CHECK_INT(open_count_add(c, 7, NULL, 0), 1);
	CHECK_INT(open_count_add(c, 7, NULL, 0), 2);
	CHECK(open_count_drop(c, 7, NULL, 0, &left, &is_kept));
	CHECK_INT(left, 1);
	CHECK_INT(open_count_get(c, 7), 1);
	CHECK(open_count_drop(c, 7, NULL, 0, &left, &is_kept));
	CHECK_INT(left, 0);
	CHECK_INT(open_count_nodes(c), 0);
	open_count_free(c);
}

TEST(a_close_of_what_was_never_seen_open_is_nothing)
{
	struct open_count *c = open_count_new(NULL);
	unsigned left = 99;
	bool is_kept;
	CHECK(!open_count_drop(c, 5, NULL, 0, &left, &is_kept));
	CHECK_INT(left, 0);
	CHECK_INT(open_count_get(c, 5), 0);
	open_count_free(c);
}

TEST(counts_agree_with_a_plain_array_whatever_the_order)
{
	enum { NODES = 500 };
	static unsigned want[NODES];
	struct open_count *c = open_count_new(NULL);
	uint64_t state = 42;
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t r = test_random(&state);
		unsigned node = (unsigned)(r % NODES), left;
		bool is_kept;
		/* Ids that fall close together, so that chains of probes form and are cut. */
		uint64_t id = (uint64_t)(node + 1) << 18;
		if (r >> 32 & 1) {
			CHECK_INT(open_count_add(c, id, NULL, 0), ++want[node]);
		} else {
			bool counted = open_count_drop(c, id, NULL, 0, &left, &is_kept);
			CHECK_INT(counted, want[node] > 0);
			want[node] -= counted;
			CHECK_INT(left, want[node]);
		}
	}
	size_t open = 0;
	for (unsigned node = 0; node < NODES; node++) {
		CHECK_INT(open_count_get(c, (uint64_t)(node + 1) << 18), want[node]);
		open += want[node] > 0;
	}
	CHECK_INT(open_count_nodes(c), open);
	open_count_free(c);
}

static void add_up(void *arg, uint64_t id, unsigned count)
{
	*(uint64_t *)arg += id * count;
}

TEST(each_open_node_is_visited_with_its_count)
{
	struct open_count *c = open_count_new(NULL);
	uint64_t sum = 0;
	open_count_add(c, 10, NULL, 0);
	open_count_add(c, 10, NULL, 0);
	open_count_add(c, 3, NULL, 0);
	open_count_each(c, add_up, &sum);
	CHECK_INT(sum, 23);
	open_count_free(c);
}

TEST_MAIN()
