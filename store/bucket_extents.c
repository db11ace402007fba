/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer itself does little: it gives every blob its cached object and its source, finds out which readers are
 * sequential, and cuts long reads into windows.
 */
#include "store/bucket_extents.h"

#include "store/extents_blocks.h"
#include "store/extents_fetch.h"
#include "store/extents_object.h"
#include "store/extents_read.h"
#include "store/readahead.h"

#include <stdio.h>

struct extents_bucket {
	struct bucket base;
	struct bucket *inner;
	bool is_beside; /* inner is borrowed */
	struct extents *x;
	unsigned open_sources; /* under the cache's lock */
};

struct extents_blob {
	struct blob base;
	struct extents *x;
	struct extents_object *o;
	struct extents_source *source;
	atomic_bool is_announced; /* somebody says what will be read: nothing is to be guessed */
	pthread_mutex_t lock;     /* of the two below */
	struct readahead readahead;
	int held_fd; /* -1: the object isn't held by this blob */
};

static struct extents_bucket *extents_of(struct bucket *b)
{
	return (struct extents_bucket *)b;
}

static struct extents_ahead blocks_of(const struct extents *x, uint64_t from, uint64_t to)
{
	uint64_t block = x->options.block_bytes;
	return (struct extents_ahead){ from / block, (to + block - 1) / block };
}

/* What this read makes worth fetching. */
static struct extents_ahead look_ahead(struct extents_blob *eb, size_t n, uint64_t at)
{
	uint64_t from, to;
	uint32_t most = eb->x->options.readahead_bytes;
	if (most == 0 || atomic_load_explicit(&eb->is_announced, memory_order_relaxed))
		return (struct extents_ahead){ 0 };
	pthread_mutex_lock(&eb->lock);
	bool is_some = readahead_note(&eb->readahead, at, n, eb->base.size, most, &from, &to);
	pthread_mutex_unlock(&eb->lock);
	return is_some ? blocks_of(eb->x, from, to) : (struct extents_ahead){ 0 };
}

static int extents_blob_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct extents_blob *eb = (struct extents_blob *)b;
	struct extents_ahead ahead = look_ahead(eb, n, at);
	ssize_t got = extents_blocks_read(eb->x, eb->o, out, n, at);
	size_t done = got > 0 ? (size_t)got : 0;
	if (done == n)
		extents_announce(eb->x, eb->source, ahead);
	while (done < n) {
		uint64_t block = eb->x->options.block_bytes, from = at + done;
		uint64_t window = EXTENTS_WINDOW_BLOCKS * block - from % block;
		size_t piece = (size_t)MIN_OF(n - done, window);
		int r = extents_read(eb->x, eb->source, (uint8_t *)out + done, piece, from, ahead, e);
		if (r < 0)
			return r;
		ahead = (struct extents_ahead){ 0 };
		done += piece;
	}
	return 0;
}

static int extents_blob_fd(struct blob *b)
{
	struct extents_blob *eb = (struct extents_blob *)b;
	pthread_mutex_lock(&eb->lock);
	int fd = eb->held_fd;
	pthread_mutex_unlock(&eb->lock);
	if (fd >= 0)
		return fd;
	fd = extents_object_hold(eb->x, eb->o);
	if (fd < 0)
		return -1;
	pthread_mutex_lock(&eb->lock);
	bool is_twice = eb->held_fd >= 0;
	eb->held_fd = fd;
	pthread_mutex_unlock(&eb->lock);
	if (is_twice)
		extents_object_release(eb->x, eb->o);
	return fd;
}

static void extents_blob_will_read(struct blob *b, uint64_t at, uint64_t n)
{
	struct extents_blob *eb = (struct extents_blob *)b;
	atomic_store_explicit(&eb->is_announced, true, memory_order_relaxed);
	extents_announce(eb->x, eb->source, blocks_of(eb->x, at, at + n));
}

static void extents_blob_version(struct blob *b, char out[BLOB_VERSION_BYTES])
{
	struct extents_blob *eb = (struct extents_blob *)b;
	pthread_mutex_lock(&eb->x->lock);
	memcpy(out, eb->o->version, BLOB_VERSION_BYTES);
	pthread_mutex_unlock(&eb->x->lock);
}

/* Where what is cached is not what is asked for, the store is, and says so. */
static void extents_blob_pin(struct blob *b, const char *version)
{
	struct extents_blob *eb = (struct extents_blob *)b;
	blob_pin(eb->source->inner, version);
	pthread_mutex_lock(&eb->x->lock);
	if (!eb->o->version[0] && eb->o->bytes == 0)
		snprintf(eb->o->version, sizeof eb->o->version, "%s", version);
	bool is_other = strcmp(eb->o->version, version) != 0;
	pthread_mutex_unlock(&eb->x->lock);
	if (is_other)
		extents_object_kill(eb->x, eb->o);
}

