/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/raw_table.h"

#include "fs/node_table.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <pthread.h>
#include <string.h>

struct raw_node {
	struct node_entry node; /* of the table */
	bool is_dir;
	uint64_t size;
	int64_t mtime_ms, found_us;
	struct raw_blob *blob; /* a reference; NULL: not open */
	char name[];
};

struct raw {
	pthread_mutex_t lock;
	struct node_table nodes;
};

void raw_info_fini(struct raw_info *i)
{
	free(i->name);
}

void raw_blob_unref(struct raw_blob *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	blob_close(b->blob);
	free(b);
}

static void free_entry(struct node_entry *e)
{
	raw_blob_unref(((struct raw_node *)e)->blob);
	free(e);
}

struct raw *raw_new(void)
{
	struct raw *r = xcalloc(1, sizeof *r);
	pthread_mutex_init(&r->lock, NULL);
	node_table_init(&r->nodes);
	return r;
}

void raw_free(struct raw *r)
{
	if (!r)
		return;
	node_table_fini(&r->nodes, free_entry);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static struct raw_node *find_locked(struct raw *r, uint64_t id)
{
	return (struct raw_node *)node_table_find(&r->nodes, id);
}

bool raw_remember(struct raw *r, const struct raw_info *i)
{
	bool taken = false;
	size_t n = strlen(i->name) + 1;
	pthread_mutex_lock(&r->lock);
	struct raw_node *node = find_locked(r, i->id);
	if (!node) {
		node = xcalloc(1, sizeof *node + n);
		node->node.id = i->id;
		memcpy(node->name, i->name, n);
		node_table_add(&r->nodes, &node->node);
	} else {
		taken = strcmp(node->name, i->name) != 0;
	}
	if (!taken) {
		node->is_dir = i->is_dir;
		node->size = i->size;
		node->mtime_ms = i->mtime_ms;
		node->found_us = i->found_us;
	}
	pthread_mutex_unlock(&r->lock);
	if (taken)
		log_warn("object not shown: its name hashes like another's", KV("object", i->name));
	return !taken;
}

bool raw_recall(struct raw *r, uint64_t id, struct raw_info *out)
{
	pthread_mutex_lock(&r->lock);
	struct raw_node *n = find_locked(r, id);
	if (n)
		*out = (struct raw_info){ id, xstrdup(n->name), n->is_dir, n->size, n->mtime_ms,
			n->found_us };
	pthread_mutex_unlock(&r->lock);
	return n != NULL;
}

void raw_forget(struct raw *r, uint64_t id)
{
	pthread_mutex_lock(&r->lock);
	struct raw_node *n = find_locked(r, id);
	if (n && n->blob)
		n = NULL;
	if (n)
		node_table_remove(&r->nodes, &n->node);
	pthread_mutex_unlock(&r->lock);
	free(n);
}

static struct raw_blob *ref_blob_locked(struct raw_node *n)
{
	if (!n || !n->blob)
		return NULL;
	atomic_fetch_add(&n->blob->refs, 1);
	return n->blob;
}

struct raw_blob *raw_blob(struct raw *r, uint64_t id)
{
	pthread_mutex_lock(&r->lock);
	struct raw_blob *b = ref_blob_locked(find_locked(r, id));
	pthread_mutex_unlock(&r->lock);
	return b;
}

struct raw_blob *raw_blob_opened(struct raw *r, uint64_t id, struct blob *blob)
{
	struct raw_blob *b = xcalloc(1, sizeof *b), *spare = NULL;
	b->refs = 1;
	b->blob = blob;
	pthread_mutex_lock(&r->lock);
	struct raw_node *n = find_locked(r, id);
	struct raw_blob *known = ref_blob_locked(n);
	if (known) {
		spare = b;
		b = known;
	} else if (n) {
		atomic_fetch_add(&b->refs, 1);
		n->blob = b;
	}
	pthread_mutex_unlock(&r->lock);
	raw_blob_unref(spare);
	return b;
}

void raw_blob_closed(struct raw *r, uint64_t id)
{
	pthread_mutex_lock(&r->lock);
	struct raw_node *n = find_locked(r, id);
	struct raw_blob *b = n ? take(n->blob) : NULL;
	pthread_mutex_unlock(&r->lock);
	raw_blob_unref(b);
}
