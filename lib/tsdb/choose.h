/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which series of an index match: the postings lists of the labels that matchers ask for, intersected and subtracted. A label that a
 * series doesn't have counts as empty, so a matcher that accepts the empty value can only take away: the series that have a label it
 * doesn't accept.
 *
 * Where few series are left, matchers that would try every value of their label aren't asked of the index, but later, of each series.
 */
#ifndef TSDB_CHOOSE_H
#define TSDB_CHOOSE_H

#include "lib/base/vec.h"
#include "lib/tsdb/index_read.h"
#include "lib/tsdb/pattern.h"

struct condition {
	struct text name;
	struct pattern pattern;
	bool is_negated;
	bool takes_empty;
};

/* The conditions of n matchers, in the arena, the cheap ones first. */
struct condition *conditions_of(const struct matcher *m, size_t n, struct arena *a);

bool condition_holds(const struct condition *c, struct text value);

/* A condition that is asked of series, with what was found out about some values, by their symbols. */
#define LATE_MEMO 64
struct late {
	const struct condition *condition;
	uint32_t name; /* its symbol; UINT32_MAX: no series had it yet */
	struct {
		uint32_t value;
		bool holds;
	} memo[LATE_MEMO];
};

/* Zero-initialise it, chosen_fini it, after a fault too; it may be used again. */
struct chosen {
	struct postings list;  /* borrowed from the mapping, or from here */
	VEC(struct late) late; /* still to be asked of each series: chosen_fits */

	/* private */
	bool has_list;
	uint8_t *refs;
	struct buf value;
	VEC(struct postings) lists;
};
void chosen_fini(struct chosen *c);

/* 0, or -EBADMSG. Under a guard. */
int choose(const struct index_read *r, const struct condition *conditions, size_t n, struct chosen *out,
	struct err *e);

/* Whether the series of this entry, its labels decoded, fits the late conditions: 1, 0 or -EBADMSG. Under a guard. */
int chosen_fits(struct chosen *c, struct index_read *r, const struct index_entry *s, struct err *e);

#endif
