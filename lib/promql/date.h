/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a date, in UTC, of seconds since 1970: hour(), day_of_week(), ... */
#ifndef PROMQL_DATE_H
#define PROMQL_DATE_H

double date_minute(double seconds);
double date_hour(double seconds);
double date_day_of_month(double seconds);
double date_day_of_week(double seconds); /* 0: Sunday */
double date_day_of_year(double seconds); /* from 1 */
double date_days_in_month(double seconds);
double date_month(double seconds);
double date_year(double seconds);

#endif
