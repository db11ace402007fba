/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary operators (Prometheus' VectorBinop, VectorscalarBinop, scalarBinop and the set operators). Which rows meet is known from labels
 * when an operator is opened; whether they meet in time shows only when rows are computed, and so do the errors of matching.
 */
#ifndef PROMQL_BINARY_H
#define PROMQL_BINARY_H

#include "lib/promql/op.h"

/* For an expression of kind EXPR_BINARY. Takes both sides, which have the same steps. */
struct op *binary_new(const struct expr *e, struct op *left, struct op *right);

#endif
