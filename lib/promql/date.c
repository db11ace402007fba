/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Gregorian calendar, counted from 1 March of a year that 400 divides, so that the leap day is a year's last: eras of 400 years have
 * the same number of days each. The year is the one that Go counts from (time.Time), in unsigned 64 bits: what doesn't fit, infinities
 * and NaN among it, wraps round to the far end of the calendar as it does there.
 */
#include "lib/promql/date.h"

#include <math.h>
#include <stdint.h>

#define DAY        86400u
#define FIRST_YEAR (-292277022400)
#define UNIX_EPOCH 9223372028741760000u /* 1970, in seconds since then */

/* Towards zero, as Go converts; what doesn't fit is the lowest number. */
static int64_t whole(double seconds)
{
	return seconds >= -0x1p63 && seconds < 0x1p63 ? (int64_t)seconds : INT64_MIN;
}

struct date {
	int64_t year;
	int month, day; /* from 1 */
};

static uint64_t since_first_year(double seconds)
{
	return (uint64_t)whole(seconds) + UNIX_EPOCH;
}

static struct date date_of(double seconds)
{
	uint64_t days = since_first_year(seconds) / DAY, era = days / 146097, day = days % 146097;
	uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int day_of_year = (int)(day - (365 * year + year / 4 - year / 100));
	int month = (5 * day_of_year + 2) / 153; /* from March */
	return (struct date){
		.year = FIRST_YEAR + (int64_t)(era * 400 + year) + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = day_of_year - (153 * month + 2) / 5 + 1,
	};
}

static int is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return month == 2 ? 28 + is_leap(year) : days[month - 1];
}

double date_minute(double seconds)
{
	return (double)(since_first_year(seconds) % 3600 / 60);
}

double date_hour(double seconds)
{
	return (double)(since_first_year(seconds) % DAY / 3600);
}

double date_day_of_month(double seconds)
{
	return date_of(seconds).day;
}

double date_day_of_week(double seconds)
{
	return (double)((since_first_year(seconds) / DAY + 3) % 7); /* it began on a Wednesday */
}

double date_day_of_year(double seconds)
{
	struct date d = date_of(seconds);
	int day = d.day;
	for (int m = 1; m < d.month; m++)
		day += days_in(d.year, m);
	return day;
}

double date_days_in_month(double seconds)
{
	struct date d = date_of(seconds);
	return days_in(d.year, d.month);
}

double date_month(double seconds)
{
	return date_of(seconds).month;
}

double date_year(double seconds)
{
	return (double)date_of(seconds).year;
}
