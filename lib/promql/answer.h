/* SPDX-License-Identifier: Apache-2.0 */
/* From an operator's rows, or a range vector's, to the series of an answer: names that go at the end go, equal label sets become one. */
#ifndef PROMQL_ANSWER_H
#define PROMQL_ANSWER_H

#include "lib/promql/plan.h"

/*
 * Computes the rows in parallel and hands them to the sink in the order of labels (by_labels) or of rows, while more are computed. The plan is
 * prepared. 0, or -errno with exec_fail called. *n_series counts what the sink was given.
 */
int answer(struct exec *x, const struct plan *p, bool by_labels, const struct promql_sink *sink,
	uint64_t *n_series);

#endif
