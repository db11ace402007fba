/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/quote.h"

#include "lib/base/utf8.h"

static char short_form(char c)
{
	switch (c) {
	case '\a': return 'a';
	case '\b': return 'b';
	case '\f': return 'f';
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	case '\v': return 'v';
	case '\\': return '\\';
	case '"': return '"';
	default: return 0;
	}
}

static void add_byte(struct buf *out, char c)
{
	char form = short_form(c);
	if (form)
		buf_printf(out, "\\%c", form);
	else if ((unsigned char)c < 0x20 || c == 0x7f)
		buf_printf(out, "\\x%02x", (unsigned char)c);
	else
		buf_add_u8(out, (uint8_t)c);
}

/* Of those that Go takes for unprintable, the ones that mean something to a terminal or can't be seen. */
static bool is_hidden(uint32_t c)
{
	return (c >= 0x80 && c < 0xa1) || c == 0xad || (c >= 0x2000 && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0x3000 ||
	       (c >= 0xe000 && c <= 0xf8ff) || c == 0xfeff;
}

bool quote_is_printable(uint32_t c)
{
	return c < 0x80 ? c >= 0x20 && c != 0x7f : !is_hidden(c);
}

void quote_add_char(struct buf *out, uint32_t c)
{
	buf_add_u8(out, '\'');
	if (c == '\'')
		buf_add_str(out, "\\'");
	else if (c < 0x80 && c != '"')
		add_byte(out, (char)c);
	else if (quote_is_printable(c))
		utf8_add(out, c);
	else
		buf_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
	buf_add_u8(out, '\'');
}

void quote_add(struct buf *out, const char *p, size_t n)
{
	buf_add_u8(out, '"');
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c;
		len = utf8_sequence(p + i, n - i);
		if (len == 1) {
			add_byte(out, p[i]);
		} else if (!len) {
			buf_printf(out, "\\x%02x", (unsigned char)p[i]);
			len = 1;
		} else if (utf8_decode(p + i, n - i, &c), is_hidden(c)) {
			buf_printf(out, "\\u%04x", c);
		} else {
			buf_add(out, p + i, len);
		}
	}
	buf_add_u8(out, '"');
}
