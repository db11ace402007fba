/* SPDX-License-Identifier: Apache-2.0 */
/* Binary operators of which at least one side is a scalar. */
#ifndef PROMQL_BINARY_SCALAR_H
#define PROMQL_BINARY_SCALAR_H

#include "lib/promql/op.h"

/* As binary_new; rows may come to have equal labels. */
struct op *binary_scalar_new(const struct expr *e, struct op *left, struct op *right);

#endif
