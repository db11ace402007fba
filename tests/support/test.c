/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "lib/base/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_FAILED  1
#define STATUS_SKIPPED 77
#define SECONDS_LIMIT  120

static struct test *first, **last = &first;
static char directory[64];

void test_register(struct test *t)
{
	*last = t;
	last = &t->next;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "  %s:%d: ", file, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(STATUS_FAILED);
}

void test_skip(const char *why)
{
	fprintf(stderr, "  SKIPPED: %s\n", why);
	exit(STATUS_SKIPPED);
}

const char *test_dir(void)
{
	struct err e;
	if (file_mkdirs(directory, 0700, &e) < 0)
		test_fail(__FILE__, __LINE__, "%s", e.msg);
	return directory;
}

static int run(const struct test *t)
{
	snprintf(directory, sizeof directory, "/tmp/thanosfs-test-%d", getpid());
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(SECONDS_LIMIT);
		t->run();
		exit(0);
	}
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	file_remove_tree(directory, NULL);
	if (WIFSIGNALED(status))
		fprintf(stderr, "  killed by %s\n", strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
}

static bool is_selected(const struct test *t, int argc, char **argv)
{
	bool any = argc < 2;
	for (int i = 1; i < argc; i++)
		any |= strstr(t->name, argv[i]) != NULL;
	return any;
}

int test_main(int argc, char **argv)
{
	int passed = 0, failed = 0, skipped = 0;
	for (struct test *t = first; t; t = t->next) {
		if (!is_selected(t, argc, argv))
			continue;
		int status = run(t);
		passed += status == 0;
		skipped += status == STATUS_SKIPPED;
		failed += status != 0 && status != STATUS_SKIPPED;
		if (status != 0)
			printf("%s %s\n", status == STATUS_SKIPPED ? "SKIPPED" : "FAILED", t->name);
	}
	if (skipped)
		printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	else
		printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
