/* SPDX-License-Identifier: Apache-2.0 */
/* Names of days and months are English whatever the locale, so neither strptime nor strftime will do. */
#include "lib/net/http_date.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char days[] = "SunMonTueWedThuFriSat";

void http_date_format(int64_t unix_ms, char out[HTTP_DATE_CHARS])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	snprintf(out, HTTP_DATE_CHARS, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * tm.tm_wday,
		(unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000,
		(unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

int http_date_parse(const char *text, int64_t *unix_ms)
{
	char month[4], again[HTTP_DATE_CHARS];
	struct tm tm = { 0 };
	if (strnlen(text, HTTP_DATE_CHARS) != HTTP_DATE_CHARS - 1 ||
		sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d", &tm.tm_mday, month, &tm.tm_year,
			&tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return -EINVAL;
	const char *m = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (!m || tm.tm_year < 1970)
		return -EINVAL;
	tm.tm_mon = (int)(m - months) / 3;
	tm.tm_year -= 1900;
	int64_t ms = (int64_t)timegm(&tm) * 1000;
	/* Whatever is out of range or out of place doesn't come back the same. The day's name is taken as it is. */
	http_date_format(ms, again);
	if (strcmp(again + 3, text + 3) != 0)
		return -EINVAL;
	*unix_ms = ms;
	return 0;
}
