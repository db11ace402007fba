/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations, times and sizes from text. Numbers are gathered with checked arithmetic, so that no text,
 * however long, wraps around into something that looks right.
 */
#include "lib/base/duration.h"

#include "lib/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

static const struct {
	char name[3];
	bool whole_only; /* written only where the duration is a multiple of it */
	int64_t ms;
} units[] = {
	{ "y", true, 365 * DAY_MS },
	{ "w", true, 7 * DAY_MS },
	{ "d", false, DAY_MS },
	{ "h", false, HOUR_MS },
	{ "m", false, MINUTE_MS },
	{ "s", false, SECOND_MS },
	{ "ms", false, 1 },
};

static int bad(struct err *e, int r, const char *what, const char *text, const char *why)
{
	return err_set(e, r, "%s \"%.64s\"%s %s", what, text, strlen(text) > 64 ? "..." : "", why);
}

/* Digits at *p, which moves behind them. False: too many for `highest`. */
static bool number(const char **p, int64_t highest, int64_t *out)
{
	int64_t v = 0;
	bool fits = true;
	for (; isdigit((unsigned char)**p); (*p)++)
		fits = fits && !__builtin_mul_overflow(v, 10, &v) &&
		       !__builtin_add_overflow(v, **p - '0', &v) && v <= highest;
	*out = v;
	return fits;
}

int duration_parse(const char *text, int64_t *ms, struct err *e)
{
	static const char form[] = "is not of the form 1h30m (units y, w, d, h, m, s, ms, in this order)";
	const char *p = text;
	int64_t sum = 0;
	if (!*text)
		return err_set(e, -EINVAL, "the duration is empty");
	if (!strcmp(text, "0")) {
		*ms = 0;
		return 0;
	}
	bool fits = true;
	for (size_t next = 0; *p;) {
		if (!isdigit((unsigned char)*p))
			return bad(e, -EINVAL, "duration", text, form);
		int64_t n;
		fits = number(&p, DURATION_MAX_MS, &n) && fits;
		size_t letters = 0;
		while (isalpha((unsigned char)p[letters]))
			letters++;
		while (next < ARRAY_LEN(units) &&
			(strlen(units[next].name) != letters || strncmp(p, units[next].name, letters) != 0))
			next++;
		if (next == ARRAY_LEN(units))
			return bad(e, -EINVAL, "duration", text, form);
		fits = fits && !__builtin_mul_overflow(n, units[next].ms, &n) &&
		       !__builtin_add_overflow(sum, n, &sum);
		p += letters;
		next++;
	}
	if (!fits || sum > DURATION_MAX_MS)
		return bad(e, -ERANGE, "duration", text, "is too long: at most 292 years");
	*ms = sum;
	return 0;
}

const char *duration_format(int64_t ms, char out[DURATION_CHARS])
{
	/* As unsigned: the lowest int64 has no positive counterpart. */
	uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	size_t used = 0;
	if (!left)
		return strcpy(out, "0s");
	if (ms < 0)
		out[used++] = '-';
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		uint64_t unit = (uint64_t)units[i].ms;
		if (left < unit || (units[i].whole_only && left % unit))
			continue;
		used += (size_t)snprintf(
			out + used, DURATION_CHARS - used, "%" PRIu64 "%s", left / unit, units[i].name);
		left %= unit;
	}
	return out;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, counting years from March so that leap days come
 * last. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	year += 399 + 1; /* never negative below; one era is 400 years of 146097 days */
	year -= month <= 2;
	int64_t era = year / 400;
	unsigned of_era = (unsigned)(year - era * 400);
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468 - 146097;
}

static unsigned days_in(int64_t year, unsigned month)
{
	static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

/* Exactly `digits` digits and then the character `end` (0: whatever follows). */
static bool field(const char **p, int digits, char end, unsigned *out)
{
	*out = 0;
	for (int i = 0; i < digits; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return false;
		*out = *out * 10 + (unsigned)(**p - '0');
	}
	if (!end)
		return true;
	return *(*p)++ == end;
}

static bool time_fields(const char *p, int64_t *out)
{
	unsigned year, month, day, hour, minute, second, ms = 0;
	/* && leaves a field that fails unread: *p is never moved past the NUL that made it fail and then read
	 * again. */
	if (!(field(&p, 4, '-', &year) && field(&p, 2, '-', &month) && field(&p, 2, 'T', &day) &&
		    field(&p, 2, ':', &hour) && field(&p, 2, ':', &minute) && field(&p, 2, 0, &second)))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 ||
		second > 59)
		return false;
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return false;
		for (unsigned scale = 100; isdigit((unsigned char)*p); p++, scale /= 10)
			ms += (unsigned)(*p - '0') * scale;
	}
	int64_t offset = 0;
	if (*p == '+' || *p == '-') {
		int sign = *p++ == '-' ? -1 : 1;
		unsigned hours, minutes;
		if (!field(&p, 2, ':', &hours) || !field(&p, 2, 0, &minutes) || hours > 23 || minutes > 59)
			return false;
		offset = sign * (hours * HOUR_MS + minutes * MINUTE_MS);
	} else if (*p++ != 'Z') {
		return false;
	}
	if (*p)
		return false;
	*out = days_of(year, month, day) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS +
	       ms - offset;
	return true;
}

