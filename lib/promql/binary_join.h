/* SPDX-License-Identifier: Apache-2.0 */
/* Binary operators between two vectors, but for and, or, unless. */
#ifndef PROMQL_BINARY_JOIN_H
#define PROMQL_BINARY_JOIN_H

#include "lib/promql/op.h"

/* As binary_new; rows of different match groups may come to have equal labels. */
struct op *binary_join_new(const struct expr *e, struct op *left, struct op *right);

#endif
