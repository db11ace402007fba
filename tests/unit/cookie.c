/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cookie.h"

#include "fs/name_list.h"
#include "fs/node_id.h"
#include "tests/support/test.h"

#include <stdio.h>

TEST(cookies_keep_the_order_of_phases_and_numbers)
{
	uint64_t in_order[] = { COOKIE_DOT, COOKIE_DOTDOT, cookie_make(COOKIE_FIXED, COOKIE_FIRST),
		cookie_make(COOKIE_BLOCKS, 0), cookie_make(COOKIE_BLOCKS, (1ull << 44) - 1),
		cookie_make(COOKIE_NAMES, 0), cookie_make(COOKIE_NAMES, (1ull << 60) - 1) };
	for (size_t i = 1; i < sizeof in_order / sizeof *in_order; i++)
		CHECK(in_order[i - 1] < in_order[i]);
	CHECK(in_order[6] >> 63 == 0);
}

TEST(a_listing_goes_on_behind_its_cookie_and_with_the_phases_after_it)
{
	uint64_t at = cookie_make(COOKIE_BLOCKS, 41);
	CHECK(cookie_next(at, COOKIE_FIXED) == UINT64_MAX);
	CHECK_INT(cookie_next(at, COOKIE_BLOCKS), 42);
	CHECK_INT(cookie_next(at, COOKIE_NAMES), 0);
	CHECK_INT(cookie_next(0, COOKIE_FIXED), 1);
	CHECK_INT(cookie_next(0, COOKIE_BLOCKS), 0);
}

/* Reads a directory in small pieces while names come and go; `there` says which are there at each step. */
TEST(no_entry_twice_and_none_that_stays_is_lost_while_names_come_and_go)
{
	enum { NAMES = 400 };
	static bool there[NAMES], stayed[NAMES];
	static unsigned shown[NAMES];
	uint64_t state = 7;
	for (unsigned i = 0; i < NAMES; i++)
		there[i] = stayed[i] = test_random(&state) & 1;
	uint64_t cookie = 0;
	for (bool more = true; more;) {
		struct name_list *l = name_list_new(1);
		for (unsigned i = 0; i < NAMES; i++) {
			char name[16];
			int n = snprintf(name, sizeof name, "%06u", i);
			if (there[i])
				name_list_add(l, name, (size_t)n)->number = i;
		}
		name_list_sort(l);
		size_t at = name_list_from(l, cookie_next(cookie, COOKIE_NAMES));
		more = at < l->entries.len;
		for (size_t end = at + 7; at < end && at < l->entries.len; at++) {
			shown[l->entries.data[at].number]++;
			cookie = cookie_make(COOKIE_NAMES, l->entries.data[at].hash);
		}
		name_list_unref(l);
		for (unsigned k = 0; k < 20; k++) {
			unsigned i = (unsigned)(test_random(&state) % NAMES);
			there[i] = !there[i];
			stayed[i] = false;
		}
	}
	for (unsigned i = 0; i < NAMES; i++) {
		CHECK(shown[i] <= 1);
		CHECK(!stayed[i] || shown[i] == 1);
	}
}

TEST(the_cache_gives_the_last_list_of_a_directory_and_forgets_old_ones)
{
	struct name_cache *c = name_cache_new();
	for (uint64_t dir = 1; dir <= 20; dir++) {
		struct name_list *l = name_list_new(dir);
		name_cache_put(c, l);
		name_list_unref(l);
	}
	CHECK(name_cache_get(c, 1) == NULL);
	struct name_list *again = name_list_new(20);
	name_cache_put(c, again);
	struct name_list *got = name_cache_get(c, 20);
	CHECK(got == again);
	name_list_unref(got);
	name_list_unref(again);
	name_cache_free(c);
}

TEST_MAIN()
