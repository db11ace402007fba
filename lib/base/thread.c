/* SPDX-License-Identifier: Apache-2.0 */
/* A new thread has the mask of the one that makes it, so that is changed for the moment: there is no instant at which the new one
 * could be interrupted. */
#include "lib/base/thread.h"

#include <signal.h>

int thread_start(pthread_t *out, size_t stack_bytes, int signal, void *(*fn)(void *arg), void *arg)
{
	static const int faults[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP };
	sigset_t block, before;
	pthread_attr_t attr;
	sigfillset(&block);
	/* The kernel ends the process where it can't deliver one of these, handler or not. */
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&block, faults[i]);
	if (signal)
		sigdelset(&block, signal);
	pthread_attr_init(&attr);
	if (stack_bytes)
		pthread_attr_setstacksize(&attr, stack_bytes);
	pthread_sigmask(SIG_SETMASK, &block, &before);
	int r = pthread_create(out, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}
