/* SPDX-License-Identifier: Apache-2.0 */
/* and, or, unless. */
#ifndef PROMQL_SET_OPERATOR_H
#define PROMQL_SET_OPERATOR_H

#include "lib/promql/op.h"

/* As binary_new; with `or` both sides may have a row of the same labels. */
struct op *set_operator_new(const struct expr *e, struct op *left, struct op *right);

#endif
