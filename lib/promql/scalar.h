/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars: one row without labels, a float at every step. */
#ifndef PROMQL_SCALAR_H
#define PROMQL_SCALAR_H

#include "lib/promql/op.h"

struct op *number_new(const struct expr *e, const struct steps *steps, double value);
struct op *time_new(const struct expr *e, const struct steps *steps); /* time(), in seconds */

/* scalar(v): the only float there is at a step, else NaN. */
struct op *scalar_new(const struct expr *e, struct op *vector);
/* vector(s): a row without labels. */
struct op *vector_new(const struct expr *e, struct op *scalar);

/* min_of(a, b), max_of(a, b) of scalars. */
struct op *min_of_new(const struct expr *e, struct op *a, struct op *b);
struct op *max_of_new(const struct expr *e, struct op *a, struct op *b);

/* For prepare: its value at each step, in the run's arena. 0 or -errno. */
int scalar_values(struct op *scalar, struct exec *x, const double **out);

#endif
