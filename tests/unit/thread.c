/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/thread.h"

#include "tests/support/test.h"

#include <signal.h>

struct seen {
	sigset_t mask;
	size_t stack_bytes;
};

static void *look(void *arg)
{
	struct seen *s = arg;
	pthread_attr_t attr;
	pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &s->stack_bytes);
	pthread_attr_destroy(&attr);
	return s;
}

static struct seen see(size_t stack_bytes, int signal)
{
	struct seen seen;
	pthread_t thread;
	void *result;
	CHECK_INT(thread_start(&thread, stack_bytes, signal, look, &seen), 0);
	CHECK_INT(pthread_join(thread, &result), 0);
	CHECK(result == &seen);
	return seen;
}

TEST(a_thread_takes_no_signal_but_the_one_that_is_named_and_its_own_faults)
{
	sigset_t before, after;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	struct seen none = see(0, 0), one = see(0, SIGUSR1);
	CHECK(sigismember(&none.mask, SIGTERM) && sigismember(&none.mask, SIGUSR1));
	CHECK(sigismember(&one.mask, SIGTERM) && !sigismember(&one.mask, SIGUSR1));
	CHECK(!sigismember(&none.mask, SIGBUS) && !sigismember(&none.mask, SIGSEGV));
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int i = 1; i < NSIG; i++)
		CHECK_INT(sigismember(&after, i), sigismember(&before, i));
}

TEST(a_thread_has_the_stack_that_it_was_given)
{
	CHECK_INT(see(1u << 20, 0).stack_bytes, 1u << 20);
	CHECK_INT(see(3u << 20, 0).stack_bytes, 3u << 20);
}

TEST_MAIN()
