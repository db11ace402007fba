/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lexer. Each function reads one token whose first character is at l->start and ends with emit or fail; skipped text moves
 * l->start. Messages give the place l->start, which for a bracket that doesn't belong there is behind it: so does upstream.
 */
#include "lib/promql/lex.h"

#include "lib/base/quote.h"
#include "lib/base/utf8.h"
#include "lib/promql/lex_number.h"
#include "lib/promql/lex_read.h"
#include "lib/promql/lex_string.h"
#include "lib/promql/word.h"

void lex_init(struct lexer *l, const char *text, size_t n, struct arena *a)
{
	*l = (struct lexer){ .p = text, .n = (uint32_t)n, .arena = a };
}

static void unexpected_char(
	struct lexer *l, struct token *t, const char *before, int32_t c, const char *behind)
{
	auto_buf struct buf b = { 0 };
	quote_add_char(&b, c == LEX_EOF ? UTF8_REPLACEMENT : (uint32_t)c);
	lex_fail(l, t, "%s%s%s", before, buf_str(&b), behind);
}

static bool is_line_end(int32_t c)
{
	return c == '\r' || c == '\n' || c == LEX_EOF;
}

/* Blanks and comments. In brackets, before the first number, upstream knows no comments. */
static void skip(struct lexer *l)
{
	for (;;) {
		while (lex_is_space(lex_peek(l)))
			lex_read(l);
		if (l->place == LEX_BRACKET || lex_peek(l) != '#')
			break;
		while (!is_line_end(lex_peek(l)))
			lex_read(l);
	}
	l->start = l->pos;
}

static void word(struct lexer *l, struct token *t)
{
	int32_t c;
	while (lex_is_alnum(c = lex_peek(l)) || c == ':')
		lex_read(l);
	struct text w = { l->p + l->start, l->pos - l->start };
	enum token_kind kind = word_find(w);
	if (kind >= TOKEN_FILL && kind <= TOKEN_FILL_RIGHT) {
		/* Newer than the metrics that are called so: a keyword only before a parenthesis. */
		uint32_t next = l->pos;
		while (next < l->n && lex_is_space(l->p[next]))
			next++;
		if (next == l->n || l->p[next] != '(')
			kind = TOKEN_IDENTIFIER;
	}
	if (kind == TOKEN_IDENTIFIER && memchr(w.p, ':', w.len))
		kind = TOKEN_METRIC_IDENTIFIER;
	lex_emit(l, t, kind);
}

/* In brackets. False: it isn't one of the few words that may stand there. */
static bool duration_word(struct lexer *l, struct token *t)
{
	while (lex_is_alpha(lex_peek(l)))
		lex_read(l);
	enum token_kind kind = word_find((struct text){ l->p + l->start, l->pos - l->start });
	if (kind < TOKEN_STEP)
		return false;
	lex_emit(l, t, kind);
	return true;
}

static bool starts_duration_word(int32_t c)
{
	c |= 0x20;
	return c == 's' || c == 'r' || c == 'm';
}

static bool starts_number(struct lexer *l, int32_t c)
{
	return lex_is_digit(c) || (c == '.' && lex_is_digit(lex_peek(l)));
}

static void open_paren(struct lexer *l, struct token *t)
{
	l->parens++;
	lex_emit(l, t, TOKEN_LEFT_PAREN);
}

static void close_paren(struct lexer *l, struct token *t)
{
	lex_emit(l, t, TOKEN_RIGHT_PAREN);
	if (!l->parens)
		lex_fail(l, t, "unexpected right parenthesis ')'");
	else
		l->parens--;
}

static void close_bracket(struct lexer *l, struct token *t)
{
	l->in_brackets = false;
	l->place = LEX_EXPRESSION;
	lex_emit(l, t, TOKEN_RIGHT_BRACKET);
}

/* Labels and matchers. */
static void in_braces(struct lexer *l, struct token *t)
{
	int32_t c = lex_read(l);
	switch (c) {
	case LEX_EOF: lex_fail(l, t, "unexpected end of input inside braces"); return;
	case ',': lex_emit(l, t, TOKEN_COMMA); return;
	case '"':
	case '\'':
	case '`': lex_string(l, t, (char)c); return;
	case '=':
		if (lex_accept(l, '~'))
			lex_emit(l, t, TOKEN_EQUAL_REGEX);
		else
			lex_emit(l, t, TOKEN_EQUAL);
		return;
	case '!':
		c = lex_read(l);
		if (c == '~')
			lex_emit(l, t, TOKEN_NOT_REGEX);
		else if (c == '=')
			lex_emit(l, t, TOKEN_NE);
		else
			unexpected_char(l, t, "unexpected character after '!' inside braces: ", c, "");
		return;
	case '{': lex_fail(l, t, "unexpected left brace '{'"); return;
	case '}':
		l->in_braces = false;
		lex_emit(l, t, TOKEN_RIGHT_BRACE);
		return;
	default: break;
	}
	if (!lex_is_alpha(c)) {
		unexpected_char(l, t, "unexpected character inside braces: ", c, "");
		return;
	}
	while (lex_is_alnum(lex_peek(l)))
		lex_read(l);
	lex_emit(l, t, TOKEN_IDENTIFIER);
}

