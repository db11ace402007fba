/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What upstream's scanner takes for a number is wider than what is one: "1_ " and "0x1e+3" are tokens, and refused when their value is
 * asked for; but two dots, two exponents or an underscore before a dot end the scan at once. Which character it ends at matters, as
 * the message quotes the text up to it.
 */
#include "lib/promql/lex_number.h"

#include "lib/base/quote.h"
#include "lib/promql/lex_read.h"

#define DECIMAL "0123456789"
#define HEX     "0123456789abcdefABCDEF"

static void skip_all(struct lexer *l, const char *set)
{
	while (lex_accept_any(l, set))
		;
}

struct scan {
	const char *digits;
	bool is_hex, had_dot, had_exponent;
};

/* What follows an exponent's sign or an underscore can't be one of these, nor the end. */
static bool goes_on(struct lexer *l)
{
	return !lex_accept_any(l, "._eE") && l->pos < l->n;
}

/* One piece: a dot, an exponent, an underscore or a run of digits. False: it can't stand here. */
static bool piece(struct lexer *l, struct scan *s)
{
	bool is_dot = lex_is_any(l, "."), is_exponent = lex_is_any(l, "eE");
	if (is_dot) {
		l->pos++;
		if (s->had_dot)
			return false;
		s->had_dot = true;
		return !lex_accept_any(l, "_.") && !s->is_hex;
	}
	if (is_exponent) {
		l->pos++;
		if (s->had_exponent)
			return false;
		s->had_exponent = true;
		lex_accept_any(l, "+-");
		return goes_on(l);
	}
	if (lex_accept(l, '_'))
		return goes_on(l);
	skip_all(l, s->digits);
	return true;
}

static bool number(struct lexer *l)
{
	static const char decimal[] = DECIMAL "._eE", hex[] = HEX "._";
	struct scan s = { .digits = DECIMAL };
	uint32_t first = l->pos;
	if (lex_accept(l, '0') && lex_accept_any(l, "xX")) {
		lex_accept(l, '_');
		s.digits = HEX;
		s.is_hex = true;
	}
	lex_accept(l, '.');
	lex_accept_any(l, s.digits);
	while (lex_is_any(l, s.is_hex ? hex : decimal))
		if (!piece(l, &s))
			return false;
	return l->pos > first && !lex_is_alnum(lex_peek(l));
}

/* Digits were read; what has to follow for a duration. Wrong units are found when the value is asked for. */
static bool rest_of_duration(struct lexer *l)
{
	if (!lex_accept_any(l, "smhdwy"))
		return false;
	lex_accept(l, 's');
	while (lex_accept_any(l, DECIMAL)) {
		skip_all(l, DECIMAL);
		if (!lex_accept_any(l, "smhdw"))
			return false;
		lex_accept(l, 's');
	}
	bool ends = !lex_is_alnum(lex_read(l));
	if (ends)
		lex_back(l);
	return ends;
}

void lex_number_or_duration(struct lexer *l, struct token *t)
{
	if (number(l)) {
		lex_emit(l, t, TOKEN_NUMBER);
	} else if (rest_of_duration(l)) {
		lex_emit(l, t, TOKEN_DURATION);
	} else {
		auto_buf struct buf b = { 0 };
		quote_add(&b, l->p + l->start, l->pos - l->start);
		lex_fail(l, t, "bad number or duration syntax: %s", buf_str(&b));
	}
}
