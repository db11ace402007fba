/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is a letter and which case it has is asked of the C library's own UTF-8 locale, whatever locale the
 * process runs in. Where a system lacks that locale, only ASCII has cases.
 */
#include "lib/base/utf8.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

static locale_t unicode;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!unicode)
		unicode = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
}

size_t utf8_sequence(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	if (p[0] < 0x80)
		return 1;
	size_t len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (!len || n < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
		(p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

size_t utf8_decode(const void *bytes, size_t n, uint32_t *c)
{
	static const uint8_t first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	const uint8_t *p = bytes;
	size_t len = utf8_sequence(p, n);
	if (!len) {
		*c = UTF8_REPLACEMENT;
		return 1;
	}
	*c = p[0] & first_bits[len];
	for (size_t i = 1; i < len; i++)
		*c = *c << 6 | (p[i] & 0x3f);
	return len;
}

bool utf8_is_valid(const void *p, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_sequence((const uint8_t *)p + i, n - i);
		if (!len)
			return false;
	}
	return true;
}

void utf8_add(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_u8(out, (uint8_t)c);
		return;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3; /* bytes after the first */
	static const uint8_t marks[] = { 0, 0xc0, 0xe0, 0xf0 };
	buf_add_u8(out, (uint8_t)(marks[more] | c >> 6 * more));
	while (more--)
		buf_add_u8(out, (uint8_t)(0x80 | (c >> 6 * more & 0x3f)));
}

bool utf8_is_letter_or_digit(uint32_t c)
{
	pthread_once(&once, init);
	return iswalnum_l((wint_t)c, unicode);
}

static void add_mapped(struct buf *out, const char *p, size_t n, wint_t (*map)(wint_t, locale_t))
{
	pthread_once(&once, init);
	for (size_t i = 0; i < n;) {
		uint32_t c;
		i += utf8_decode(p + i, n - i, &c);
		utf8_add(out, (uint32_t)map((wint_t)c, unicode));
	}
}

void utf8_add_lower(struct buf *out, const char *p, size_t n)
{
	add_mapped(out, p, n, towlower_l);
}

void utf8_add_upper(struct buf *out, const char *p, size_t n)
{
	add_mapped(out, p, n, towupper_l);
}
