/* SPDX-License-Identifier: Apache-2.0 */
/* How the lexer's parts read characters and hand out tokens. */
#ifndef PROMQL_LEX_READ_H
#define PROMQL_LEX_READ_H

#include "lib/promql/lex.h"

#define LEX_EOF (-1)

/* The next character, LEX_EOF at the end; bytes that are none count as U+FFFD. */
int32_t lex_read(struct lexer *l);
int32_t lex_peek(const struct lexer *l);

/* Undoes the last lex_read; once. */
static inline void lex_back(struct lexer *l)
{
	l->pos -= l->width;
}

/* Whether this character, or one of these, comes next, and if so reads it. ASCII only. */
static inline bool lex_accept(struct lexer *l, char c)
{
	if (l->pos == l->n || l->p[l->pos] != c)
		return false;
	l->pos++;
	return true;
}

static inline bool lex_is_any(const struct lexer *l, const char *set)
{
	return l->pos < l->n && l->p[l->pos] && strchr(set, l->p[l->pos]);
}

static inline bool lex_accept_any(struct lexer *l, const char *set)
{
	bool is = lex_is_any(l, set);
	l->pos += is;
	return is;
}

static inline bool lex_is_space(int32_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline bool lex_is_digit(int32_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool lex_is_alpha(int32_t c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool lex_is_alnum(int32_t c)
{
	return lex_is_alpha(c) || lex_is_digit(c);
}

/* The token that was read; the next one starts here. */
void lex_emit(struct lexer *l, struct token *t, enum token_kind kind);

/* What is wrong, with the token that is being read. Ends the lexing. */
void lex_fail(struct lexer *l, struct token *t, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
