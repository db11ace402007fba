/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sum, avg, count, group, min, max, stddev and stdvar keep of a group while they go through its rows: a few columns with a value a
 * step. Sums are Kahan's; averages go over to an incremental mean where a sum would overflow (Prometheus' evaluator.aggregation).
 */
#ifndef PROMQL_FOLD_H
#define PROMQL_FOLD_H

#include "lib/promql/op.h"

struct fold_histogram;

/*
 *	          a                b          c
 *	sum       sum              what it lost
 *	avg       sum, or mean     ditto      count
 *	count                                 count
 *	min, max  the least, the greatest
 *	stddev    sum of squares   mean       count
 */
struct fold {
	const struct expr *expr;
	struct budget *budget;
	uint32_t n;
	double *a, *b, *c;
	double *floats;            /* the row that is added, where it isn't all floats */
	uint8_t *seen;             /* flags, see fold.c */
	struct fold_histogram **h; /* of sum and avg where a step has histograms; NULL: none has */
	bool has_ignored;          /* it was said that histograms were ignored */
	bool has_overflowed;       /* of avg: at some step means are incremental */
};

size_t fold_bytes(uint32_t n); /* what one takes, without histograms */
void fold_init(struct fold *f, const struct expr *e, uint32_t n, struct budget *budget);
void fold_fini(struct fold *f);

/* The name is for messages. */
void fold_add(struct fold *f, struct exec *x, const struct row *row, struct text name);

/* Adds what was folded of later rows of the group; that is not to be used afterwards. */
void fold_merge(struct fold *f, struct exec *x, struct fold *later, struct text name);

/* After the last of them, once. */
void fold_finish(struct fold *f, struct exec *x);

/* Then: the group's row. */
void fold_row(const struct fold *f, struct worker *w, struct row *out);

#endif
