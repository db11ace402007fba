/* SPDX-License-Identifier: Apache-2.0 */
/* Runs test scripts, files or directories of them: says what failed, then "N passed, N failed". See tests/support/script.h. */
#include "tests/support/script.h"

#include <stdio.h>
#include <sys/stat.h>

static int run(const char *path, struct script_result *out, struct err *e)
{
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return script_run_directory(path, out, e);
	return script_run_file(path, out, e);
}

int main(int argc, char **argv)
{
	__attribute__((cleanup(mem_auto_script_result))) struct script_result result = { 0 };
	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE-OR-DIRECTORY...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		struct err e;
		if (run(argv[i], &result, &e) < 0) {
			fprintf(stderr, "%s\n", e.msg);
			return 2;
		}
	}
	fputs(buf_str(&result.complaints), stdout);
	printf("%zu passed, %zu failed\n", result.passed, result.failed);
	return result.failed > 0;
}
