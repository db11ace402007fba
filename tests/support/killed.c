/* SPDX-License-Identifier: Apache-2.0 */
/* The child is traced by its parent from the moment it stops itself. */
#include "tests/support/killed.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int wait_for(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, __WALL) < 0)
		CHECK(errno == EINTR);
	return status;
}

static pid_t start(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		fn(arg);
		_exit(0);
	}
	int status = wait_for(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		test_skip("processes can't be traced here");
	CHECK(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL);
	return pid;
}

/* False: it has come to its end. */
static bool go_on(pid_t pid, enum killed_step step)
{
	CHECK(ptrace(step == KILLED_CALL ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
	int status = wait_for(pid);
	if (WIFSTOPPED(status)) {
		CHECK_INT(WSTOPSIG(status), SIGTRAP);
		return true;
	}
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
	return false;
}

bool killed_at(enum killed_step step, unsigned long at, void (*fn)(void *arg), void *arg)
{
	pid_t pid = start(fn, arg);
	for (unsigned long i = 0; i < at; i++)
		if (!go_on(pid, step))
			return false;
	kill(pid, SIGKILL);
	CHECK(WIFSIGNALED(wait_for(pid)));
	return true;
}

/* Looks only at pages that exist: the others are as they were. Brings the copy up to date. */
static bool has_changed(const char *memory, char *copy, size_t n)
{
	enum { PAGE = 4096, PAGES = 256 };
	bool changed = false;
	for (size_t from = 0; from < n; from += (size_t)PAGE * PAGES) {
		unsigned char exists[PAGES];
		size_t part = MIN_OF(n - from, (size_t)PAGE * PAGES);
		CHECK(mincore((void *)(uintptr_t)(memory + from), part, exists) == 0);
		for (size_t i = 0; i * PAGE < part; i++) {
			size_t at = from + i * PAGE, size = MIN_OF(n - at, (size_t)PAGE);
			if (!(exists[i] & 1) || !memcmp(copy + at, memory + at, size))
				continue;
			memcpy(copy + at, memory + at, size);
			changed = true;
		}
	}
	return changed;
}

size_t killed_changes(
	void (*fn)(void *arg), void *arg, const void *memory, size_t n, unsigned long *at, size_t max)
{
	size_t found = 0;
	auto_free char *copy = xcalloc(1, n);
	has_changed(memory, copy, n);
	pid_t pid = start(fn, arg);
	at[found++] = 0;
	for (unsigned long i = 1; go_on(pid, KILLED_INSTRUCTION); i++) {
		if (!has_changed(memory, copy, n))
			continue;
		CHECK(found < max);
		at[found++] = i;
	}
	return found;
}

void *killed_shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	return p;
}
