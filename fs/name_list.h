/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of a directory in the order of their hashes, and a small cache of such lists: a long directory is
 * read in many requests, and only the first need ask the disk or the bucket. Losing a cached list costs one
 * more listing, nothing else.
 */
#ifndef FS_NAME_LIST_H
#define FS_NAME_LIST_H

#include "lib/base/buf.h"
#include "lib/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct name_entry {
	uint64_t hash; /* node_name_hash of the name */
	size_t name_at;
	uint64_t number; /* backing inode, or bytes of an object */
	int64_t mtime_ms;
	unsigned char type; /* DT_* */
};

struct name_list {
	_Atomic unsigned refs;
	uint64_t dir;
	VEC(struct name_entry) entries;
	struct buf names;
};

struct name_list *name_list_new(uint64_t dir);
void name_list_unref(struct name_list *l); /* NULL is fine */
DEFINE_AUTO(name_list, struct name_list *, name_list_unref)

/* Copies the name. */
struct name_entry *name_list_add(struct name_list *l, const char *name, size_t n);

/* To be called after the last add. */
void name_list_sort(struct name_list *l);

static inline const char *name_list_name(const struct name_list *l, const struct name_entry *e)
{
	return (const char *)l->names.data + e->name_at;
}

/* The first entry whose hash is not below. */
size_t name_list_from(const struct name_list *l, uint64_t hash);

struct name_cache;
struct name_cache *name_cache_new(void);
void name_cache_free(struct name_cache *c); /* NULL is fine */

/* A reference, or NULL. */
struct name_list *name_cache_get(struct name_cache *c, uint64_t dir);
void name_cache_put(struct name_cache *c, struct name_list *l); /* takes a reference of its own */

#endif
