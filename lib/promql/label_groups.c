/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/label_groups.h"

#include "lib/promql/op.h"

#define FIRST_SETS  16u
#define FIRST_SLOTS 32u /* twice as many, at least */

static uint32_t *slot_of(const struct label_groups *g, const struct label_set *s, uint64_t hash)
{
	uint32_t mask = g->n_slots - 1, i = (uint32_t)hash & mask;
	while (g->slots[i]) {
		uint32_t k = g->slots[i] - 1;
		if (g->hashes[k] == hash && label_set_is(&g->sets[k], s))
			break;
		i = (i + 1) & mask;
	}
	return &g->slots[i];
}

static void *grown(struct arena *a, const void *p, size_t had, size_t bytes)
{
	void *more = arena_alloc(a, bytes);
	if (had)
		memcpy(more, p, had);
	return more;
}

/* What it had before stays in the arena: as much again, altogether. */
static void grow(struct label_groups *g)
{
	uint32_t cap = g->cap ? g->cap * 2 : FIRST_SETS;
	g->sets = grown(g->arena, g->sets, g->n * sizeof *g->sets, cap * sizeof *g->sets);
	g->hashes = grown(g->arena, g->hashes, g->n * sizeof *g->hashes, cap * sizeof *g->hashes);
	g->cap = cap;
	g->n_slots = g->n_slots ? g->n_slots * 2 : FIRST_SLOTS;
	g->slots = arena_calloc(g->arena, g->n_slots * sizeof *g->slots);
	for (uint32_t k = 0; k < g->n; k++) {
		uint32_t i = (uint32_t)g->hashes[k] & (g->n_slots - 1);
		while (g->slots[i])
			i = (i + 1) & (g->n_slots - 1);
		g->slots[i] = k + 1;
	}
}

uint32_t label_groups_find(const struct label_groups *g, const struct label_set *s)
{
	uint32_t *slot = g->n ? slot_of(g, s, label_set_hash(s)) : NULL;
	return slot && *slot ? *slot - 1 : LABEL_GROUP_NONE;
}

uint32_t label_groups_put(struct label_groups *g, const struct label_set *s)
{
	if (g->n == g->cap)
		grow(g);
	uint64_t hash = label_set_hash(s);
	uint32_t *slot = slot_of(g, s, hash);
	if (!*slot) {
		g->sets[g->n] = *s;
		g->hashes[g->n] = hash;
		*slot = ++g->n;
	}
	return *slot - 1;
}

struct label_set label_choice_of(struct arena *a, const struct label_choice *c, const struct label_set *s)
{
	if (c->is_without)
		return label_set_without(a, s, c->names, c->n_names, c->drops_name);
	return label_set_with(a, s, c->names, c->n_names);
}

uint32_t *label_groups_of(
	struct label_groups *g, const struct label_choice *c, const struct label_set *rows, size_t n)
{
	uint32_t *of = arena_alloc(g->arena, n * sizeof *of);
	for (size_t i = 0; i < n; i++) {
		struct arena_mark mark = arena_mark(g->arena);
		struct label_set s = label_choice_of(g->arena, c, &rows[i]);
		of[i] = label_groups_find(g, &s);
		if (of[i] == LABEL_GROUP_NONE)
			of[i] = label_groups_put(g, &s);
		else
			arena_release(g->arena, mark);
		if (interrupt_after(LABELS_WORK) < 0) {
			memset(of + i, 0, (n - i) * sizeof *of); /* there is a group 0 */
			break;
		}
	}
	return of;
}

struct group_rows group_rows_of(struct arena *a, const uint32_t *group, size_t n_rows, uint32_t n_groups)
{
	struct group_rows g = {
		.first = arena_calloc(a, (n_groups + 1ul) * sizeof *g.first),
		.rows = arena_alloc(a, n_rows * sizeof *g.rows),
	};
	for (size_t i = 0; i < n_rows; i++)
		g.first[group[i] + 1]++;
	for (uint32_t k = 0; k < n_groups; k++)
		g.first[k + 1] += g.first[k];
	for (size_t i = 0; i < n_rows; i++)
		g.rows[g.first[group[i]]++] = (uint32_t)i;
	for (uint32_t k = n_groups; k > 0; k--)
		g.first[k] = g.first[k - 1];
	g.first[0] = 0;
	return g;
}
