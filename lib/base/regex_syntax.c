/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the pattern that knows what is text in it: escapes, \Q...\E, and classes. Whether it is sound RE2 says. */
#include "lib/base/regex_syntax.h"

struct pattern {
	const char *p;
	size_t n;
};

static bool starts_with(const struct pattern *s, size_t at, const char *text)
{
	size_t len = strlen(text);
	return s->n - at >= len && memcmp(s->p + at, text, len) == 0;
}

/* The place behind what ends with this text; the end where it doesn't come. */
static size_t behind(const struct pattern *s, size_t at, const char *text)
{
	while (at < s->n && !starts_with(s, at, text))
		at++;
	return at < s->n ? at + strlen(text) : s->n;
}

/* The place behind a class that begins here. A ']' that comes first is one of its characters, and [:alpha:] may be in it. */
static size_t behind_class(const struct pattern *s, size_t at)
{
	at += starts_with(s, at, "[^") ? 2 : 1;
	for (bool is_first = true; at < s->n; is_first = false) {
		if (s->p[at] == ']' && !is_first)
			return at + 1;
		if (starts_with(s, at, "[:"))
			at = behind(s, at + 2, ":]");
		else
			at += s->p[at] == '\\' && at + 1 < s->n ? 2 : 1;
	}
	return s->n;
}

static bool is_named_group(const struct pattern *s, size_t at)
{
	return starts_with(s, at, "(?<") && !starts_with(s, at, "(?<=") && !starts_with(s, at, "(?<!");
}

bool regex_from_go(const char *p, size_t n, struct buf *out)
{
	struct pattern s = { p, n };
	for (size_t i = 0, next; i < n; i = next) {
		if (starts_with(&s, i, "\\C"))
			return false;
		if (is_named_group(&s, i)) {
			buf_add_str(out, "(?P<");
			next = i + 3;
			continue;
		}
		if (starts_with(&s, i, "\\Q"))
			next = behind(&s, i, "\\E");
		else if (p[i] == '\\' && i + 1 < n)
			next = i + 2;
		else if (p[i] == '[')
			next = behind_class(&s, i);
		else
			next = i + 1;
		buf_add(out, p + i, next - i);
	}
	return true;
}
