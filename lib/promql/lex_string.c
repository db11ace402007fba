/* SPDX-License-Identifier: Apache-2.0 */
/* Strings. The lexer refuses every escape that has no value, so that string_value can't fail. */
#include "lib/promql/lex_string.h"

#include "lib/base/quote.h"
#include "lib/base/utf8.h"
#include "lib/promql/lex_read.h"

/* 16: not a digit in any base. */
static uint32_t digit_value(int32_t c)
{
	if (lex_is_digit(c))
		return (uint32_t)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (uint32_t)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (uint32_t)(c - 'A' + 10);
	return 16;
}

/* How many digits of which base an escape's letter asks for; 0: none. */
static unsigned escape_digits(int32_t c, uint32_t *base)
{
	*base = 16;
	switch (c) {
	case 'x': return 2;
	case 'u': return 4;
	case 'U': return 8;
	default: break;
	}
	*base = 8;
	return c >= '0' && c <= '7' ? 3 : 0;
}

static bool bad_escape(struct lexer *l, struct token *t, const char *before, int32_t c, const char *behind)
{
	auto_buf struct buf b = { 0 };
	if (c == LEX_EOF)
		lex_fail(l, t, "escape sequence not terminated");
	else {
		buf_printf(&b, "U+%04X", (unsigned)c);
		if (quote_is_printable((uint32_t)c)) {
			buf_add_str(&b, " '");
			utf8_add(&b, (uint32_t)c);
			buf_add_u8(&b, '\'');
		}
		lex_fail(l, t, "%s%s%s", before, buf_str(&b), behind);
	}
	return false;
}

/* The backslash was read. */
static bool escape(struct lexer *l, struct token *t, char quote)
{
	int32_t c = lex_read(l);
	if (c > 0 && (c == quote || (c < 0x80 && strchr("abfnrtv\\", c))))
		return true;
	uint32_t base, value = 0;
	unsigned digits = escape_digits(c, &base);
	if (!digits)
		return bad_escape(l, t, "unknown escape sequence ", c, "");
	if (base == 8)
		lex_back(l); /* is a digit itself */
	for (unsigned i = 0; i < digits; i++) {
		int32_t d = lex_read(l);
		if (digit_value(d) >= base)
			return bad_escape(l, t, "illegal character ", d, " in escape sequence");
		value = value * base + digit_value(d);
	}
	if (value > (digits < 4 ? 255 : 0x10ffff) || (value >= 0xd800 && value < 0xe000)) {
		lex_fail(l, t, "escape sequence is an invalid Unicode code point");
		return false;
	}
	return true;
}

void lex_string(struct lexer *l, struct token *t, char quote)
{
	bool is_raw = quote == '`';
	for (;;) {
		int32_t c = lex_read(l);
		if (c == quote) {
			lex_emit(l, t, TOKEN_STRING);
			return;
		}
		if (c == LEX_EOF || (c == '\n' && !is_raw)) {
			lex_fail(l, t, "unterminated %s string", is_raw ? "raw" : "quoted");
			return;
		}
		if (c == UTF8_REPLACEMENT) {
			lex_fail(l, t, "invalid UTF-8 rune");
			return;
		}
		if (c == '\\' && !is_raw && !escape(l, t, quote))
			return;
	}
}

static char simple_escape(char c)
{
	switch (c) {
	case 'a': return '\a';
	case 'b': return '\b';
	case 'f': return '\f';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case 'v': return '\v';
	default: return c;
	}
}

struct text string_value(struct text token, struct arena *a)
{
	struct text in = { token.p + 1, token.len - 2 };
	if (*token.p == '`' || !memchr(in.p, '\\', in.len))
		return in;
	auto_buf struct buf b = { 0 };
	for (uint32_t i = 0; i < in.len;) {
		char c = in.p[i++];
		if (c != '\\') {
			buf_add_u8(&b, (uint8_t)c);
			continue;
		}
		c = in.p[i];
		uint32_t base, value = 0;
		unsigned digits = escape_digits(c, &base);
		i += digits == 0 || base == 16;
		for (unsigned k = 0; k < digits; k++)
			value = value * base + digit_value(in.p[i++]);
		if (!digits)
			buf_add_u8(&b, (uint8_t)simple_escape(c));
		else if (digits < 4)
			buf_add_u8(&b, (uint8_t)value);
		else
			utf8_add(&b, value);
	}
	return (struct text){ arena_copy(a, b.data, b.len), (uint32_t)b.len };
}
