/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/node_table.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#define NODES 5000

static size_t freed;

static void free_one(struct node_entry *e)
{
	free(e);
	freed++;
}

static struct node_entry *new_entry(uint64_t id)
{
	struct node_entry *e = xcalloc(1, sizeof *e);
	e->id = id;
	return e;
}

/* The id of the i-th; some differ in the highest bits alone, others in the lowest. */
static uint64_t id_of(uint64_t i)
{
	return i % 3 == 0 ? i << 48 | 7 : i;
}

TEST(each_node_is_found_by_its_id_however_many_there_are)
{
	struct node_table t;
	struct node_entry *all[NODES];
	node_table_init(&t);
	for (size_t i = 1; i < NODES; i++) {
		CHECK(!node_table_find(&t, id_of(i)));
		all[i] = new_entry(id_of(i));
		node_table_add(&t, all[i]);
	}
	CHECK_INT(t.n, NODES - 1);
	for (size_t i = 1; i < NODES; i++)
		CHECK(node_table_find(&t, id_of(i)) == all[i]);
	CHECK(!node_table_find(&t, NODES * 2));
	node_table_fini(&t, free_one);
	CHECK_INT(freed, NODES - 1);
}

TEST(what_is_removed_is_gone_and_the_rest_stays)
{
	struct node_table t;
	node_table_init(&t);
	for (size_t i = 1; i < NODES; i++)
		node_table_add(&t, new_entry(id_of(i)));
	for (size_t i = 1; i < NODES; i += 2) {
		struct node_entry *e = node_table_find(&t, id_of(i));
		node_table_remove(&t, e);
		free(e);
	}
	CHECK_INT(t.n, NODES / 2 - 1);
	for (size_t i = 1; i < NODES; i++)
		CHECK(!node_table_find(&t, id_of(i)) == (i % 2 == 1));
	node_table_fini(&t, free_one);
	CHECK_INT(freed, NODES / 2 - 1);
}

TEST_MAIN()
