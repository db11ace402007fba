/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions and replacement templates. RE2 matches; the templates are Go's, which RE2 has not. */
#include "lib/base/regex.h"

#include "lib/base/regex_re2.h"
#include "lib/base/regex_syntax.h"
#include "lib/base/utf8.h"

#include <errno.h>
#include <stdio.h>

#define MAX_PROGRAM_BYTES (32u << 20) /* of RE2, its caches included */

struct regex {
	struct regex_re2 *re;
	size_t groups; /* the whole match too */
};

int regex_compile(const char *pattern, size_t n, struct regex **out, struct err *e)
{
	char why[256];
	size_t groups;
	if (n > REGEX_MAX_BYTES)
		return err_set(
			e, -EINVAL, "regular expression of %zu bytes is longer than %u", n, REGEX_MAX_BYTES);
	auto_buf struct buf translated = { 0 };
	struct regex_re2 *re = NULL;
	if (!regex_from_go(pattern, n, &translated))
		snprintf(why, sizeof why, "invalid escape sequence: \\C");
	else
		re = regex_re2_new(
			buf_str(&translated), translated.len, MAX_PROGRAM_BYTES, &groups, why, sizeof why);
	if (!re)
		return err_set(e, -EINVAL, "regular expression \"%.*s\"%s: %s", (int)MIN_OF(n, 64u), pattern,
			n > 64 ? "..." : "", why);
	if (groups + 1 > REGEX_MAX_GROUPS) {
		regex_re2_free(re);
		return err_set(e, -EINVAL,
			"regular expression \"%.*s\" has %zu groups; at most %d are allowed",
			(int)MIN_OF(n, 64u), pattern, groups, REGEX_MAX_GROUPS - 1);
	}
	struct regex *r = xcalloc(1, sizeof *r);
	r->re = re;
	r->groups = groups + 1;
	*out = r;
	return 0;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	regex_re2_free(r->re);
	free(r);
}

size_t regex_bytes(const struct regex *r)
{
	return sizeof *r + regex_re2_bytes(r->re);
}

bool regex_matches(const struct regex *r, const char *text, size_t n)
{
	return regex_re2_match(r->re, text, n, NULL, 0);
}

bool regex_find(const struct regex *r, const char *text, size_t n, struct regex_match *out)
{
	struct regex_re2_group groups[REGEX_MAX_GROUPS];
	/* Without bytes RE2 may give a group no address although it took part; Go counts it as there and
	 * empty. */
	if (!regex_re2_match(r->re, n ? text : "", n, groups, r->groups))
		return false;
	out->groups = r->groups;
	for (size_t i = 0; i < r->groups; i++) {
		out->group[i].begin = groups[i].begin;
		out->group[i].len = groups[i].len;
	}
	return true;
}

/* The length in bytes of the letter, digit or underscore at p; 0: something else. */
static size_t name_letter(const char *p, size_t n)
{
	uint32_t c;
	size_t len = utf8_decode(p, n, &c);
	return c == '_' || utf8_is_letter_or_digit(c) ? len : 0;
}

/* A reference behind a '$': its name, and how many bytes it takes without the '$'. 0: none. */
static size_t reference(const char *p, size_t n, const char **name, size_t *name_len)
{
	bool braced = n && *p == '{';
	size_t i = braced, used;
	while (i < n && (used = name_letter(p + i, n - i)))
		i += used;
	*name = p + braced;
	*name_len = i - braced;
	if (!*name_len || (braced && (i == n || p[i] != '}')))
		return 0;
	return i + braced;
}

/* The group of this name or number; SIZE_MAX: there is none. A number has no zero in front. */
static size_t group_of(const struct regex *r, const char *name, size_t n)
{
	size_t number = 0, i = 0;
	for (; i < n && name[i] >= '0' && name[i] <= '9'; i++)
		if (number < REGEX_MAX_GROUPS)
			number = number * 10 + (size_t)(name[i] - '0');
	if (i == n && (n == 1 || name[0] != '0'))
		return number;
	number = regex_re2_named(r->re, name, n);
	return number ? number : SIZE_MAX;
}

static size_t append(struct buf *out, const char *p, size_t n)
{
	if (out)
		buf_add(out, p, n);
	return n;
}

/* What is appended goes to `out`; NULL: it is only counted. */
static size_t expand(const struct regex *r, const char *template_text, size_t n, const struct regex_match *m,
	struct buf *out)
{
	size_t length = 0;
	for (size_t i = 0; i < n;) {
		const char *name, *dollar = memchr(template_text + i, '$', n - i);
		size_t plain = dollar ? (size_t)(dollar - template_text) - i : n - i, len;
		length += append(out, template_text + i, plain);
		i += plain;
		if (i == n)
			break;
		i++; /* the '$' */
		if (i < n && template_text[i] == '$') {
			length += append(out, "$", 1);
			i++;
			continue;
		}
		size_t used = reference(template_text + i, n - i, &name, &len);
		if (!used) {
			length += append(out, "$", 1);
			continue;
		}
		size_t group = group_of(r, name, len);
		if (group < m->groups && m->group[group].begin)
			length += append(out, m->group[group].begin, m->group[group].len);
		i += used;
	}
	return length;
}

void regex_expand(const struct regex *r, const char *template_text, size_t n, const struct regex_match *m,
	struct buf *out)
{
	expand(r, template_text, n, m, out);
}

size_t regex_expand_length(
	const struct regex *r, const char *template_text, size_t n, const struct regex_match *m)
{
	return expand(r, template_text, n, m, NULL);
}
