/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries on rows that a test writes down, for operators on vectors: selectors give the rows as they are, without lookback, and there
 * are no functions but time() and vector().
 *
 *	cpu{host="a"}  1 2 _ NaN
 *	hist{host="b"} h3 h4r c5 -Inf
 *
 * A column a step of a minute, from 0 on. A histogram is h (exponential) or c (custom bounds), the count of its only bucket, and
 * what is known of it: r (a counter reset), n (none), g (a gauge); C is custom with other bounds than c. A row with ! can't be read.
 */
#ifndef TESTS_ROWS_QUERY_H
#define TESTS_ROWS_QUERY_H

#include <stdbool.h>

/*
 * The answer: rows that aren't empty, in their order, as they are written but for histograms, which are in braces; then annotations, "warning: "
 * or "info: " in front. Or "error: " and its words. Valid until the next call. Computed with one thread and with four, which must
 * give the same.
 */
const char *rows_query(const char *rows, const char *query);

/* With names removed at the end of the query, which isn't done here: a row that is to lose its name ends with "!". */
const char *rows_query_delayed(const char *rows, const char *query);

#endif
