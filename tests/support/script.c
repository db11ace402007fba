/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/script.h"

#include "lib/base/file.h"
#include "tests/support/at_variants.h"
#include "tests/support/script_check.h"
#include "tests/support/script_load.h"

#include <dirent.h>
#include <errno.h>

#define SCRIPT_MAX_BYTES (16u << 20)

struct script {
	const char *name;
	VEC(const char *) lines; /* without blanks around them; comments are empty */
	struct arena *arena;
	struct memory_source *data;
	struct script_result *result;
};

/* What upstream's test engine is made with (promqltest/test.go, NewTestEngine). */
static const struct promql_options options = {
	.timeout_ms = 100000,
	.max_samples = 10000,
	.threads = 1,
	.features = { true, true, true, true },
	.delayed_name_removal = true,
	.start_times = true,
};

static void split(struct script *s, const char *text, size_t n)
{
	for (const char *end = text + n; text < end;) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end, *next = newline ? newline + 1 : end;
		while (text < stop && strchr(" \t\r", *text))
			text++;
		while (text < stop && strchr(" \t\r", stop[-1]))
			stop--;
		bool is_comment = text < stop && *text == '#';
		vec_push(&s->lines, is_comment ? "" : arena_strndup(s->arena, text, (size_t)(stop - text)));
		text = next;
	}
}

static void complain(struct script *s, size_t line, const char *query, const char *why)
{
	s->result->failed++;
	buf_printf(&s->result->complaints, "%s:%zu: %s%s%s\n", s->name, line + 1, query, *query ? ": " : "",
		why);
}

static void ask(struct script *s, struct text query, bool is_range, int64_t t, const struct script_eval *eval,
	unsigned threads, struct kept_answer *out)
{
	struct promql_options o = options;
	o.threads = threads;
	struct promql_query q = {
		.text = query.p, .n = query.len, .is_range = is_range, .start = t, .end = t
	};
	if (is_range && eval) {
		q.start = eval->start;
		q.end = eval->end;
		q.step = eval->step;
	} else if (is_range) {
		q.start = t - 60000;
		q.end = t + 60000;
		q.step = 60000;
	}
	kept_answer_of(memory_source_of(s->data), &o, &q, out);
}

/* These have other values in a range. */
static bool looks_at_range(struct text query)
{
	static const char *const calls[] = { "start()", "end()", "range()", "step()" };
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (memmem(query.p, query.len, calls[i], strlen(calls[i])))
			return true;
	return false;
}

/* The query at one time, and in the middle of a range. */
static bool check_instant(struct script *s, const struct script_eval *eval, struct text query, int64_t t,
	unsigned threads, struct buf *why)
{
	__attribute__((cleanup(mem_auto_kept_answer))) struct kept_answer once = { 0 }, range = { 0 };
	ask(s, query, false, t, NULL, threads, &once);
	if (!script_check_error(eval, &once, why))
		return false;
	if (once.error)
		return true;
	if (!script_check_notes(eval, &once, why) || !script_check_value(eval, &once, why))
		return false;
	if (eval->wants_matrix || eval->wants_string || looks_at_range(query))
		return true;
	ask(s, query, true, t, NULL, threads, &range);
	buf_add_str(why, "in a range: ");
	if (range.error) {
		buf_printf(why, "failed: %s", buf_str(&range.message));
		return false;
	}
	if (!eval->is_ordered && !script_check_value_at(eval, &range, once.type, t, why))
		return false;
	buf_reset(why);
	return true;
}

/* It, and its variants with @ at other times. */
static bool check_instants(struct script *s, const struct script_eval *eval, struct buf *why)
{
	int64_t t = eval->end;
	if (!check_instant(s, eval, eval->query, t, 1, why))
		return false;
	auto_buf struct buf variant = { 0 };
	if (!at_variant(eval->query, &options.features, t, &variant))
		return true;
	const int64_t times[] = { t ? -10 * t : -1000, 0, t ? t / 5 : 1000, t, 10 * t };
	struct text query = text_of(buf_str(&variant));
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (!check_instant(s, eval, query, times[i], 1 + i % 2, why)) {
			buf_printf(why, " (asked as %s at %lld ms)", query.p, (long long)times[i]);
			return false;
		}
	return true;
}

static bool check_range(struct script *s, const struct script_eval *eval, struct buf *why)
{
	for (unsigned threads = 1; threads <= 2; threads++) {
		__attribute__((cleanup(mem_auto_kept_answer))) struct kept_answer got = { 0 };
		ask(s, eval->query, true, 0, eval, threads, &got);
		if (!script_check_error(eval, &got, why))
			return false;
		if (got.error)
			continue;
		if (!script_check_notes(eval, &got, why) || !script_check_value(eval, &got, why))
			return false;
	}
	return true;
}

/* How many lines it has taken. */
static size_t run_eval(struct script *s, size_t at, size_t n)
{
	auto_of(arena) struct arena *a = arena_new(NULL);
	__attribute__((cleanup(mem_auto_script_eval))) struct script_eval eval;
	struct err e;
	size_t bad;
	int took = script_eval_parse(s->lines.data + at, n, a, &eval, &bad, &e);
	if (took < 0) {
		complain(s, at + bad, "", e.msg);
		return n;
	}
	auto_buf struct buf why = { 0 };
	if (eval.is_range ? check_range(s, &eval, &why) : check_instants(s, &eval, &why))
		s->result->passed++;
	else
		complain(s, at, eval.query.p, buf_str(&why));
	return (size_t)took;
}

static void clear(struct script *s)
{
	memory_source_free(s->data);
	s->data = memory_source_new();
}

/* The n lines from `at` on begin with a command and have no empty one among them; how many of them it has taken. */
static size_t run_command(struct script *s, size_t at, size_t n)
{
	const char *line = s->lines.data[at];
	struct err e;
	size_t bad;
	if (strcmp(line, "clear") == 0) {
		clear(s);
		return 1;
	}
	if (strncmp(line, "eval", 4) == 0)
		return run_eval(s, at, n);
	if (strncmp(line, "load", 4) != 0)
		complain(s, at, line, "unknown command");
	else if (script_load(s->lines.data + at, n, s->data, &bad, &e) < 0)
		complain(s, at + bad, "", e.msg);
	return n;
}

void script_run(const char *name, const char *text, size_t n, struct script_result *out)
{
	struct script s = { .name = name, .arena = arena_new(NULL), .result = out };
	split(&s, text, n);
	clear(&s);
	for (size_t i = 0; i < s.lines.len;) {
		size_t more = 0;
		while (i + more < s.lines.len && *s.lines.data[i + more])
			more++;
		i += more ? run_command(&s, i, more) : 1;
	}
	memory_source_free(s.data);
	vec_fini(&s.lines);
	arena_free(s.arena);
}

int script_run_file(const char *path, struct script_result *out, struct err *e)
{
	auto_buf struct buf text = { 0 };
	int r = file_read(path, SCRIPT_MAX_BYTES, &text, e);
	if (r < 0)
		return r;
	script_run(path, (const char *)text.data, text.len, out);
	return 0;
}

static int is_script(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);
	return n > 5 && strcmp(entry->d_name + n - 5, ".test") == 0;
}

int script_run_directory(const char *path, struct script_result *out, struct err *e)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_script, alphasort), r = 0;
	if (n < 0)
		return err_errno(e, -errno, "listing %s", path);
	for (int i = 0; i < n; i++) {
		auto_free char *file = xasprintf("%s/%s", path, entries[i]->d_name);
		if (r == 0)
			r = script_run_file(file, out, e);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? r : n;
}
