/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs test scripts in the language of Prometheus' own (promql/promqltest/README.md): load series, evaluate, compare.
 *
 * Each instant query is asked several times, as upstream does: as it is, with @ in every place at other times, and in the middle of a
 * range of three steps; all have to give the same.
 */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct script_result {
	size_t passed, failed; /* commands `eval`, and whatever can't be read */
	struct buf complaints; /* a line for each that failed: FILE:LINE: QUERY: what was got and wanted */
};

/* Adds to the result. `name` stands for the file in complaints. */
void script_run(const char *name, const char *text, size_t n, struct script_result *out);

/* The same of a file. */
int script_run_file(const char *path, struct script_result *out, struct err *e);

/* And of all files of a directory whose names end with .test, in the order of their names. Returns how many. */
int script_run_directory(const char *path, struct script_result *out, struct err *e);

static inline void mem_auto_script_result(struct script_result *r)
{
	buf_fini(&r->complaints);
}

#endif
