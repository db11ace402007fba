/* SPDX-License-Identifier: Apache-2.0 */
/* label_replace and label_join: what they do to labels is done once, when they are opened; values pass through. */
#ifndef PROMQL_LABEL_FUNCTION_H
#define PROMQL_LABEL_FUNCTION_H

#include "lib/base/err.h"
#include "lib/promql/op.h"

/* The strings of the call are checked here: -EINVAL in upstream's words, and inner is freed. Takes inner. */
int label_replace_new(const struct expr *call, struct op *inner, struct op **out, struct err *e);
int label_join_new(const struct expr *call, struct op *inner, struct op **out, struct err *e);

#endif
