/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of equal label sets made one. Operators that drop names may give several rows the same labels; they are one series as long as
 * no two of them have a sample at the same step.
 */
#ifndef PROMQL_COALESCE_H
#define PROMQL_COALESCE_H

#include "lib/promql/op.h"

/*
 * Takes inner. Rows keep their order, a merged one stands where its first part stood. Where no labels are equal, rows are handed
 * through as they are. A row fails with "vector cannot contain metrics with the same labelset".
 */
struct op *merge_rows(struct op *inner);

#endif
