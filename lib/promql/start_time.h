/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the time from which a sample counts says about resets (promql/functions.go: isStartTimestampReset, checkStartTimeOverlap). Times
 * are ms; a start of 0 isn't known.
 */
#ifndef PROMQL_START_TIME_H
#define PROMQL_START_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* A sample with its time and the time it counts from. */
struct started {
	int64_t t, start;
};

/*
 * Whether counting began anew between two samples. One that counts from the very time of the one before it is a delta's, unless that one
 * has no start that makes sense: then it may be any counter's whose beginning nobody knows.
 */
static inline bool start_is_reset(struct started before, struct started now)
{
	if (!now.start || now.start >= now.t || now.start < before.t)
		return false;
	if (now.start > before.t)
		return true;
	return before.start && before.start < before.t;
}

/* Both count the same time, in part, but didn't begin together. */
static inline bool start_overlaps(struct started before, struct started now)
{
	return now.start && now.start < before.t && now.start != before.start;
}

/* From where a window's first sample is known to have counted up from zero: 0 where that is before the window, or not known. */
static inline int64_t start_within(struct started first, int64_t window_start)
{
	return first.start > window_start && first.start < first.t ? first.start : 0;
}

#endif
