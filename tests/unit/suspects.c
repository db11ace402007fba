/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/suspects.h"

#include "fs/shared_state.h"
#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESENT (1ull << 63)

static struct suspects *make(void)
{
	return suspects_attach(xcalloc(1, suspects_bytes()));
}

/* A worker that serves this one and dies. */
static void die_over(struct suspects *s, uint64_t unique, bool is_own_fault)
{
	suspects_begin(s, 0, unique);
	suspects_worker_died(s, is_own_fault);
}

TEST(deaths_are_counted_against_what_was_being_served)
{
	auto_free struct suspects *s = make();
	suspects_begin(s, 0, 10);
	suspects_begin(s, 63, 12);
	suspects_begin(s, 5, 14);
	suspects_end(s, 5);
	suspects_worker_died(s, true);
	CHECK_INT(suspects_deaths(s, 10), 1);
	CHECK_INT(suspects_deaths(s, 12), 1);
	CHECK_INT(suspects_deaths(s, 14), 0);
	CHECK_INT(suspects_served(s, 0), 0);
	die_over(s, 12, true);
	CHECK_INT(suspects_deaths(s, 10), 1);
	CHECK_INT(suspects_deaths(s, 12), 2);
}

TEST(a_request_that_is_given_again_is_the_same)
{
	auto_free struct suspects *s = make();
	die_over(s, 10, true);
	die_over(s, 10 | RESENT, true);
	CHECK_INT(suspects_deaths(s, 10), 2);
	CHECK_INT(suspects_deaths(s, 10 | RESENT), 2);
}

TEST(a_request_that_is_answered_is_forgotten)
{
	auto_free struct suspects *s = make();
	die_over(s, 10, true);
	die_over(s, 12, true);
	suspects_begin(s, 3, 10 | RESENT);
	suspects_end(s, 3);
	CHECK_INT(suspects_deaths(s, 10), 0);
	CHECK_INT(suspects_deaths(s, 12), 1);
}

TEST(kills_from_outside_never_count_however_many)
{
	auto_free struct suspects *s = make();
	for (unsigned i = 0; i < 1000; i++)
		die_over(s, 10, false);
	CHECK_INT(suspects_deaths(s, 10), 0);
	suspects_worker_died(s, true); /* what the last one served is not this one's */
	CHECK_INT(suspects_deaths(s, 10), 0);
}

TEST(a_request_without_a_number_has_no_deaths)
{
	auto_free struct suspects *s = make();
	die_over(s, 0, true);
	CHECK_INT(suspects_deaths(s, 0), 0);
	CHECK_INT(suspects_deaths(s, RESENT), 0);
}

TEST(a_full_table_forgets_those_with_the_fewest_deaths_first)
{
	auto_free struct suspects *s = make();
	die_over(s, 2, true);
	die_over(s, 2, true);
	uint64_t unique = 4;
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < SHARED_SLOTS; i++, unique += 2)
			suspects_begin(s, i, unique);
		suspects_worker_died(s, true);
		for (uint64_t u = unique - 2 * SHARED_SLOTS; u < unique; u += 2)
			CHECK_INT(suspects_deaths(s, u), 1);
	}
	CHECK_INT(suspects_deaths(s, 4), 0);
	CHECK_INT(suspects_deaths(s, 2), 2);
}

TEST(what_was_given_up_is_counted_on_by_the_next_worker)
{
	auto_free struct suspects *s = make();
	CHECK_INT(suspects_gave_up(s), 1);
	suspects_worker_died(s, true);
	CHECK_INT(suspects_gave_up(s), 2);
	CHECK_INT(suspects_given_up(s), 2);
}

/* Of a process that ends by this signal, or else exits. */
static int status_of(int sig, int code)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (!sig)
			_exit(code);
		signal(sig, SIG_DFL); /* a sanitizer's is not asked */
		raise(sig);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	return status;
}

TEST(a_crash_is_told_from_a_kill)
{
	const int crashes[] = { SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE },
		  kills[] = { SIGKILL, SIGTERM, SIGINT };
	for (unsigned i = 0; i < ARRAY_LEN(crashes); i++)
		CHECK(suspects_is_crash(status_of(crashes[i], 0)));
	for (unsigned i = 0; i < ARRAY_LEN(kills); i++)
		CHECK(!suspects_is_crash(status_of(kills[i], 0)));
	CHECK(suspects_is_crash(status_of(0, 99)));
	CHECK(!suspects_is_crash(status_of(0, 0)));
}

TEST_MAIN()
