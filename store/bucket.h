/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket: named objects in an object store, or files below a directory. Names are relative, parts joined by
 * '/', never empty, "." or "..". Every operation may be called from any thread. Errors name the bucket and
 * the object; -ENOENT: no such object; -EAGAIN, -ETIMEDOUT, -ECONNREFUSED and their like: worth a retry.
 *
 * Layers (prefix, retry, ...) implement the same interface around another bucket and forward what they don't
 * change.
 */
#ifndef STORE_BUCKET_H
#define STORE_BUCKET_H

#include "lib/base/blob.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct bucket;

#define BUCKET_NAME_MAX     1024       /* bytes of an object's name, as in S3 */
#define BUCKET_SIZE_UNKNOWN UINT64_MAX /* of an object that is to be opened */

struct object_info {
	/* From the bucket's root, borrowed; a "directory" (see list) ends in '/'. */
	const char *name;
	uint64_t size;    /* bytes; 0 for a directory, and where want_info was false */
	int64_t mtime_ms; /* last modification, likewise */
};

/* Non-zero ends the listing and is returned. */
typedef int bucket_list_fn(void *arg, const struct object_info *o);

struct bucket_ops {
	/*
	 * Calls fn for what stands below `prefix` ("" or ending in '/'): with `recursive` every object, else
	 * the objects and "directories" one level down. In no particular order. A prefix with nothing below
	 * is no error. want_info false may leave sizes and times 0 where they'd cost a request each.
	 */
	int (*list)(struct bucket *b, const char *prefix, bool recursive, bool want_info, bucket_list_fn *fn,
		void *arg, struct err *e);
	/* Size and time. */
	int (*stat)(struct bucket *b, const char *name, struct object_info *out, struct err *e);
	/*
	 * Opens for range reads. What was opened goes on being readable after the object was deleted, where the store
	 * can. `known_bytes` is the size that a listing gave, or BUCKET_SIZE_UNKNOWN: with it a remote store needs no
	 * request here, and an object that isn't there, or has another size (-EBADMSG), fails when it is read.
	 */
	int (*open)(
		struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e);
	/* Stores a whole object, visible at once or not at all. */
	int (*put)(struct bucket *b, const char *name, struct blob *content, struct err *e);
	/* What isn't there: -ENOENT, or 0 from a store that doesn't say. */
	int (*remove)(struct bucket *b, const char *name, struct err *e);
	void (*free)(struct bucket *b);
};

struct bucket {
	const struct bucket_ops *ops;
	char *name;        /* for messages: "filesystem /var/bucket"; owned */
	bool flat_listing; /* one recursive listing is one request (object stores), not one a directory */
};

int bucket_list(struct bucket *b, const char *prefix, bool recursive, bool want_info, bucket_list_fn *fn,
	void *arg, struct err *e);
int bucket_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e);
int bucket_open(struct bucket *b, const char *name, struct blob **out, struct err *e);
int bucket_open_sized(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e);
int bucket_put(struct bucket *b, const char *name, struct blob *content, struct err *e);
int bucket_remove(struct bucket *b, const char *name, struct err *e);
void bucket_free(struct bucket *b); /* NULL is fine */
DEFINE_AUTO(bucket, struct bucket *, bucket_free)

/* A small object whole, appended to `out`; -EFBIG past max_bytes. `known_bytes` as for bucket_open_sized. */
int bucket_get(struct bucket *b, const char *name, size_t max_bytes, struct buf *out, struct err *e);
int bucket_get_sized(struct bucket *b, const char *name, uint64_t known_bytes, size_t max_bytes,
	struct buf *out, struct err *e);

/* False for names the interface does not allow: every operation refuses them with -EINVAL. */
bool bucket_name_is_valid(const char *name);

#endif
