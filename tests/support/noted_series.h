/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A series in the notation of Prometheus' test scripts and rule tests (docs/configuration/unit_testing_rules.md, "Series"):
 *
 *	up{job="a"} 1 2+3x2 _x2 stale NaN {{schema:0 count:3}}+{{count:1}}x4
 *
 * are 1; 2, 5, 8; two times no sample; a stale marker; NaN; five histograms.
 */
#ifndef TESTS_NOTED_SERIES_H
#define TESTS_NOTED_SERIES_H

#include "lib/base/vec.h"
#include "lib/tsdb/float_histogram.h"
#include "lib/tsdb/label_set.h"

#define NOTED_POINTS_MAX 100000 /* of one series */

struct noted_point {
	bool is_omitted;
	bool has_start; /* it is known from when it counts: start ms after its time (noted_starts.h) */
	int64_t start;
	bool has_hint;             /* the histogram's reset hint is written, too */
	double v;                  /* 0 of a histogram */
	struct float_histogram *h; /* owned; NULL: a float */
};

struct noted_points {
	struct noted_point *data;
	size_t len, cap;
};

struct noted_series {
	struct label_set labels; /* in the arena and the line */
	struct noted_points points;
};

/* -EINVAL, with the reason, where the line is something else. *out is to be freed in any case. */
int noted_series_parse(const char *line, struct arena *a, struct noted_series *out, struct err *e);
void noted_series_fini(struct noted_series *s);
static inline void mem_auto_noted_series(struct noted_series *s)
{
	noted_series_fini(s);
}

/* The labels that *p begins with, which is moved behind them. */
int noted_labels_parse(const char **p, struct arena *a, struct label_set *out, struct err *e);

/* "x5" that *p may begin with, which is moved behind it. *n is 0 where there is none; -EINVAL: nothing to count by, or too much. */
int noted_count_parse(const char **p, size_t *n, struct err *e);

#endif
