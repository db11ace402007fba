/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main of a fuzzer that is built without libFuzzer: feeds it every file named on the command line, or
 * found in a directory named there. Each input runs in a process of its own, so a crash or a hang is one
 * failure and names its file; the input stands at the end of its allocation, so that a sanitizer sees a read
 * past it.
 */
#include "lib/base/buf.h"
#include "lib/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_LIMIT   20
#define INPUT_MAX_BYTES (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct tally {
	unsigned passed, failed;
};

static int feed(const char *path)
{
	struct err e;
	auto_buf struct buf b = { 0 };
	if (file_read(path, INPUT_MAX_BYTES, &b, &e) < 0) {
		fprintf(stderr, "  %s\n", e.msg);
		return 1;
	}
	auto_free uint8_t *exact = xmalloc(b.len ? b.len : 1);
	if (b.len)
		memcpy(exact, b.data, b.len);
	return LLVMFuzzerTestOneInput(exact, b.len);
}

static void replay_file(const char *path, struct tally *t)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(SECONDS_LIMIT);
		exit(feed(path) != 0);
	}
	int status = 1;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status == 0) {
		t->passed++;
		return;
	}
	t->failed++;
	if (WIFSIGNALED(status))
		printf("FAILED %s: killed by %s\n", path, strsignal(WTERMSIG(status)));
	else
		printf("FAILED %s\n", path);
}

static void replay(const char *path, struct tally *t)
{
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		replay_file(path, t);
		return;
	}
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			auto_free char *below = xasprintf("%s/%s", path, names[i]->d_name);
			replay(below, t);
		}
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	struct tally t = { 0 };
	for (int i = 1; i < argc; i++)
		replay(argv[i], &t);
	if (t.passed + t.failed == 0) {
		printf("FAILED: no input to replay\n");
		t.failed = 1;
	}
	printf("%u passed, %u failed\n", t.passed, t.failed);
	return t.failed > 0;
}
