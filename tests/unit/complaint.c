/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/complaint.h"

#include "tests/support/test.h"

#define SECOND 1000000ll

static struct complaint c = COMPLAINT_INIT;
static struct complaint_tally tally;

TEST(it_is_said_once_and_again_after_five_minutes_with_how_often)
{
	unsigned said = 0;
	for (int s = 0; s < 299; s++)
		said += complaint_happened(&c, 5, s * SECOND, &tally);
	CHECK_INT(said, 1);
	CHECK_INT(tally.times, 1);
	CHECK(complaint_happened(&c, 5, 300 * SECOND, &tally));
	CHECK_INT(tally.times, 299);
	CHECK_INT((int64_t)tally.seconds, 300);
}

TEST(another_cause_is_said_and_causes_that_take_turns_are_not_said_each_time)
{
	unsigned said = 0;
	for (int i = 0; i < 100; i++)
		said += complaint_happened(&c, i % 3, i, &tally);
	CHECK_INT(said, 3);
	for (int i = 0; i < 1000; i++)
		said += complaint_happened(&c, i, i, &tally);
	CHECK_INT(said, COMPLAINT_CAUSES);
}

TEST(its_end_is_said_once_with_how_long_and_how_many)
{
	CHECK(!complaint_is_over(&c, 0, 0, &tally));
	for (int s = 10; s <= 20; s++)
		complaint_happened(&c, 1, s * SECOND, &tally);
	CHECK(!complaint_is_over(&c, 5000, 22 * SECOND, &tally));
	CHECK(complaint_is_over(&c, 5000, 26 * SECOND, &tally));
	CHECK_INT(tally.times, 11);
	CHECK_INT((int64_t)tally.seconds, 10);
	CHECK(!complaint_is_over(&c, 5000, 27 * SECOND, &tally));
	CHECK(complaint_happened(&c, 1, 30 * SECOND, &tally));
	CHECK_INT(tally.times, 1);
}

TEST_MAIN()
