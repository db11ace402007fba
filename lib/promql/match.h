/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector matching by labels alone: the rows of both sides of a binary operator get the number of their match group, which is what
 * on(...) leaves of their labels, or ignoring(...), which also leaves out the name.
 */
#ifndef PROMQL_MATCH_H
#define PROMQL_MATCH_H

#include "lib/promql/ast.h"
#include "lib/promql/label_groups.h"
#include "lib/promql/op.h"

struct match_side {
	struct op *op;        /* borrowed */
	uint32_t *group;      /* of each row */
	struct group_rows of; /* the rows of each group */
};

struct match {
	struct label_choice by;
	struct label_groups groups;
	struct match_side left, right;
};

/* Both sides are open. All in the arena. */
void match_open(struct match *m, struct arena *a, const struct vector_matching *how, struct op *left,
	struct op *right);

static inline uint32_t match_count(const struct match_side *s, uint32_t group)
{
	return group_rows_count(&s->of, group);
}

static inline const uint32_t *match_rows(const struct match_side *s, uint32_t group)
{
	return &s->of.rows[s->of.first[group]];
}

#endif
