/* SPDX-License-Identifier: Apache-2.0 */
#include "store/parallel.h"

#include "lib/base/deadline.h"

#include "tests/support/test.h"

#include <stdatomic.h>

#define MOST 5000

static atomic_uint calls[MOST];

static void count_call(void *arg, size_t i)
{
	(void)arg;
	atomic_fetch_add(&calls[i], 1);
}

TEST(every_number_is_done_once_whatever_the_threads)
{
	static const size_t ns[] = { 0, 1, 2, 63, 64, 65, MOST }, threads[] = { 0, 1, 2, 64, 1000 };
	unsigned rounds = 0;
	for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++) {
		for (size_t k = 0; k < sizeof threads / sizeof threads[0]; k++) {
			memset(calls, 0, sizeof calls);
			parallel_each(ns[i], threads[k], count_call, NULL);
			for (size_t at = 0; at < MOST; at++)
				CHECK_INT(calls[at], at < ns[i]);
			rounds++;
		}
	}
	CHECK_INT(rounds, 35);
}

static void check_deadline(void *arg, size_t i)
{
	(void)arg, (void)i;
	CHECK_INT(deadline_get().each_ms, 1234);
}

TEST(helpers_have_the_deadline_of_who_waits_for_them)
{
	struct deadline before = deadline_enter((struct deadline){ .each_ms = 1234 });
	parallel_each(100, 4, check_deadline, NULL);
	CHECK_INT(deadline_get().each_ms, 1234);
	deadline_leave(before);
	CHECK_INT(deadline_get().each_ms, 0);
}

TEST_MAIN()
