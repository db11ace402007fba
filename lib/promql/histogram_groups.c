/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/histogram_groups.h"

#include "lib/base/go_float.h"

#include <math.h>

#define LE TEXT("le")

/* Groups by labels: an open table of their numbers, + 1. */
struct table {
	struct histogram_groups g;
	size_t *slots, mask;
};

static struct histogram_group *add_group(struct table *t, const struct label_set *labels)
{
	struct histogram_group *g = &t->g.groups[t->g.n++];
	*g = (struct histogram_group){ .labels = *labels, .native = HISTOGRAM_NO_ROW };
	return g;
}

static struct histogram_group *find_group(struct table *t, const struct label_set *labels)
{
	size_t slot = label_set_hash(labels) & t->mask;
	for (; t->slots[slot]; slot = (slot + 1) & t->mask)
		if (label_set_is(&t->g.groups[t->slots[slot] - 1].labels, labels))
			return &t->g.groups[t->slots[slot] - 1];
	t->slots[slot] = t->g.n + 1;
	return add_group(t, labels);
}

/* The row may be a native histogram. Of several with the same labels each is one of its own. */
static void add_native(struct table *t, const struct label_set *labels, size_t row)
{
	struct histogram_group *g = find_group(t, labels);
	if (g->native != HISTOGRAM_NO_ROW)
		g = add_group(t, labels);
	g->native = row;
}

static bool has_bound(const struct label_set *labels, double *bound)
{
	struct text le = label_set_get(labels, LE);
	return go_float_parse(le.len ? le.p : "", le.len, bound);
}

static int by_bound(const void *x, const void *y)
{
	const struct histogram_bound *a = x, *b = y;
	if (isnan(a->bound) != isnan(b->bound))
		return isnan(a->bound) ? 1 : -1;
	if (a->bound != b->bound && !isnan(a->bound))
		return a->bound < b->bound ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

struct histogram_groups histogram_groups_of(struct arena *a, const struct label_set *rows, size_t n)
{
	struct table t = { .mask = 15 };
	while (t.mask < 4 * n)
		t.mask = t.mask * 2 + 1;
	t.slots = arena_calloc(a, (t.mask + 1) * sizeof *t.slots);
	t.g.groups = arena_alloc(a, (2 * n + 1) * sizeof *t.g.groups);
	struct histogram_group **group = arena_alloc(a, (n + 1) * sizeof(*group));
	struct histogram_bound *bounds = arena_alloc(a, (n + 1) * sizeof *bounds);
	const struct text le = LE;
	for (size_t i = 0; i < n; i++) {
		group[i] = NULL;
		if (has_bound(&rows[i], &bounds[i].bound)) {
			struct label_set labels = label_set_without(a, &rows[i], &le, 1, false);
			group[i] = find_group(&t, &labels);
			group[i]->n_buckets++;
		} else {
			add_native(&t, &rows[i], i);
		}
	}
	t.g.n_first = t.g.n;
	for (size_t i = 0; i < n; i++)
		if (group[i])
			add_native(&t, &rows[i], i);

	/* Each group's buckets, in one piece. */
	struct histogram_bound *sorted = arena_alloc(a, (n + 1) * sizeof *sorted);
	for (size_t i = 0, at = 0; i < t.g.n; i++) {
		t.g.groups[i].buckets = sorted + at;
		at += t.g.groups[i].n_buckets;
		t.g.groups[i].n_buckets = 0;
	}
	for (size_t i = 0; i < n; i++)
		if (group[i])
			group[i]->buckets[group[i]->n_buckets++] =
				(struct histogram_bound){ bounds[i].bound, i };
	for (size_t i = 0; i < t.g.n; i++)
		qsort(t.g.groups[i].buckets, t.g.groups[i].n_buckets, sizeof *sorted, by_bound);
	return t.g;
}
