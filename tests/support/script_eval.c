/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/script_eval.h"

#include "lib/base/duration.h"
#include "lib/base/go_float.h"
#include "lib/promql/annotations.h"
#include "lib/promql/lex_string.h"

#include <errno.h>

/* The next word of a line, NUL-terminated in the arena; *p is moved to the one behind. */
static const char *next_word(const char **p, struct arena *a)
{
	*p += strspn(*p, " \t");
	size_t n = strcspn(*p, " \t");
	const char *word = arena_strndup(a, *p, n);
	*p += n;
	*p += strspn(*p, " \t");
	return word;
}

static bool takes_word(const char **p, const char *word)
{
	size_t n = strlen(word);
	if (strncmp(*p, word, n) != 0 || !strchr(" \t", (*p)[n]))
		return false;
	*p += n;
	*p += strspn(*p, " \t");
	return true;
}

static int parse_word(const char **p, const char *word, struct arena *a, int64_t *ms, struct err *e)
{
	if (!takes_word(p, word))
		return err_set(e, -EINVAL, "\"%s\" is missing at \"%s\"", word, *p);
	return duration_parse(next_word(p, a), ms, e);
}

/* from T to T step D */
static int parse_range(const char **p, struct arena *a, struct script_eval *s, struct err *e)
{
	int r = parse_word(p, "from", a, &s->start, e);
	if (r == 0)
		r = parse_word(p, "to", a, &s->end, e);
	if (r == 0)
		r = parse_word(p, "step", a, &s->step, e);
	if (r == 0 && (s->end < s->start || s->step <= 0))
		r = err_set(e, -EINVAL, "a range has no steps");
	return r;
}

static int parse_command(const char *line, struct arena *a, struct script_eval *s, struct err *e)
{
	const char *p = line, *word = next_word(&p, a);
	if (strcmp(word, "eval_fail") == 0)
		s->fails = true;
	else if (strcmp(word, "eval_ordered") == 0)
		s->is_ordered = true;
	else if (strcmp(word, "eval_warn") == 0)
		s->has_notes[ANNOTATION_WARNING] = true;
	else if (strcmp(word, "eval_info") == 0)
		s->has_notes[ANNOTATION_INFO] = true;
	else if (strcmp(word, "eval") != 0)
		return err_set(e, -EINVAL, "unknown command %s", word);
	s->is_range = takes_word(&p, "range");
	int r;
	if (s->is_range) {
		r = parse_range(&p, a, s, e);
	} else {
		if (!takes_word(&p, "instant"))
			return err_set(e, -EINVAL, "eval is followed by instant or range");
		r = parse_word(&p, "at", a, &s->start, e);
		s->end = s->start;
	}
	s->query = text_of(p);
	return r;
}

/* "msg: WORDS", "regex: WORDS", or nothing. */
static int parse_words(const char *p, struct wanted_list *out, struct err *e)
{
	struct wanted_words w = { 0 };
	if (!*p) {
		vec_push(out, w);
		return 0;
	}
	bool is_regex = strncmp(p, "regex:", 6) == 0;
	if (!is_regex && strncmp(p, "msg:", 4) != 0)
		return err_set(e, -EINVAL, "neither msg: nor regex: at \"%s\"", p);
	p = strchr(p, ':') + 1;
	w.text = text_of(p + strspn(p, " \t"));
	if (is_regex) {
		/* Found anywhere, while ours match the whole. */
		auto_free char *anywhere = xasprintf(".*(?:%s).*", w.text.p);
		int r = regex_compile(anywhere, strlen(anywhere), &w.regex, e);
		if (r < 0)
			return r;
	}
	vec_push(out, w);
	return 0;
}

