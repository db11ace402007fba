/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations, times and byte sizes as people write them on command lines and in configurations: the forms that
 * Prometheus and Thanos take. Times and durations are milliseconds. Errors quote the text and say what is
 * wrong.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest duration: what Prometheus, which counts nanoseconds in 64 bits, can hold; 292 years. */
#define DURATION_MAX_MS 9223372036854

/*
 * "1h30m", "15d", "500ms", "0": units y (365 days), w, d, h, m, s, ms, each at most once and in this order,
 * whole numbers. Not negative. 0, or -EINVAL, or -ERANGE past DURATION_MAX_MS.
 */
int duration_parse(const char *text, int64_t *ms, struct err *e);

#define DURATION_CHARS 48 /* room for any formatted duration or time */

/* The shortest form that duration_parse takes; a negative one gets a '-' in front. Returns `out`. */
const char *duration_format(int64_t ms, char out[DURATION_CHARS]);

/* "2020-01-01T00:00:00Z", "2020-01-01T01:00:00.5+01:00"; years 0000 to 9999. 0 or -EINVAL. */
int time_parse(const char *text, int64_t *unix_ms, struct err *e);

/* RFC 3339 in UTC, milliseconds only where there are any; a time outside of the years 0000 to 9999 as
 * "123ms". */
const char *time_format(int64_t unix_ms, char out[DURATION_CHARS]);

/* A fixed time, or one that moves with now: what --min-time and --max-time take. */
struct time_or_duration {
	bool is_relative;
	int64_t ms; /* since 1970, or to be added to now */
};

/* An RFC 3339 time, or a duration with or without a sign: "-2w" is two weeks ago. */
int time_or_duration_parse(const char *text, struct time_or_duration *out, struct err *e);

/* The time that is meant when it is now `now_ms`. */
int64_t time_or_duration_at(const struct time_or_duration *t, int64_t now_ms);

/*
 * "10GB", "512MiB", "1.5G", "0", "4096": B, and K, M, G, T, P, E with or without B or iB, all powers of 1024
 * as Prometheus and Thanos have them, whatever the case. -EINVAL, or -ERANGE past INT64_MAX.
 */
int bytes_parse(const char *text, uint64_t *bytes, struct err *e);

#endif
