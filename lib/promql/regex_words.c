/* SPDX-License-Identifier: Apache-2.0 */
/* RE2 and Go's package descend from one design: the same causes, often with the same words, and mostly the same part of the expression. */
#include "lib/promql/regex_words.h"

static const struct {
	const char *re2, *go;
	bool of_all; /* Go shows the whole expression */
} causes[] = {
	/* Longer ones first where one begins with another. */
	{ "invalid escape sequence", "invalid escape sequence", false },
	{ "invalid character class range", "invalid character class range", false },
	{ "invalid character class", "invalid character class", false },
	{ "missing ]", "missing closing ]", false },
	{ "missing )", "missing closing )", true },
	{ "unexpected )", "unexpected )", true },
	{ "trailing \\", "trailing backslash at end of expression", false },
	{ "no argument for repetition operator", "missing argument to repetition operator", false },
	{ "invalid repetition size", "invalid repeat count", false },
	{ "bad repetition operator", "invalid nested repetition operator", false },
	{ "invalid perl operator", "invalid or unsupported Perl syntax", false },
	{ "invalid UTF-8", "invalid UTF-8", true },
	{ "invalid named capture group", "invalid named capture", false },
};

static void add(const char *cause, const char *part, size_t n, struct buf *out)
{
	buf_printf(out, "error parsing regexp: %s: `", cause);
	buf_add(out, part, n);
	buf_add_u8(out, '`');
}

void regex_words(struct text pattern, const char *message, struct buf *out)
{
	/* Behind what regex_compile says of the expression. */
	size_t shown = MIN_OF(pattern.len, 64u);
	size_t before = strlen("regular expression \"") + strnlen(pattern.p, shown) +
			(pattern.len > 64 ? strlen("\"...: ") : strlen("\": "));
	const char *cause = strlen(message) > before ? message + before : "";
	for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
		size_t n = strlen(causes[i].re2);
		if (strncmp(cause, causes[i].re2, n) != 0)
			continue;
		const char *part = strncmp(cause + n, ": ", 2) == 0 ? cause + n + 2 : "";
		if (causes[i].of_all)
			add(causes[i].go, pattern.p, pattern.len, out);
		else
			add(causes[i].go, part, strlen(part), out);
		return;
	}
	buf_add_str(out, message);
}