/* Behind "expect". */
static int parse_expect(const char *p, struct arena *a, struct script_eval *s, struct err *e)
{
	if (takes_word(&p, "string")) {
		struct lexer l;
		struct token t;
		lex_init(&l, p, strlen(p), a);
		lex_next(&l, &t);
		if (t.kind != TOKEN_STRING)
			return err_set(e, -EINVAL, "a quoted string is missing");
		s->wants_string = true;
		s->string = string_value(t.text, a);
		return 0;
	}
	if (takes_word(&p, "range") && takes_word(&p, "vector")) {
		if (s->is_range)
			return err_set(e, -EINVAL, "a range query has no range vector");
		s->wants_matrix = true;
		return parse_range(&p, a, s, e);
	}
	const char *word = next_word(&p, a);
	if (strcmp(word, "ordered") == 0) {
		s->is_ordered = true;
	} else if (strcmp(word, "no_warn") == 0) {
		s->lacks_notes[ANNOTATION_WARNING] = true;
	} else if (strcmp(word, "no_info") == 0) {
		s->lacks_notes[ANNOTATION_INFO] = true;
	} else if (strcmp(word, "warn") == 0) {
		return parse_words(p, &s->notes[ANNOTATION_WARNING], e);
	} else if (strcmp(word, "info") == 0) {
		return parse_words(p, &s->notes[ANNOTATION_INFO], e);
	} else if (strcmp(word, "fail") == 0) {
		s->fails = true;
		return s->error.len ? err_set(e, -EINVAL, "a query fails only once")
				    : parse_words(p, &s->error, e);
	} else {
		return err_set(e, -EINVAL, "expect is followed by \"%s\"", word);
	}
	return 0;
}

/* The two old forms of "expect fail ...", which end the command. */
static bool parse_old_fail(const char *line, struct script_eval *s, int *r, struct err *e)
{
	static const char *const old[] = { "expected_fail_message", "expected_fail_regexp" };
	for (size_t i = 0; s->fails && i < ARRAY_LEN(old); i++) {
		size_t n = strlen(old[i]);
		if (strncmp(line, old[i], n) != 0)
			continue;
		auto_free char *now = xasprintf("%s:%s", i ? "regex" : "msg", line + n);
		*r = parse_words(now, &s->error, e);
		if (*r == 0 && !i)
			s->error.data[0].text = text_of(line + n + strspn(line + n, " \t"));
		return true;
	}
	return false;
}

static int parse_series(const char *line, struct arena *a, struct script_eval *s, struct err *e)
{
	struct noted_series series;
	int r = noted_series_parse(line, a, &series, e);
	vec_push(&s->series, series);
	if (r == 0 && !s->is_range && !s->wants_matrix && series.points.len != 1)
		r = err_set(e, -EINVAL, "an instant query gives one value a series");
	return r;
}

/* Whole numbers may be octal or hexadecimal. */
static bool parse_scalar(const char *line, double *out)
{
	char *end;
	errno = 0;
	long long whole = strtoll(line, &end, 0);
	if (end > line && !*end && !errno) {
		*out = (double)whole;
		return true;
	}
	return go_float_parse(line, strlen(line), out);
}

int script_eval_parse(const char *const *lines, size_t n, struct arena *a, struct script_eval *out,
	size_t *bad, struct err *e)
{
	*out = (struct script_eval){ 0 };
	*bad = 0;
	int r = parse_command(lines[0], a, out, e);
	for (size_t i = 1; r == 0 && i < n; i++) {
		const char *p = lines[i];
		*bad = i;
		if (parse_old_fail(p, out, &r, e))
			return r < 0 ? r : (int)i + 1;
		if (takes_word(&p, "expect"))
			r = parse_expect(p, a, out, e);
		else if (parse_scalar(p, &out->scalar)) {
			out->wants_scalar = true;
			return (int)i + 1;
		} else
			r = parse_series(p, a, out, e);
	}
	return r < 0 ? r : (int)n;
}

static void words_fini(struct wanted_list *l)
{
	vec_each (w, l)
		regex_free(w->regex);
	vec_fini(l);
}

void script_eval_fini(struct script_eval *s)
{
	words_fini(&s->error);
	words_fini(&s->notes[0]);
	words_fini(&s->notes[1]);
	vec_each (series, &s->series)
		noted_series_fini(series);
	vec_fini(&s->series);
}

bool wanted_words_are(const struct wanted_words *w, const char *text)
{
	if (!w->text.len)
		return true;
	return w->regex ? regex_matches(w->regex, text, strlen(text)) : strcmp(w->text.p, text) == 0;
}
