/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goes through the buckets of one side of a histogram in the order of their numbers, as they are or merged into the coarser ones of a
 * lower schema.
 */
#ifndef TSDB_BUCKET_CURSOR_H
#define TSDB_BUCKET_CURSOR_H

#include "lib/base/kahan.h"
#include "lib/tsdb/histogram.h"

struct bucket_cursor {
	/* What to go through; set these: */
	const struct histogram_span *spans;
	uint32_t n_spans;
	const double *counts;
	const double *lost; /* what rounding took of each; may be NULL */
	int shift;          /* how much lower the schema shall be */

	/* After bucket_cursor_next: a bucket. Of merged ones the sum. */
	int32_t number;
	double count, count_lost;

	/* Private */
	uint32_t left; /* in the span */
	int64_t next;  /* number */
};

/* The number in a schema that is lower by `shift`: (1, 2] and (2, 4] become (1, 4]. */
static inline int32_t bucket_number_reduced(int32_t number, int shift)
{
	return (int32_t)((((int64_t)number - 1) >> shift) + 1);
}

static inline int32_t bucket_cursor_target(const struct bucket_cursor *c)
{
	return bucket_number_reduced((int32_t)c->next, c->shift);
}

/* To the span that has the next bucket. A span is read here for the last time, so the caller may write over those behind. */
static inline bool bucket_cursor_seek(struct bucket_cursor *c)
{
	while (!c->left) {
		if (!c->n_spans)
			return false;
		c->next += c->spans->offset;
		c->left = c->spans->length;
		c->spans++;
		c->n_spans--;
	}
	return true;
}

static inline void bucket_cursor_step(struct bucket_cursor *c)
{
	c->counts++;
	if (c->lost)
		c->lost++;
	c->left--;
	c->next++;
}

static inline bool bucket_cursor_next(struct bucket_cursor *c)
{
	if (!bucket_cursor_seek(c))
		return false;
	c->number = bucket_cursor_target(c);
	c->count = *c->counts;
	c->count_lost = c->lost ? *c->lost : 0;
	bucket_cursor_step(c);
	while (c->shift && bucket_cursor_seek(c) && bucket_cursor_target(c) == c->number) {
		kahan_add(&c->count, &c->count_lost, *c->counts);
		if (c->lost)
			kahan_add(&c->count, &c->count_lost, *c->lost);
		bucket_cursor_step(c);
	}
	return true;
}

#endif