/* An operator of one character. */
static enum token_kind simple_operator(int32_t c)
{
	switch (c) {
	case '+': return TOKEN_ADD;
	case '-': return TOKEN_SUB;
	case '*': return TOKEN_MUL;
	case '/': return TOKEN_DIV;
	case '%': return TOKEN_MOD;
	case '^': return TOKEN_POW;
	case ',': return TOKEN_COMMA;
	default: return TOKEN_END;
	}
}

/* After a '[', until the first number: only durations make sense. */
static void in_bracket(struct lexer *l, struct token *t)
{
	int32_t c = lex_read(l);
	enum token_kind op = simple_operator(c);
	if (op != TOKEN_END) {
		lex_emit(l, t, op);
		return;
	}
	switch (c) {
	case LEX_EOF: lex_fail(l, t, "unexpected end of input in duration expression"); return;
	case '(': open_paren(l, t); return;
	case ')': close_paren(l, t); return;
	case ']':
		l->had_colon = false;
		close_bracket(l, t);
		return;
	case ':':
		lex_emit(l, t, TOKEN_COLON);
		if (!l->had_duration)
			lex_fail(l, t, "unexpected colon before duration in duration expression");
		else if (l->had_colon)
			lex_fail(l, t, "unexpected repeated colon in duration expression");
		l->had_colon = true;
		return;
	default: break;
	}
	if (starts_number(l, c)) {
		lex_back(l);
		l->had_duration = true;
		l->place = LEX_EXPRESSION;
		lex_number_or_duration(l, t);
	} else if (!starts_duration_word(c) || !duration_word(l, t)) {
		unexpected_char(l, t, "unexpected character in duration expression: ", c, "");
	}
}

static void open_bracket(struct lexer *l, struct token *t)
{
	if (l->in_brackets) {
		lex_fail(l, t, "unexpected left bracket '['");
		return;
	}
	l->had_colon = false;
	l->in_brackets = true;
	l->place = LEX_BRACKET;
	lex_emit(l, t, TOKEN_LEFT_BRACKET);
}

static void comparison(struct lexer *l, struct token *t, int32_t c)
{
	int32_t next = lex_peek(l);
	if (c == '=') {
		if (next == '~')
			unexpected_char(l, t, "unexpected character after '=': ", next, "");
		else
			lex_emit(l, t, lex_accept(l, '=') ? TOKEN_EQ : TOKEN_EQUAL);
	} else if (c == '!') {
		lex_read(l);
		if (next == '=')
			lex_emit(l, t, TOKEN_NE);
		else
			unexpected_char(l, t, "unexpected character after '!': ", next, "");
	} else if (lex_accept(l, '=')) {
		lex_emit(l, t, c == '<' ? TOKEN_LE : TOKEN_GE);
	} else if (lex_accept(l, '/')) {
		lex_emit(l, t, c == '<' ? TOKEN_TRIM_UPPER : TOKEN_TRIM_LOWER);
	} else {
		lex_emit(l, t, c == '<' ? TOKEN_LT : TOKEN_GT);
	}
}

/* A letter or a colon. */
static void letter(struct lexer *l, struct token *t, int32_t c)
{
	if (!l->in_brackets) {
		lex_back(l);
		word(l, t);
	} else if (c == ':') {
		if (l->had_colon)
			lex_fail(l, t, "unexpected colon ':'");
		else
			lex_emit(l, t, TOKEN_COLON);
		l->had_colon = true;
	} else if (!starts_duration_word(c) || !duration_word(l, t)) {
		unexpected_char(l, t, "unexpected character: ", c, ", expected ':'");
	}
}

static void at_end(struct lexer *l, struct token *t)
{
	if (l->parens) {
		lex_fail(l, t, "unclosed left parenthesis");
	} else if (l->in_brackets) {
		lex_fail(l, t, "unclosed left bracket");
	} else {
		l->place = LEX_OVER;
		lex_emit(l, t, TOKEN_END);
	}
}

static void in_expression(struct lexer *l, struct token *t)
{
	int32_t c = lex_read(l);
	enum token_kind op = simple_operator(c);
	if (op != TOKEN_END) {
		lex_emit(l, t, op);
		return;
	}
	switch (c) {
	case LEX_EOF: at_end(l, t); return;
	case '=':
	case '!':
	case '<':
	case '>': comparison(l, t, c); return;
	case '"':
	case '\'':
	case '`': lex_string(l, t, (char)c); return;
	case '(': open_paren(l, t); return;
	case ')': close_paren(l, t); return;
	case '{':
		l->in_braces = true;
		lex_emit(l, t, TOKEN_LEFT_BRACE);
		return;
	case '[': open_bracket(l, t); return;
	case ']':
		if (l->in_brackets)
			close_bracket(l, t);
		else
			lex_fail(l, t, "unexpected right bracket ']'");
		return;
	case '@': lex_emit(l, t, TOKEN_AT); return;
	default: break;
	}
	if (starts_number(l, c)) {
		lex_back(l);
		lex_number_or_duration(l, t);
	} else if (lex_is_alpha(c) || c == ':') {
		letter(l, t, c);
	} else {
		unexpected_char(l, t, "unexpected character: ", c, "");
	}
}

void lex_next(struct lexer *l, struct token *t)
{
	if (l->place == LEX_OVER) {
		lex_emit(l, t, TOKEN_END);
		return;
	}
	skip(l);
	if (l->place == LEX_BRACKET)
		in_bracket(l, t);
	else if (l->in_braces)
		in_braces(l, t);
	else
		in_expression(l, t);
}
