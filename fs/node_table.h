/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of nodes by their id, which grows with them. Nodes are the caller's, and so is the lock. */
#ifndef FS_NODE_TABLE_H
#define FS_NODE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* A node's first member. */
struct node_entry {
	uint64_t id;
	struct node_entry *chain;
};

struct node_table {
	struct node_entry **chains;
	size_t n, mask; /* nodes; chains less one */
};

void node_table_init(struct node_table *t);

/* Calls `free_node` with each node. */
void node_table_fini(struct node_table *t, void (*free_node)(struct node_entry *e));

static inline struct node_entry **node_table_chain(const struct node_table *t, uint64_t id)
{
	return &t->chains[(size_t)(id * 0x9e3779b97f4a7c15ull >> 20) & t->mask];
}

/* NULL: it is not there. */
static inline struct node_entry *node_table_find(const struct node_table *t, uint64_t id)
{
	struct node_entry *e = *node_table_chain(t, id);
	while (e && e->id != id)
		e = e->chain;
	return e;
}

/* Adds a node whose id is set and not in the table. */
void node_table_add(struct node_table *t, struct node_entry *e);

void node_table_remove(struct node_table *t, struct node_entry *e); /* which is there */

#endif
