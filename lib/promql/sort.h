/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sort, sort_desc, sort_by_label, sort_by_label_desc: they put rows in order in instant queries; a range query's answer is ordered by
 * labels whatever they do, and says so.
 */
#ifndef PROMQL_SORT_H
#define PROMQL_SORT_H

#include "lib/promql/op.h"

struct op *sort_by_value_new(const struct expr *call, struct op *inner, bool is_descending);
struct op *sort_by_label_new(const struct expr *call, struct op *inner, bool is_descending);

/* Natural order: runs of digits compare as numbers ("a2" before "a10"), as github.com/facette/natsort has it. */
bool natural_is_less(struct text a, struct text b);

#endif
