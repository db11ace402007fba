/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts of queries and their answers: ours in tests/promql/, and Prometheus' own, which are no part of this project and may not be there.
 * Of the latter every expression also prints as what parses to the same.
 */
#include "lib/base/file.h"
#include "lib/promql/parse.h"

#include "tests/support/script.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <stdio.h>

#define SCRIPTS "../shared/promqltest"

static const struct promql_features all = { true, true, true, true };

static void print(const char *place, const char *query, size_t n, struct buf *out)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	auto_buf struct buf error = { 0 };
	struct expr *e = NULL;
	if (promql_parse(query, n, &all, a, &e, &error) < 0)
		test_fail(__FILE__, __LINE__, "%s: %.*s: %s", place, (int)n, query, buf_str(&error));
	promql_print(e, out);
	promql_free(e);
}

/* The expression of "eval instant at T EXPR" or "eval range from T to T step D EXPR"; NULL: the line is none of these. */
static const char *expression(const char *line)
{
	line += strspn(line, " \t");
	if (strncmp(line, "eval", 4) != 0)
		return NULL;
	line += strcspn(line, " ");
	line += strspn(line, " ");
	int words = strncmp(line, "range ", 6) == 0 ? 7 : strncmp(line, "instant at ", 11) == 0 ? 3 : 1;
	for (int i = 0; i < words; i++) {
		line += strcspn(line, " \t");
		line += strspn(line, " \t");
	}
	return line;
}

static size_t check_script(const char *path)
{
	struct err e;
	auto_buf struct buf text = { 0 };
	CHECK_OK(file_read(path, 16 << 20, &text, &e), &e);
	size_t n = 0;
	for (char *save, *line = strtok_r((char *)buf_str(&text), "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		const char *query = expression(line);
		if (!query)
			continue;
		auto_buf struct buf once = { 0 }, twice = { 0 };
		print(path, query, strlen(query), &once);
		print(path, (const char *)once.data, once.len, &twice);
		CHECK_STR(buf_str(&twice), buf_str(&once));
		n++;
	}
	return n;
}

TEST(every_expression_of_upstreams_scripts_parses)
{
	DIR *d = opendir(SCRIPTS);
	if (!d)
		test_skip("there are no scripts in " SCRIPTS);
	size_t n = 0;
	for (struct dirent *entry; (entry = readdir(d));) {
		if (!strstr(entry->d_name, ".test"))
			continue;
		auto_free char *path = xasprintf("%s/%s", SCRIPTS, entry->d_name);
		n += check_script(path);
	}
	closedir(d);
	CHECK(n > 2000);
}

static void run(const char *directory, struct script_result *out)
{
	struct err e;
	int n = script_run_directory(directory, out, &e);
	CHECK_OK(n, &e);
	CHECK(n > 0);
}

TEST(our_scripts_are_answered_as_they_say)
{
	struct script_result r = { 0 };
	run("tests/promql", &r);
	if (r.failed)
		test_fail(__FILE__, __LINE__, "%zu failed:\n%s", r.failed, buf_str(&r.complaints));
	buf_fini(&r.complaints);
}

TEST(upstreams_scripts_are_answered_as_they_say)
{
	DIR *d = opendir(SCRIPTS);
	if (!d)
		test_skip("there are no scripts in " SCRIPTS);
	closedir(d);
	struct script_result r = { 0 };
	run(SCRIPTS, &r);
	if (r.failed)
		test_fail(__FILE__, __LINE__, "%zu failed:\n%s", r.failed, buf_str(&r.complaints));
	CHECK(r.passed > 2000);
	buf_fini(&r.complaints);
}

TEST_MAIN()
