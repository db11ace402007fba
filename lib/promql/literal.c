/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/literal.h"

#include "lib/base/quote.h"

#include <ctype.h>
#include <math.h>
#include <strings.h>

/* What there can be of digits that matter; more are cut from the heap. */
#define DIGITS_MAX 64

static bool has_hex_prefix(struct text s)
{
	return s.len >= 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x';
}

/* Underscores only between digits, where 0x counts as one. */
static bool underscores_are_right(struct text s)
{
	bool is_hex = has_hex_prefix(s), was_digit = is_hex;
	for (uint32_t i = is_hex ? 2 : 0; i < s.len; i++) {
		bool is_digit = is_hex ? isxdigit((unsigned char)s.p[i]) : isdigit((unsigned char)s.p[i]);
		if (s.p[i] == '_' && (!was_digit || i + 1 == s.len))
			return false;
		if (i && s.p[i - 1] == '_' && !is_digit)
			return false;
		was_digit = is_digit;
	}
	return true;
}

/* Without its underscores; `room` is enough for all of it and a NUL. */
static size_t strip(struct text s, char *room)
{
	size_t n = 0;
	for (uint32_t i = 0; i < s.len; i++)
		if (s.p[i] != '_')
			room[n++] = s.p[i];
	room[n] = 0;
	return n;
}

/* Whole numbers: 0x is hexadecimal, another leading 0 octal. False: something else, or more than 63 bits. */
static bool whole_number(const char *s, size_t n, double *out)
{
	int base = 10;
	if (n > 2 && s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
		n -= 2;
	} else if (n > 1 && s[0] == '0') {
		base = 8;
		s++;
		n--;
	}
	int64_t v = 0;
	for (size_t i = 0; i < n; i++) {
		int d = isdigit((unsigned char)s[i])    ? s[i] - '0'
			: isxdigit((unsigned char)s[i]) ? (s[i] | 0x20) - 'a' + 10
							: 16;
		if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = (double)v;
	return n > 0;
}

static bool refuse(struct text s, const char *because, struct buf *why)
{
	buf_add_str(why, "strconv.ParseFloat: parsing ");
	quote_add(why, s.p, s.len);
	buf_printf(why, ": %s", because);
	return false;
}

bool literal_number(struct text s, double *out, struct buf *why)
{
	char some[DIGITS_MAX + 1];
	auto_free char *more = NULL;
	char *digits = some;
	*out = 0;
	if (s.len == 3 && !isdigit((unsigned char)*s.p) && *s.p != '.') {
		*out = strncasecmp(s.p, "nan", 3) == 0 ? NAN : INFINITY;
		return true;
	}
	if (s.len > DIGITS_MAX)
		digits = more = xmalloc(s.len + 1);
	size_t n = strip(s, digits);
	if (!underscores_are_right(s))
		return refuse(s, "invalid syntax", why);
	if (whole_number(digits, n, out))
		return true;
	*out = 0;
	char *end;
	double v = has_hex_prefix(s) ? 0 : strtod(digits, &end);
	if (has_hex_prefix(s) || end != digits + n)
		return refuse(s, "invalid syntax", why);
	*out = v;
	return isfinite(v) || refuse(s, "value out of range", why);
}

static const struct {
	char name[3];
	uint64_t ns;
} units[] = {
	{ "y", 365 * 86400 * UINT64_C(1000000000) },
	{ "w", 7 * 86400 * UINT64_C(1000000000) },
	{ "d", 86400 * UINT64_C(1000000000) },
	{ "h", 3600 * UINT64_C(1000000000) },
	{ "m", 60 * UINT64_C(1000000000) },
	{ "s", 1 * UINT64_C(1000000000) },
	{ "ms", 1000000 },
};

static bool refuse_duration(struct text s, struct buf *why)
{
	buf_add_str(why, "not a valid duration string: ");
	quote_add(why, s.p, s.len);
	return false;
}

bool literal_duration(struct text s, double *out, struct buf *why)
{
	uint64_t sum = 0;
	size_t next = 0; /* the longest unit that may still come */
	*out = 0;
	for (uint32_t i = 0; i < s.len;) {
		uint64_t v = 0;
		bool fits = isdigit((unsigned char)s.p[i]);
		for (; i < s.len && isdigit((unsigned char)s.p[i]); i++)
			fits = fits && !__builtin_mul_overflow(v, 10, &v) &&
			       !__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v);
		if (!fits)
			return refuse_duration(s, why);
		struct text name = { s.p + i, 0 };
		for (; i < s.len && !isdigit((unsigned char)s.p[i]); i++)
			name.len++;
		size_t unit = 0;
		while (unit < ARRAY_LEN(units) && !text_is(text_of(units[unit].name), name))
			unit++;
		if (unit == ARRAY_LEN(units)) {
			buf_add_str(why, "unknown unit ");
			quote_add(why, name.p, name.len);
			buf_add_str(why, " in duration ");
			quote_add(why, s.p, s.len);
			return false;
		}
		if (unit < next)
			return refuse_duration(s, why);
		next = unit + 1;
		if (v > (UINT64_C(1) << 63) / units[unit].ns || (sum += v * units[unit].ns) > INT64_MAX) {
			buf_add_str(why, "duration out of range");
			return false;
		}
	}
	*out = (double)(sum / 1000000000) + (double)(sum % 1000000000) / 1e9;
	return true;
}

int64_t seconds_to_ms(double seconds)
{
	return (int64_t)round(seconds * 1e9) / 1000000;
}
