/* SPDX-License-Identifier: Apache-2.0 */
/* Chains, of one node each on average at most. */
#include "fs/node_table.h"

#include "lib/base/mem.h"

#define CHAINS_MIN 256u /* a power of two */

void node_table_init(struct node_table *t)
{
	*t = (struct node_table){ .chains = xcalloc(CHAINS_MIN, sizeof *t->chains), .mask = CHAINS_MIN - 1 };
}

void node_table_fini(struct node_table *t, void (*free_node)(struct node_entry *e))
{
	for (size_t i = 0; i <= t->mask; i++) {
		for (struct node_entry *e = t->chains[i], *next; e; e = next) {
			next = e->chain;
			free_node(e);
		}
	}
	free(t->chains);
}

static void link_in(struct node_table *t, struct node_entry *e)
{
	struct node_entry **chain = node_table_chain(t, e->id);
	e->chain = *chain;
	*chain = e;
}

static void grow(struct node_table *t)
{
	size_t n = t->mask + 1;
	struct node_entry **old = t->chains;
	t->chains = xcalloc(n * 2, sizeof *t->chains);
	t->mask = n * 2 - 1;
	for (size_t i = 0; i < n; i++) {
		for (struct node_entry *e = old[i], *next; e; e = next) {
			next = e->chain;
			link_in(t, e);
		}
	}
	free(old);
}

void node_table_add(struct node_table *t, struct node_entry *e)
{
	if (t->n > t->mask)
		grow(t);
	link_in(t, e);
	t->n++;
}

void node_table_remove(struct node_table *t, struct node_entry *e)
{
	struct node_entry **at = node_table_chain(t, e->id);
	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	t->n--;
}
