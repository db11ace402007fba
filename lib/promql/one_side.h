/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "one" side of a join. Where rows of it are wanted more than once, or where several rows are in the same match group, it is
 * computed before any row of the join, and once; else on demand. Several rows of a group are as good as one as long as no two have a
 * sample at the same step, which is an error in upstream's words.
 */
#ifndef PROMQL_ONE_SIDE_H
#define PROMQL_ONE_SIDE_H

#include "lib/promql/match.h"

/* All rows of a match group in one. */
struct one_row {
	double *v;
	uint8_t *kind;
	const struct float_histogram **h; /* NULL: none */
	uint64_t held;                    /* bytes of histograms */
	uint32_t *from; /* which row of the side each cell is of; NULL: all of the only one */
};

struct one_side {
	struct exec *exec;     /* while the query runs */
	struct budget *budget; /* its */
	const struct match *match;
	const struct match_side *side, *many;
	const char *name; /* "left" or "right", for messages */
	uint32_t n_steps;
	bool needs_no_partner; /* there are fill values: duplicates matter where the many side is empty, too */
	uint32_t *kept;        /* room for all groups: those that are computed beforehand */
	size_t n_kept, n_prepared;
	struct one_row **rows; /* of each group; NULL where it isn't kept */
};

/* Group g's rows are wanted more than once. In the order of groups, between open and prepare. */
void one_side_keep(struct one_side *s, uint32_t g);

/* For prepare: computes what was kept since the last time and looks for duplicates. 0, or -errno with exec_fail called. */
int one_side_prepare(struct one_side *s);
void one_side_fini(struct one_side *s);

/*
 * The cells of group g, which has rows, as a row whose memory is the side's where it is kept, else the worker's. `from` as in one_row. Let go
 * of it with one_side_done.
 */
int one_side_row(struct one_side *s, struct worker *w, uint32_t g, struct row *out, const uint32_t **from);

static inline void one_side_done(struct one_side *s, uint32_t g, struct row *r)
{
	if (!s->rows[g])
		row_fini(r);
}

#endif
