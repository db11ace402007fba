/* SPDX-License-Identifier: Apache-2.0 */
/* The values of numbers and durations as they stand in a query, with Go's and upstream's words for what is none. */
#ifndef PROMQL_LITERAL_H
#define PROMQL_LITERAL_H

#include "lib/base/buf.h"
#include "lib/promql/ast.h"

/*
 * As strconv.ParseInt(s, 0, 64) or, failing that, strconv.ParseFloat reads it: 017 is 15, 1_000, 0x1f, 1e3, Inf, NaN. False: *out is
 * what upstream goes on with, and `why` has the words appended.
 */
bool literal_number(struct text s, double *out, struct buf *why);

/* "1h30m" in seconds; each unit once, the longest first. False: *out is 0. */
bool literal_duration(struct text s, double *out, struct buf *why);

/*
 * Seconds that fit no duration: 64 bits of nanoseconds or more, or NaN. Upstream takes NaN and the bound itself, which overflow to a
 * range of -292 years.
 */
static inline bool seconds_are_too_many(double seconds)
{
	return !(seconds < 9223372036.854775808 && seconds > -9223372036.854775808);
}

/* To ms as upstream does: to the nearest nanosecond, and then cut off. Not of too many. */
int64_t seconds_to_ms(double seconds);

#endif
