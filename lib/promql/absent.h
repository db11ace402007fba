/* SPDX-License-Identifier: Apache-2.0 */
/* absent(v) and absent_over_time(v[d]): 1 at the steps where no row has a sample, labelled with what the selector asked for. */
#ifndef PROMQL_ABSENT_H
#define PROMQL_ABSENT_H

#include "lib/promql/op.h"

/* Takes inner, which has a sample where there is one. The labels come from the call's argument, if it is a selector. */
struct op *absent_new(const struct expr *call, struct op *inner);

#endif
