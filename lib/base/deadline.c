/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/deadline.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

static _Thread_local struct deadline current;

struct deadline deadline_enter(struct deadline d)
{
	struct deadline before = current;
	current = d;
	if (before.until_us && (!d.until_us || before.until_us < d.until_us))
		current.until_us = before.until_us;
	return before;
}

void deadline_leave(struct deadline before)
{
	current = before;
}

struct deadline deadline_get(void)
{
	return current;
}

int64_t deadline_left_us(void)
{
	if (!current.until_us)
		return INT64_MAX;
	return MAX_OF(current.until_us - clock_monotonic_us(), 0);
}
