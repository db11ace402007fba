/* SPDX-License-Identifier: Apache-2.0 */
/* Dates in HTTP headers: "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7; the form that may be sent). */
#ifndef NET_HTTP_DATE_H
#define NET_HTTP_DATE_H

#include <stdint.h>

/* 0, or -EINVAL for any other form. */
int http_date_parse(const char *text, int64_t *unix_ms);

#define HTTP_DATE_CHARS 30

/* For years 1970 to 9999. */
void http_date_format(int64_t unix_ms, char out[HTTP_DATE_CHARS]);

#endif
