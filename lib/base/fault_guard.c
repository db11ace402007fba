/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The innermost guard of a thread is a jump buffer that the handler jumps to. Saving the signal mask there would cost a system call a
 * guard; the kernel has saved it, too, for the return from the handler, and that one is put back.
 */
#include "lib/base/fault_guard.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

struct guard {
	sigjmp_buf back;
	struct guard *outer;
};

static _Thread_local struct guard *volatile innermost;
static struct sigaction before;

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	/* A code of 0 or less: somebody sent the signal, no page is missing. */
	if (innermost && info->si_code > 0) {
		pthread_sigmask(SIG_SETMASK, &((const ucontext_t *)context)->uc_sigmask, NULL);
		siglongjmp(innermost->back, 1);
	}
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(number, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(number);
	} else if (info->si_code > 0 || before.sa_handler == SIG_DFL) {
		/* The instruction is run again, or the signal given again, and does what it would have done. */
		signal(number, SIG_DFL);
		if (info->si_code <= 0)
			raise(number);
	}
}

static void install(void)
{
	struct sigaction ours = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	sigemptyset(&ours.sa_mask);
	sigaction(SIGBUS, &ours, &before);
}

int fault_guard_run(int (*fn)(void *arg, struct err *e), void *arg, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct guard g;
	pthread_once(&once, install);
	g.outer = innermost;
	if (sigsetjmp(g.back, 0)) {
		innermost = g.outer;
		return err_set(e, -EIO,
			"a page of a mapped file can't be read: the file became shorter, or its disk or "
			"mount is gone");
	}
	innermost = &g;
	int r = fn(arg, e);
	innermost = g.outer;
	return r;
}
