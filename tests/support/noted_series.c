/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/noted_series.h"

#include "lib/base/go_float.h"
#include "lib/promql/lex.h"
#include "lib/promql/lex_string.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/histogram_sum.h"
#include "tests/support/histograms.h"

#include <ctype.h>
#include <errno.h>

static void add(struct noted_points *to, const struct noted_point *point)
{
	struct noted_point p = *point;
	if (p.h)
		p.h = float_histogram_copy(p.h);
	vec_push(to, p);
}

void noted_series_fini(struct noted_series *s)
{
	vec_each (p, &s->points)
		free(p->h);
	vec_fini(&s->points);
}

static struct text unquoted(const struct token *t, struct arena *a)
{
	return string_value(t->text, a);
}

/* One of {name="value", "metric"}; *t is the token behind it. */
static int parse_label(
	struct lexer *l, struct token *t, struct arena *a, struct label_set *out, struct err *e)
{
	bool is_quoted = t->kind == TOKEN_STRING;
	if (!is_quoted && t->kind != TOKEN_IDENTIFIER)
		return err_set(e, -EINVAL, "a label's name is missing");
	struct text name = is_quoted ? unquoted(t, a) : t->text;
	lex_next(l, t);
	if (is_quoted && t->kind != TOKEN_EQUAL) {
		*out = label_set_put(a, out, LABEL_NAME, name);
		return 0;
	}
	if (t->kind != TOKEN_EQUAL)
		return err_set(e, -EINVAL, "label %.*s has no value", (int)name.len, name.p);
	lex_next(l, t);
	if (t->kind != TOKEN_STRING)
		return err_set(e, -EINVAL, "label %.*s has no value", (int)name.len, name.p);
	*out = label_set_put(a, out, name, unquoted(t, a));
	lex_next(l, t);
	return 0;
}

static int parse_braces(const char **p, struct arena *a, struct label_set *out, struct err *e)
{
	struct lexer l;
	struct token t;
	lex_init(&l, *p, strlen(*p), a);
	lex_next(&l, &t);
	for (lex_next(&l, &t); t.kind != TOKEN_RIGHT_BRACE;) {
		int r = parse_label(&l, &t, a, out, e);
		if (r < 0)
			return r;
		if (t.kind == TOKEN_COMMA)
			lex_next(&l, &t);
		else if (t.kind != TOKEN_RIGHT_BRACE)
			return err_set(e, -EINVAL, "labels end with neither a comma nor a brace");
	}
	*p += t.span.end;
	return 0;
}

int noted_labels_parse(const char **p, struct arena *a, struct label_set *out, struct err *e)
{
	*out = (struct label_set){ 0 };
	const char *begin = *p;
	while (isalnum((unsigned char)**p) || **p == '_' || **p == ':')
		++*p;
	if (*p > begin)
		*out = label_set_put(a, out, LABEL_NAME, (struct text){ begin, (uint32_t)(*p - begin) });
	if (**p == '{')
		return parse_braces(p, a, out, e);
	return *p > begin ? 0 : err_set(e, -EINVAL, "no series begins at \"%s\"", begin);
}

int noted_count_parse(const char **p, size_t *n, struct err *e)
{
	*n = 0;
	if (**p != 'x')
		return 0;
	if (!isdigit((unsigned char)*++*p))
		return err_set(e, -EINVAL, "a count is missing behind x");
	for (; isdigit((unsigned char)**p); ++*p)
		if ((*n = *n * 10 + (size_t)(**p - '0')) > NOTED_POINTS_MAX)
			return err_set(e, -EINVAL, "more than %d points", NOTED_POINTS_MAX);
	return 0;
}