int time_parse(const char *text, int64_t *unix_ms, struct err *e)
{
	if (time_fields(text, unix_ms))
		return 0;
	return bad(e, -EINVAL, "time", text, "is not RFC 3339 (2020-01-31T23:59:59Z)");
}

const char *time_format(int64_t unix_ms, char out[DURATION_CHARS])
{
	static const int64_t first = INT64_C(-62167219200000), last = INT64_C(253402300799999);
	if (unix_ms < first || unix_ms > last) {
		snprintf(out, DURATION_CHARS, "%" PRId64 "ms", unix_ms);
		return out;
	}
	int64_t since = unix_ms - first, days = since / DAY_MS, rest = since % DAY_MS;
	/* The year from below: at most one too high, as a year is at least 365 days. */
	int64_t year = days / 365;
	while (days_of(year, 1, 1) - days_of(0, 1, 1) > days)
		year--;
	unsigned month = 1, day = (unsigned)(days - (days_of(year, 1, 1) - days_of(0, 1, 1)));
	for (; day >= days_in(year, month); month++)
		day -= days_in(year, month);
	int n = snprintf(out, DURATION_CHARS, "%04d-%02u-%02uT%02d:%02d:%02d", (int)year, month, day + 1,
		(int)(rest / HOUR_MS), (int)(rest / MINUTE_MS % 60), (int)(rest / SECOND_MS % 60));
	if (rest % SECOND_MS)
		n += snprintf(out + n, DURATION_CHARS - (size_t)n, ".%03d", (int)(rest % SECOND_MS));
	snprintf(out + n, DURATION_CHARS - (size_t)n, "Z");
	return out;
}

int time_or_duration_parse(const char *text, struct time_or_duration *out, struct err *e)
{
	int64_t ms;
	if (time_fields(text, &ms)) {
		*out = (struct time_or_duration){ .ms = ms };
		return 0;
	}
	bool signed_ = *text == '-' || *text == '+';
	int r = duration_parse(text + signed_, &ms, NULL);
	if (r == -ERANGE)
		return bad(e, r, "duration", text, "is too long: at most 292 years");
	if (r < 0)
		return bad(e, r, "time", text,
			"is neither RFC 3339 (2020-01-31T23:59:59Z) nor a duration relative to now (-2w)");
	*out = (struct time_or_duration){ .is_relative = true, .ms = *text == '-' ? -ms : ms };
	return 0;
}

int64_t time_or_duration_at(const struct time_or_duration *t, int64_t now_ms)
{
	int64_t at;
	if (!t->is_relative)
		return t->ms;
	if (__builtin_add_overflow(now_ms, t->ms, &at))
		return t->ms < 0 ? INT64_MIN : INT64_MAX;
	return at;
}

int bytes_parse(const char *text, uint64_t *bytes, struct err *e)
{
	static const char prefixes[] = "KMGTPE";
	static const char form[] = "is not a number of bytes such as 512MiB or 10GB";
	const char *p = text, *unit;
	int64_t whole;
	if (!isdigit((unsigned char)*p))
		return bad(e, -EINVAL, "size", text, form);
	bool fits = number(&p, INT64_MAX, &whole);
	const char *fraction = NULL, *fraction_end = NULL;
	if (*p == '.') {
		fraction = ++p;
		while (isdigit((unsigned char)*p))
			p++;
		fraction_end = p;
		if (fraction == p)
			return bad(e, -EINVAL, "size", text, form);
	}
	unsigned shift = 0;
	if (*p && (unit = strchr(prefixes, toupper((unsigned char)*p)))) {
		shift = 10 * (unsigned)(unit - prefixes + 1);
		p++;
	}
	if (*p && strcasecmp(p, "b") != 0 && !(shift && strcasecmp(p, "ib") == 0))
		return bad(e, -EINVAL, "size", text, form);
	if (!fits || whole > INT64_MAX >> shift)
		return bad(e, -ERANGE, "size", text, "is too large");
	uint64_t sum = (uint64_t)whole << shift;
	/* Tenths, hundredths ... of the unit: finer ones than 18 digits are below a byte. */
	unsigned __int128 part = (unsigned __int128)1 << shift;
	uint64_t scale = 1, digits = 0;
	for (int i = 0; fraction && fraction < fraction_end && i < 18; fraction++, i++) {
		digits = digits * 10 + (unsigned)(*fraction - '0');
		scale *= 10;
	}
	sum += (uint64_t)(part * digits / scale);
	if (sum > INT64_MAX)
		return bad(e, -ERANGE, "size", text, "is too large");
	*bytes = sum;
	return 0;
}
