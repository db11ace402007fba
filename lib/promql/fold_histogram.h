/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The histograms that sum and avg meet in a group at one step. What can't be added up (exponential and custom buckets) leaves the group
 * without a value there.
 */
#ifndef PROMQL_FOLD_HISTOGRAM_H
#define PROMQL_FOLD_HISTOGRAM_H

#include "lib/promql/op.h"

struct fold_histogram;

/* Of a sum or an avg. The budget is borrowed, and charged for about what it takes. */
struct fold_histogram *fold_histogram_new(const struct expr *e, struct budget *budget);
void fold_histogram_free(struct fold_histogram *f); /* NULL is fine */

/* The name is that of the histogram's metric, for messages. */
void fold_histogram_add(
	struct fold_histogram *f, struct exec *x, const struct float_histogram *h, struct text name);

/* Adds what came of the group's later rows, which is spoilt. */
void fold_histogram_merge(
	struct fold_histogram *f, struct exec *x, struct fold_histogram *later, struct text name);

/* Nothing comes any more. `is_wanted`: there is a result, and it is told of where some were counter resets and others weren't. */
void fold_histogram_finish(struct fold_histogram *f, struct exec *x, bool is_wanted);

/* After that: borrowed; NULL where there is none. */
const struct float_histogram *fold_histogram_result(const struct fold_histogram *f);

#endif
