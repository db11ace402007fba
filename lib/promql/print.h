/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the printers share: an expression's one line, and where in it each part stands. The line of a part is a piece of the line of
 * the whole, so that who breaks lines prints once and cuts.
 */
#ifndef PROMQL_PRINT_H
#define PROMQL_PRINT_H

#include "lib/base/vec.h"
#include "lib/promql/parse.h"

/* Of each node that is no selector's part, in the order in which they begin, parents first. */
struct printed {
	const struct expr *e;
	size_t start, end; /* in the line */
	size_t next;       /* the first node behind this one and all below it */
};

struct print_record {
	VEC(struct printed) nodes;
};

/* Appends the line; `record` may be NULL. */
void print_line(const struct expr *e, struct buf *out, struct print_record *record);

/* step() * 2, (5m), 300: an EXPR_DURATION or EXPR_NUMBER. */
void print_duration_expr(const struct expr *e, struct buf *out);

#endif
