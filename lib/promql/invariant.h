/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROMQL_INVARIANT_H
#define PROMQL_INVARIANT_H

#include "lib/promql/ast.h"

/* Whether an expression is the same at every step: all its selectors have @, and no function of it looks at the step's time. */
bool expr_is_invariant(const struct expr *e);

/* Without parentheses around it. */
static inline const struct expr *expr_bare(const struct expr *e)
{
	while (e->kind == EXPR_PAREN)
		e = e->paren;
	return e;
}

/* Where something said of an argument is said to be: within its parentheses. */
static inline struct span expr_place(const struct expr *e)
{
	return expr_bare(e)->span;
}

#endif