static void extents_blob_forget(struct blob *b, uint64_t at, uint64_t n)
{
	struct extents_blob *eb = (struct extents_blob *)b;
	struct extents_ahead blocks = blocks_of(eb->x, at, at + n);
	extents_blocks_distrust(eb->x, eb->o, blocks.first, blocks.last);
	blob_forget(eb->source->inner, at, n);
}

static void extents_blob_close(struct blob *b)
{
	struct extents_blob *eb = (struct extents_blob *)b;
	if (eb->held_fd >= 0)
		extents_object_release(eb->x, eb->o);
	extents_source_unref(eb->x, eb->source);
	extents_object_unref(eb->x, eb->o);
	pthread_mutex_destroy(&eb->lock);
	free(eb);
}

static struct blob *new_blob(struct extents_bucket *b, struct blob *inner, struct extents_object *o)
{
	static const struct blob_ops ops = {
		.read = extents_blob_read,
		.fd = extents_blob_fd,
		.will_read = extents_blob_will_read,
		.version = extents_blob_version,
		.pin = extents_blob_pin,
		.forget = extents_blob_forget,
		.close = extents_blob_close,
	};
	struct extents_blob *eb = xcalloc(1, sizeof *eb);
	eb->base = (struct blob){ .ops = &ops, .size = inner->size, .name = xstrdup(inner->name) };
	eb->x = b->x;
	eb->o = o;
	eb->source = extents_source_new(b->x, o, inner, &b->open_sources);
	eb->held_fd = -1;
	pthread_mutex_init(&eb->lock, NULL);
	return &eb->base;
}

static int extents_bucket_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	struct extents_bucket *eb = extents_of(b);
	struct blob *inner = NULL;
	int r = bucket_open_sized(eb->inner, name, known_bytes, &inner, e);
	if (r < 0)
		return r;
	*out = inner;
	if (inner->size == 0 || inner->size < eb->x->options.min_object_bytes ||
		inner->size > EXTENTS_OBJECT_MAX_BYTES || blob_fd(inner) >= 0)
		return 0;
	char version[BLOB_VERSION_BYTES];
	auto_free char *full = xasprintf("%s\n%s", eb->inner->name, name);
	if (strlen(full) > EXTENTS_NAME_MAX)
		return 0;
	blob_version(inner, version);
	struct extents_object *o = extents_object_get(eb->x, full, inner->size, version);
	if (o)
		*out = new_blob(eb, inner, o);
	return 0;
}

static int extents_bucket_list(struct bucket *b, const char *prefix, bool recursive, bool want_info,
	bucket_list_fn *fn, void *arg, struct err *e)
{
	return bucket_list(extents_of(b)->inner, prefix, recursive, want_info, fn, arg, e);
}

static int extents_bucket_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	return bucket_stat(extents_of(b)->inner, name, out, e);
}

/* What was cached under a name that is written or removed here is of no use any more. */
static void forget(struct extents_bucket *b, const char *name)
{
	auto_free char *full = xasprintf("%s\n%s", b->inner->name, name);
	extents_object_forget(b->x, full);
}

static int extents_bucket_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	int r = bucket_put(extents_of(b)->inner, name, content, e);
	forget(extents_of(b), name);
	return r;
}

static int extents_bucket_remove(struct bucket *b, const char *name, struct err *e)
{
	int r = bucket_remove(extents_of(b)->inner, name, e);
	forget(extents_of(b), name);
	return r;
}

static void extents_bucket_free(struct bucket *b)
{
	struct extents_bucket *eb = extents_of(b);
	extents_fetch_drain(eb->x, &eb->open_sources);
	if (!eb->is_beside)
		bucket_free(eb->inner);
	free(eb);
}

struct bucket *bucket_extents_new(struct bucket *inner, struct extents *x)
{
	static const struct bucket_ops ops = {
		.list = extents_bucket_list,
		.stat = extents_bucket_stat,
		.open = extents_bucket_open,
		.put = extents_bucket_put,
		.remove = extents_bucket_remove,
		.free = extents_bucket_free,
	};
	struct extents_bucket *b = xcalloc(1, sizeof *b);
	b->base = (struct bucket){
		.ops = &ops, .name = xstrdup(inner->name), .flat_listing = inner->flat_listing
	};
	b->inner = inner;
	b->x = x;
	return &b->base;
}

struct bucket *bucket_extents_beside(struct bucket *inner, struct extents *x)
{
	struct bucket *b = bucket_extents_new(inner, x);
	extents_of(b)->is_beside = true;
	return b;
}
