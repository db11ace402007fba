/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular expression is read as literal text up to the first operator that isn't '|'. Where there is none it is a set; where there is
 * one, what stands before it is a prefix that all matches have, unless there are alternatives. What is doubtful counts as an operator.
 */
#include "lib/tsdb/pattern.h"

#include <string.h>

#define QUANTIFIERS "*+?{"
#define OPERATORS   ".()[]}^$" QUANTIFIERS

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c) != NULL;
}

static bool is_escapable(char c)
{
	return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
	       !(c >= 'A' && c <= 'Z');
}

/* Without the '^' and '$' at its ends, which say what holds anyway. */
static struct text without_anchors(struct text re)
{
	if (re.len && *re.p == '^' && !(re.len > 1 && is_one_of(re.p[1], QUANTIFIERS))) {
		re.p++;
		re.len--;
	}
	uint32_t escapes = 0;
	while (escapes + 1 < re.len && re.p[re.len - 2 - escapes] == '\\')
		escapes++;
	if (re.len && re.p[re.len - 1] == '$' && escapes % 2 == 0)
		re.len--;
	return re;
}

/* Copies literal text to `out` up to an operator or a '|', and returns the bytes it took. */
static uint32_t read_literal(struct text re, char *out, uint32_t *n)
{
	uint32_t i = 0;
	for (*n = 0; i < re.len; i++) {
		char c = re.p[i];
		if (c == '|' || c == 0 || is_one_of(c, OPERATORS))
			break;
		if (c == '\\') {
			if (i + 1 == re.len || !is_escapable(re.p[i + 1]))
				break;
			c = re.p[++i];
		}
		out[(*n)++] = c;
	}
	return i;
}

static int by_text(const void *a, const void *b)
{
	return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

static void sort_set(struct pattern *p)
{
	size_t kept = 0;
	qsort(p->set, p->n_set, sizeof *p->set, by_text);
	for (size_t i = 0; i < p->n_set; i++)
		if (!kept || !text_is(p->set[kept - 1], p->set[i]))
			p->set[kept++] = p->set[i];
	p->n_set = kept;
}

static size_t count_bars(struct text re)
{
	size_t n = 0;
	for (uint32_t i = 0; i < re.len; i++)
		n += re.p[i] == '|';
	return n;
}

/* What a quantifier behind the literal applies to is its last letter, which has a byte that doesn't continue one. */
static uint32_t without_last_letter(const char *p, uint32_t n)
{
	while (n && (p[n - 1] & 0xc0) == 0x80)
		n--;
	return n ? n - 1 : 0;
}

static void read_regex(struct pattern *p, struct text re, struct arena *a)
{
	re = without_anchors(re);
	size_t bars = count_bars(re);
	char *literal = arena_alloc(a, re.len + 1);
	uint32_t n, at = 0;
	p->set = arena_alloc(a, (bars + 1) * sizeof *p->set);
	for (;;) {
		at += read_literal((struct text){ re.p + at, re.len - at }, literal, &n);
		p->set[p->n_set++] = (struct text){ literal, n };
		if (at == re.len) {
			p->kind = PATTERN_SET;
			sort_set(p);
			return;
		}
		if (re.p[at] != '|')
			break;
		at++;
		literal += n;
	}
	p->kind = PATTERN_REGEX;
	if (bars)
		return;
	p->prefix = p->set[0];
	/* RE2 takes a quantifier behind (?i) for one of what stands before that. */
	bool is_flags = re.p[at] == '(' && re.len - at > 1 && re.p[at + 1] == '?';
	if (is_flags || is_one_of(re.p[at], QUANTIFIERS))
		p->prefix.len = without_last_letter(p->prefix.p, p->prefix.len);
	if (re.len - at == 2 && re.p[at] == '.' && (re.p[at + 1] == '*' || re.p[at + 1] == '+')) {
		p->kind = PATTERN_PREFIX;
		p->min_len = p->prefix.len + (re.p[at + 1] == '+');
	}
}

struct pattern pattern_of(const struct matcher *m, struct arena *a)
{
	struct pattern p = { .regex = m->regex };
	if (m->regex) {
		read_regex(&p, m->value, a);
	} else {
		p.set = arena_copy(a, &m->value, sizeof m->value);
		p.n_set = 1;
	}
	return p;
}

bool pattern_fits(const struct pattern *p, struct text value)
{
	switch (p->kind) {
	case PATTERN_SET: return bsearch(&value, p->set, p->n_set, sizeof value, by_text) != NULL;
	case PATTERN_PREFIX:
		return value.len >= p->min_len &&
		       (!p->prefix.len || memcmp(value.p, p->prefix.p, p->prefix.len) == 0);
	case PATTERN_REGEX: return regex_matches(p->regex, value.len ? value.p : "", value.len);
	}
	return false;
}
