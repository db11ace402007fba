/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/sorted.h"

#include "tests/support/test.h"

TEST(the_first_place_that_is_not_before_is_found_in_lists_of_any_length)
{
	int list[40];
	for (size_t n = 0; n <= 40; n++) {
		for (size_t i = 0; i < n; i++)
			list[i] = (int)(i / 3 * 2); /* 0 0 0 2 2 2 4 ... */
		for (int want = -1; want < 30; want++) {
			size_t first = 0;
			while (first < n && list[first] < want)
				first++;
			CHECK_INT(lower_bound(i, n, list[i] < want), first);
		}
	}
}

TEST(an_empty_list_is_not_looked_at)
{
	const int *list = NULL;
	CHECK_INT(lower_bound(i, 0, list[i] < 1), 0);
}

TEST_MAIN()
