/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/fault_guard.h"

#include "lib/base/mem.h"
#include "lib/base/thread.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 4

/* A mapping of PAGES pages whose file is empty. */
static volatile uint8_t *map_nothing(void)
{
	auto_free char *path = xasprintf("%s/file", test_dir());
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	size_t bytes = PAGES * (size_t)sysconf(_SC_PAGESIZE);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && ftruncate(fd, 0) == 0);
	close(fd);
	return p;
}

static int touch(void *p, struct err *e)
{
	(void)e;
	return 100 + *(volatile uint8_t *)p;
}

TEST(a_page_that_is_gone_fails_what_touched_it)
{
	struct err e;
	void *gone = (void *)(uintptr_t)map_nothing();
	for (int i = 0; i < 3; i++) {
		CHECK_INT(fault_guard_run(touch, gone, &e), -EIO);
		CHECK_HAS(e.msg, "can't be read");
	}
	uint8_t there = 7;
	CHECK_INT(fault_guard_run(touch, &there, &e), 107);
}

struct nest {
	void *gone;
	int inner;
};

static int nested(void *arg, struct err *e)
{
	struct nest *n = arg;
	n->inner = fault_guard_run(touch, n->gone, e);
	return touch(n->gone, e);
}

TEST(guards_can_be_nested)
{
	struct err e;
	struct nest n = { .gone = (void *)(uintptr_t)map_nothing() };
	CHECK_INT(fault_guard_run(nested, &n, &e), -EIO);
	CHECK_INT(n.inner, -EIO);
}

static void *many_faults(void *gone)
{
	struct err e;
	uintptr_t wrong = 0;
	uint8_t there = 1;
	for (int i = 0; i < 1000; i++) {
		wrong += fault_guard_run(touch, gone, &e) != -EIO;
		wrong += fault_guard_run(touch, &there, &e) != 101;
	}
	return (void *)wrong;
}

TEST(each_thread_has_its_own_guards)
{
	pthread_t threads[4];
	void *gone = (void *)(uintptr_t)map_nothing(), *wrong;
	for (int i = 0; i < 4; i++)
		CHECK_INT(thread_start(&threads[i], 0, 0, many_faults, gone), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_INT(pthread_join(threads[i], &wrong), 0);
		CHECK(wrong == NULL);
	}
}

static int fine(void *arg, struct err *e)
{
	(void)arg, (void)e;
	return 0;
}

/* How a process ends that installs a handler, or not, and then faults, or sends itself the signal, outside of a guard. */
static int end_of(void (*handler)(int), bool is_fault)
{
	volatile uint8_t *gone = map_nothing();
	struct err e;
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		signal(SIGBUS, handler);
		fault_guard_run(fine, NULL, &e);
		if (is_fault)
			_exit(*gone);
		raise(SIGBUS);
		_exit(0);
	}
	int status;
	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void ours(int number)
{
	_exit(number == SIGBUS ? 42 : 1);
}

TEST(outside_of_a_guard_the_signal_does_what_it_did_before)
{
	CHECK_INT(end_of(SIG_DFL, true), -SIGBUS);
	CHECK_INT(end_of(SIG_DFL, false), -SIGBUS);
	CHECK_INT(end_of(ours, true), 42);
	CHECK_INT(end_of(ours, false), 42);
	CHECK_INT(end_of(SIG_IGN, false), 0);
}

TEST_MAIN()
