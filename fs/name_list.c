/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted names in one allocation a list; the cache holds the lists of the few directories that are being
 * read. */
#include "fs/name_list.h"

#include "fs/node_id.h"
#include "lib/base/sorted.h"

#include <pthread.h>
#include <stdatomic.h>

struct name_list *name_list_new(uint64_t dir)
{
	struct name_list *l = xcalloc(1, sizeof *l);
	l->refs = 1;
	l->dir = dir;
	return l;
}

void name_list_unref(struct name_list *l)
{
	if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
		return;
	vec_fini(&l->entries);
	buf_fini(&l->names);
	free(l);
}

struct name_entry *name_list_add(struct name_list *l, const char *name, size_t n)
{
	struct name_entry *e = vec_push_slot(&l->entries);
	*e = (struct name_entry){ .name_at = l->names.len };
	buf_add(&l->names, name, n);
	buf_add_u8(&l->names, 0);
	e->hash = node_name_hash(name_list_name(l, e));
	return e;
}

static int by_hash(const void *pa, const void *pb)
{
	const struct name_entry *a = pa, *b = pb;
	return (a->hash > b->hash) - (a->hash < b->hash);
}

void name_list_sort(struct name_list *l)
{
	vec_sort(&l->entries, by_hash);
}

size_t name_list_from(const struct name_list *l, uint64_t hash)
{
	return lower_bound(i, l->entries.len, l->entries.data[i].hash < hash);
}

#define CACHED_LISTS 8u

struct name_cache {
	pthread_mutex_t lock;
	struct name_list *lists[CACHED_LISTS];
	unsigned next; /* to be replaced */
};

struct name_cache *name_cache_new(void)
{
	struct name_cache *c = xcalloc(1, sizeof *c);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void name_cache_free(struct name_cache *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < CACHED_LISTS; i++)
		name_list_unref(c->lists[i]);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

struct name_list *name_cache_get(struct name_cache *c, uint64_t dir)
{
	struct name_list *found = NULL;
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < CACHED_LISTS && !found; i++)
		if (c->lists[i] && c->lists[i]->dir == dir)
			found = c->lists[i];
	if (found)
		atomic_fetch_add(&found->refs, 1);
	pthread_mutex_unlock(&c->lock);
	return found;
}

void name_cache_put(struct name_cache *c, struct name_list *l)
{
	atomic_fetch_add(&l->refs, 1);
	pthread_mutex_lock(&c->lock);
	unsigned at = CACHED_LISTS;
	for (unsigned i = 0; i < CACHED_LISTS; i++)
		if (c->lists[i] && c->lists[i]->dir == l->dir)
			at = i;
	if (at == CACHED_LISTS)
		at = c->next++ % CACHED_LISTS;
	struct name_list *old = c->lists[at];
	c->lists[at] = l;
	pthread_mutex_unlock(&c->lock);
	name_list_unref(old);
}
