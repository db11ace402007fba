/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/deadline.h"

#include "lib/base/clock.h"
#include "tests/support/test.h"

TEST(no_deadline_leaves_all_the_time_there_is)
{
	CHECK(deadline_left_us() == INT64_MAX);
	CHECK_INT(deadline_get().until_us, 0);
}

TEST(an_inner_deadline_can_only_be_earlier)
{
	int64_t now = clock_monotonic_us();
	struct deadline none = deadline_enter((struct deadline){ .until_us = now + 60000000 });
	struct deadline outer = deadline_enter((struct deadline){ .until_us = now + 90000000 });
	CHECK_INT(deadline_get().until_us, now + 60000000);
	deadline_leave(outer);
	outer = deadline_enter((struct deadline){ .each_ms = 5 });
	CHECK_INT(deadline_get().until_us, now + 60000000);
	CHECK_INT(deadline_get().each_ms, 5);
	deadline_leave(outer);
	outer = deadline_enter((struct deadline){ .until_us = 1 });
	CHECK_INT(deadline_left_us(), 0);
	deadline_leave(outer);
	CHECK(deadline_left_us() > 30000000);
	deadline_leave(none);
	CHECK(deadline_left_us() == INT64_MAX);
}

TEST_MAIN()
