/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From when the samples of a series count, in the notation of Prometheus' test scripts: a line before the series' own,
 *
 *	hits{job="a"}@st _ -30s -1m-1mx2 0x3
 *
 * with durations relative to the samples' times: nothing known; 30 s before; 1, 2, 3 minutes before; four times the sample's own time.
 */
#ifndef TESTS_NOTED_STARTS_H
#define TESTS_NOTED_STARTS_H

#include "tests/support/noted_series.h"

/* Whether a line is one of these. */
bool noted_starts_are(const char *line);

/* A series of points that have only a start, or are omitted. -EINVAL, with the reason. *out is to be freed in any case. */
int noted_starts_parse(const char *line, struct arena *a, struct noted_series *out, struct err *e);

#endif
