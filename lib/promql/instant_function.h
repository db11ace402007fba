/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of instant vectors, a row at a time. Histograms have no result, and rows lose their names, where nothing else is said. */
#ifndef PROMQL_INSTANT_FUNCTION_H
#define PROMQL_INSTANT_FUNCTION_H

#include "lib/promql/op.h"

#define INSTANT_PARAMS_MAX 2u

/* What a row's cells become; param[k] holds the k-th scalar argument at each step. Cells of histograms are already gone. */
typedef void instant_kernel_fn(const struct op *op, const double *const *params, struct row *r);

struct instant_kernel {
	const char *name;
	double (*of_float)(double v); /* or: */
	instant_kernel_fn *of_row;
};

/* abs, sqrt, clamp, round, hour, ... by name; NULL: none of them. */
const struct instant_kernel *instant_kernel_find(const char *name);

/* Takes inner and the params, which are scalar operators. */
struct op *instant_new(const struct expr *call, const struct instant_kernel *kernel, struct op *inner,
	struct op **params, size_t n_params);

/* timestamp() of what isn't a selector: the step's own time, of histograms too. */
struct op *step_time_new(const struct expr *call, struct op *inner);

/* -v */
struct op *negate_new(const struct expr *e, struct op *inner);

/* What was computed for one step, at all steps. Takes inner, which has one step. */
struct op *invariant_new(const struct expr *e, struct op *inner, const struct steps *steps);

#endif
