/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most values that answers print are whole numbers, or have a few digits behind the point. Those are recognised without the search
 * for the shortest digits: a decimal of at most 15 digits is the only one of so few that is nearest to its double.
 */
#include "lib/base/go_float.h"

#include "lib/base/go_float_digits.h"

#include <math.h>
#include <stdint.h>

#define EASY_LIMIT     1e15
#define EASY_SCALE     1e6
#define EASY_POINT     6
#define LITERAL_BYTES  64         /* longer numbers are read from memory of their own */
#define NUMBER_BYTES   (1u << 16) /* longer ones are refused */
#define SHORT_EXPONENT 6

struct decimal {
	char digits[GO_FLOAT_DIGITS + 3];
	int n;
	int point; /* 0.DIGITS * 10^point */
};

static void set_integer(struct decimal *d, uint64_t v, int behind)
{
	char reversed[20];
	int n = 0;
	for (; v; v /= 10)
		reversed[n++] = (char)('0' + v % 10);
	int zeros = 0;
	while (zeros < n && reversed[zeros] == '0')
		zeros++;
	d->n = n - zeros;
	for (int i = 0; i < d->n; i++)
		d->digits[i] = reversed[n - 1 - i];
	d->point = n - behind;
}

/* v > 0, finite */
static void set_decimal(struct decimal *d, double v)
{
	if (v < EASY_LIMIT && v == trunc(v)) {
		set_integer(d, (uint64_t)v, 0);
		return;
	}
	double scaled = nearbyint(v * EASY_SCALE);
	if (scaled >= 1 && scaled < EASY_LIMIT && scaled / EASY_SCALE == v) {
		set_integer(d, (uint64_t)scaled, EASY_POINT);
		return;
	}
	d->n = go_float_digits(v, d->digits, &d->point);
}

static char *put(char *p, const char *s, int n)
{
	memcpy(p, s, (size_t)n);
	return p + n;
}

static char *put_zeros(char *p, int n)
{
	memset(p, '0', (size_t)n);
	return p + n;
}

static char *put_plain(char *p, const struct decimal *d)
{
	if (d->point <= 0) {
		p = put(p, "0.", 2);
		p = put_zeros(p, -d->point);
		return put(p, d->digits, d->n);
	}
	if (d->point >= d->n) {
		p = put(p, d->digits, d->n);
		return put_zeros(p, d->point - d->n);
	}
	p = put(p, d->digits, d->point);
	*p++ = '.';
	return put(p, d->digits + d->point, d->n - d->point);
}

static char *put_scientific(char *p, const struct decimal *d)
{
	*p++ = d->digits[0];
	if (d->n > 1) {
		*p++ = '.';
		p = put(p, d->digits + 1, d->n - 1);
	}
	int exponent = d->point - 1, size = exponent < 0 ? -exponent : exponent;
	*p++ = 'e';
	*p++ = exponent < 0 ? '-' : '+';
	if (size >= 100)
		*p++ = (char)('0' + size / 100);
	*p++ = (char)('0' + size / 10 % 10);
	*p++ = (char)('0' + size % 10);
	return p;
}

size_t go_float_format(char out[GO_FLOAT_BYTES], double v, char format)
{
	char *p = out;
	if (isnan(v))
		return (size_t)(put(p, "NaN", 3) - out);
	if (isinf(v))
		return (size_t)(put(p, v < 0 ? "-Inf" : "+Inf", 4) - out);
	if (signbit(v))
		*p++ = '-';
	struct decimal d = { .digits = "0", .n = 1, .point = 1 };
	if (v != 0)
		set_decimal(&d, fabs(v));
	int exponent = d.point - 1;
	bool is_scientific =
		format == 'e' || (format == 'g' && (exponent < -4 || exponent >= SHORT_EXPONENT));
	p = is_scientific ? put_scientific(p, &d) : put_plain(p, &d);
	return (size_t)(p - out);
}

size_t go_float_format_api(char out[GO_FLOAT_BYTES], double v)
{
	double size = fabs(v);
	return go_float_format(out, v, size != 0 && (size < 1e-6 || size >= 1e21) ? 'e' : 'f');
}

void go_float_add(struct buf *out, double v, char format)
{
	uint8_t *p = buf_reserve(out, GO_FLOAT_BYTES);
	out->len += go_float_format((char *)p, v, format);
}

/* Reading */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool is_word(const char *s, size_t n, const char *word)
{
	if (n != strlen(word))
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(s[i]) != word[i])
			return false;
	return true;
}

static bool is_digit(char c, bool is_hex)
{
	c = lower(c);
	return (c >= '0' && c <= '9') || (is_hex && c >= 'a' && c <= 'f');
}

/*
 * Copies what strtod shall read, without underscores: [digits][.digits][exponent]. 0 where the text isn't such a number; an
 * underscore must have a digit, or the 0x, before it and a digit behind it.
 */
static size_t copy_number(const char *s, size_t n, bool is_hex, char *to)
{
	size_t at = 0, digits = 0;
	bool has_point = false, has_exponent = false, after_digit = is_hex;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		if (c == '_') {
			if (!after_digit || i + 1 == n || !is_digit(s[i + 1], is_hex && !has_exponent))
				return 0;
			after_digit = false;
			continue;
		}
		after_digit = is_digit(c, is_hex && !has_exponent);
		to[at++] = c;
		if (after_digit) {
			digits++;
		} else if (c == '.' && !has_point && !has_exponent) {
			has_point = true;
		} else if (lower(c) == (is_hex ? 'p' : 'e') && digits && !has_exponent) {
			has_exponent = true;
			digits = 0;
			if (i + 1 < n && (s[i + 1] == '+' || s[i + 1] == '-'))
				to[at++] = s[++i];
		} else {
			return 0;
		}
	}
	if (!digits || (is_hex && !has_exponent))
		return 0;
	return at;
}

static bool read_number(const char *s, size_t n, bool is_hex, char *room, double *out)
{
	size_t at = 0;
	if (is_hex)
		at = (size_t)(put(room, "0x", 2) - room);
	size_t copied = copy_number(s, n, is_hex, room + at);
	if (!copied)
		return false;
	room[at + copied] = 0;
	double v = strtod(room, NULL);
	if (isinf(v))
		return false;
	*out = v;
	return true;
}

bool go_float_parse(const char *s, size_t n, double *out)
{
	if (n > 0 && is_word(s, n, "nan")) {
		*out = NAN;
		return true;
	}
	bool is_negative = n && s[0] == '-';
	if (n && (s[0] == '-' || s[0] == '+')) {
		s++;
		n--;
	}
	double v = INFINITY;
	if (!is_word(s, n, "inf") && !is_word(s, n, "infinity")) {
		bool is_hex = n > 2 && s[0] == '0' && lower(s[1]) == 'x';
		if (n > NUMBER_BYTES)
			return false;
		char here[LITERAL_BYTES + 3];
		auto_free char *elsewhere = n > LITERAL_BYTES ? xmalloc(n + 3) : NULL;
		if (!read_number(s + 2 * is_hex, n - 2 * is_hex, is_hex, elsewhere ? elsewhere : here, &v))
			return false;
	}
	*out = is_negative ? -v : v;
	return true;
}
