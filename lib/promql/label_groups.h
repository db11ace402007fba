/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label sets, numbered as they come: who has the same one has the same number. What groups of an aggregation, match groups of a
 * binary operator and series of equal labels are found with, before any sample is read.
 */
#ifndef PROMQL_LABEL_GROUPS_H
#define PROMQL_LABEL_GROUPS_H

#include "lib/tsdb/label_set.h"

#define LABEL_GROUP_NONE UINT32_MAX

/* All in the arena; nothing to free. Zero but for it. */
struct label_groups {
	struct arena *arena; /* borrowed */
	struct label_set *sets;
	uint32_t n, cap;
	uint32_t *slots; /* number + 1, or 0; a power of two */
	uint64_t *hashes;
	uint32_t n_slots;
};

/* The number of this set; a new one is kept as it is given, not copied. */
uint32_t label_groups_put(struct label_groups *g, const struct label_set *s);

/* LABEL_GROUP_NONE: it isn't there. */
uint32_t label_groups_find(const struct label_groups *g, const struct label_set *s);

/*
 * The numbers of n rows' sets, each without or only with the named labels (sorted). `drops_name` as in label_set_without. In the
 * arena only what is new stays.
 */
struct label_choice {
	const struct text *names;
	size_t n_names;
	bool is_without, drops_name;
};

struct label_set label_choice_of(struct arena *a, const struct label_choice *c, const struct label_set *s);
uint32_t *label_groups_of(
	struct label_groups *g, const struct label_choice *c, const struct label_set *rows, size_t n);

/* Rows by group: those of group g are rows[first[g]] .. rows[first[g + 1]], in the order of the rows. */
struct group_rows {
	uint32_t *first, *rows;
};

struct group_rows group_rows_of(struct arena *a, const uint32_t *group, size_t n_rows, uint32_t n_groups);

static inline uint32_t group_rows_count(const struct group_rows *g, uint32_t group)
{
	return g->first[group + 1] - g->first[group];
}

#endif
