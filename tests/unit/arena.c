/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/arena.h"

#include "tests/support/test.h"

#include <stdint.h>
#include <string.h>

TEST(pieces_of_any_size_do_not_overlap)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	enum { PIECES = 300 };
	uint8_t *piece[PIECES];
	for (size_t i = 0; i < PIECES; i++) {
		piece[i] = arena_alloc(a, i * i);
		CHECK((uintptr_t)piece[i] % 16 == 0);
		memset(piece[i], (int)(i & 0xff), i * i);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t k = 0; k < i * i; k++)
			CHECK(piece[i][k] == (i & 0xff));
}

TEST(what_is_released_is_cut_again)
{
	struct budget b = { 0 };
	auto_of(arena) struct arena *a = arena_new(&b);
	arena_alloc(a, 100);
	struct arena_mark m = arena_mark(a);
	void *first = arena_alloc(a, 100000);
	arena_alloc(a, 3000000);
	uint64_t used = b.used;
	for (unsigned i = 0; i < 100; i++) {
		arena_release(a, m);
		CHECK(arena_alloc(a, 100000) == first);
		arena_alloc(a, 3000000);
	}
	CHECK_INT(b.used, used);
}

TEST(a_budget_is_charged_and_gets_everything_back)
{
	struct budget b = { .limit = 1 << 20 };
	struct arena *a = arena_new(&b);
	arena_alloc(a, 1000);
	CHECK(!budget_is_exceeded(&b));
	arena_alloc(a, 1 << 20);
	CHECK(budget_is_exceeded(&b));
	arena_reset(a);
	CHECK(budget_is_exceeded(&b));
	CHECK(b.used < 10000);
	CHECK(b.peak > 1 << 20);
	arena_free(a);
	CHECK_INT(b.used, 0);
}

TEST(texts_are_copied)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	CHECK_STR(arena_strndup(a, "abcdef", 3), "abc");
	CHECK_STR(arena_printf(a, "%d of %s", 7, "nine"), "7 of nine");
	CHECK(memcmp(arena_copy(a, "xyz", 3), "xyz", 3) == 0);
	CHECK_INT(*(uint64_t *)arena_calloc(a, 8), 0);
}

TEST_MAIN()
