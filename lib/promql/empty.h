/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROMQL_EMPTY_H
#define PROMQL_EMPTY_H

#include "lib/promql/op.h"

/* No rows: what a subquery makes of its expression where none of its steps falls into the range. Takes inner, which is never opened. */
struct op *empty_new(const struct expr *e, struct op *inner);

#endif
