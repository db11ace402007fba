/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs queries over a memory source and writes the answer as text, a line a series in the order it came:
 *
 *	{job="a"} 1 2.5 _ NaN		a value a step; _ where there is none
 *	{} {count:4 sum:10}		a histogram
 *	warning: ... (1:7)
 *	error: ...
 */
#ifndef TESTS_QUERY_H
#define TESTS_QUERY_H

#include "lib/promql/promql.h"
#include "tests/support/memory_source.h"

/* What is asked with: seconds. Zero-initialised: an instant query at 0 on one thread. */
struct query_env {
	double start, end, step; /* step 0: an instant query */
	struct promql_options options;
	const atomic_bool *cancel;
};

/* The answer in *out, which is emptied first. */
void query_run(struct memory_source *m, const struct query_env *env, const char *text, struct buf *out);

struct query_case {
	const char *text, *want;
};

/* Each of them gives what is wanted, with all features, on one thread and on four. Ends the test where one doesn't. */
void query_check(
	struct memory_source *m, const struct query_env *env, const struct query_case *cases, size_t n);

/* The values of a series, one every `step` seconds from 0, written like "1 2.5 _ stale NaN 3+1x4" (3, 4, 5, 6, 7). */
void query_load(struct memory_source *m, double step, const char *series, const char *values);

/* A source with m{job="a"} of n="2" and n="10", and other{job="b"}, which has a type: four values each, one a minute from 0. */
struct memory_source *query_gauges(void);

#endif
