/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/interrupt.h"

#include "tests/support/test.h"

#include <errno.h>

struct asked {
	unsigned times, until;
};

static int ask(void *arg)
{
	struct asked *a = arg;
	return ++a->times > a->until ? -ECANCELED : 0;
}

TEST(where_nobody_asked_to_be_asked_everything_goes_on)
{
	CHECK_INT(interrupt_after(UINT64_C(1) << 40), 0);
}

TEST(it_is_asked_once_for_so_much_work_and_what_is_over_stays_over)
{
	struct asked a = { .until = 3 };
	struct interrupt i = { .ask = ask, .arg = &a }, *before = interrupt_enter(&i);
	unsigned turns = 0;
	while (interrupt_after(INTERRUPT_CREDIT / 16) == 0)
		turns++;
	CHECK_INT(a.times, 4);
	CHECK_INT(turns, 1 + 2 * 16 + 15);
	CHECK_INT(interrupt_after(0), -ECANCELED);
	CHECK_INT(interrupt_after(1), -ECANCELED);
	interrupt_leave(before);
	CHECK_INT(interrupt_after(UINT64_C(1) << 40), 0);
}

TEST(within_another_one_the_inner_one_is_asked)
{
	struct asked a = { .until = 0 }, b = { .until = 100 };
	struct interrupt outer = { .ask = ask, .arg = &a }, inner = { .ask = ask, .arg = &b };
	struct interrupt *none = interrupt_enter(&outer), *before = interrupt_enter(&inner);
	CHECK_INT(interrupt_after(1), 0);
	interrupt_leave(before);
	CHECK_INT(interrupt_after(1), -ECANCELED);
	interrupt_leave(none);
}

TEST_MAIN()
