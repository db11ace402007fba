/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/lex_read.h"

#include "lib/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

static int32_t decode(const struct lexer *l, uint32_t *width)
{
	*width = 0;
	if (l->pos == l->n)
		return LEX_EOF;
	uint32_t c;
	*width = (uint32_t)utf8_decode(l->p + l->pos, l->n - l->pos, &c);
	return (int32_t)c;
}

int32_t lex_read(struct lexer *l)
{
	int32_t c = decode(l, &l->width);
	l->pos += l->width;
	return c;
}

int32_t lex_peek(const struct lexer *l)
{
	uint32_t width;
	return decode(l, &width);
}

void lex_emit(struct lexer *l, struct token *t, enum token_kind kind)
{
	*t = (struct token){ kind, { l->start, l->pos }, { l->p + l->start, l->pos - l->start } };
	l->start = l->pos;
}

void lex_fail(struct lexer *l, struct token *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	auto_free char *words = NULL;
	if (vasprintf(&words, fmt, ap) < 0)
		abort();
	va_end(ap);
	size_t n = strlen(words);
	*t = (struct token){ TOKEN_ERROR, { l->start, l->n },
		{ arena_strndup(l->arena, words, n), (uint32_t)n } };
	l->place = LEX_OVER;
}