/* A number that *p begins with: digits and an exponent, or a word like NaN; the x of a count is no part of either. */
static int parse_value(const char **p, double *out, struct err *e)
{
	const char *s = *p, *digits = s + strspn(s, "+-");
	size_t n = strspn(digits, "0123456789.");
	if (!n)
		while (isalpha((unsigned char)digits[n]) && digits[n] != 'x')
			n++;
	else if (digits[n] == 'e' || digits[n] == 'E') {
		size_t sign = strspn(digits + n + 1, "+-");
		n += 1 + sign + strspn(digits + n + 1 + sign, "0123456789");
	}
	*p = digits + n;
	if (n == 5 && s == digits && strncmp(s, "stale", 5) == 0) {
		uint64_t bits = STALE_NAN_BITS;
		memcpy(out, &bits, sizeof bits);
		return 0;
	}
	/* A NaN has no sign here. */
	bool is_nan = n == 3 && strncasecmp(digits, "nan", 3) == 0;
	const char *from = is_nan ? digits : s;
	if (!go_float_parse(from, (size_t)(*p - from), out))
		return err_set(e, -EINVAL, "no value begins at \"%s\"", s);
	return 0;
}

/* 1, 1x3, 1+2x3 */
static int parse_floats(const char **p, struct noted_points *out, struct err *e)
{
	struct noted_point point = { 0 };
	double step = 0;
	size_t n;
	int r = parse_value(p, &point.v, e);
	if (r < 0)
		return r;
	if (**p == '+' || **p == '-') {
		if ((r = parse_value(p, &step, e)) < 0)
			return r;
		if (**p != 'x')
			return err_set(e, -EINVAL, "a count is missing at \"%s\"", *p);
	}
	if ((r = noted_count_parse(p, &n, e)) < 0)
		return r;
	for (size_t i = 0; i <= n; i++, point.v += step)
		add(out, &point);
	return 0;
}

/* Appends n more points, each the one before with `by` added or taken away. */
static int add_sums(struct noted_points *out, const struct noted_point *first,
	const struct float_histogram *by, bool is_minus, size_t n, struct err *e)
{
	struct histogram_sum sum = { 0 };
	struct noted_point point = *first;
	int r = 0;
	histogram_sum_set(&sum, first->h);
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = is_minus ? histogram_sum_sub(&sum, by) : histogram_sum_add(&sum, by);
		point.h = &sum.value;
		add(out, &point);
	}
	histogram_sum_fini(&sum);
	return r < 0 ? err_set(e, -EINVAL, "histograms that can't be added") : 0;
}

/* {{...}}, {{...}}x3, {{...}}+{{...}}x3 */
static int parse_histograms(const char **p, struct noted_points *out, struct err *e)
{
	struct noted_point point = { 0 };
	auto_free struct float_histogram *first = histogram_read(p, &point.has_hint, e), *by = NULL;
	size_t n;
	if (!first)
		return -EINVAL;
	point.h = first;
	bool is_minus = **p == '-';
	if (is_minus || **p == '+') {
		++*p;
		by = histogram_read(p, &point.has_hint, e);
		if (!by)
			return -EINVAL;
	}
	int r = noted_count_parse(p, &n, e);
	if (r < 0)
		return r;
	add(out, &point);
	if (by)
		return add_sums(out, &point, by, is_minus, n, e);
	for (size_t i = 0; i < n; i++)
		add(out, &point);
	return 0;
}

/* _, _x3 */
static int parse_gap(const char **p, struct noted_points *out, struct err *e)
{
	size_t n;
	++*p;
	int r = noted_count_parse(p, &n, e);
	for (size_t i = 0; r == 0 && i < MAX_OF(n, 1u); i++)
		vec_push(out, (struct noted_point){ .is_omitted = true });
	return r;
}

int noted_series_parse(const char *line, struct arena *a, struct noted_series *out, struct err *e)
{
	*out = (struct noted_series){ 0 };
	const char *p = line;
	int r = noted_labels_parse(&p, a, &out->labels, e);
	if (r == 0 && *p && *p != ' ' && *p != '\t')
		r = err_set(e, -EINVAL, "a blank is missing before \"%s\"", p);
	while (r == 0 && *(p += strspn(p, " \t"))) {
		if (*p == '_')
			r = parse_gap(&p, &out->points, e);
		else if (*p == '{')
			r = parse_histograms(&p, &out->points, e);
		else
			r = parse_floats(&p, &out->points, e);
		if (r == 0 && *p && *p != ' ' && *p != '\t')
			r = err_set(e, -EINVAL, "a blank is missing before \"%s\"", p);
		if (out->points.len > NOTED_POINTS_MAX)
			r = err_set(e, -EINVAL, "more than %d points", NOTED_POINTS_MAX);
	}
	return r;
}
