/* SPDX-License-Identifier: Apache-2.0 */
/* For each object, when each of its granules is there. */
#include "tests/support/bucket_far.h"

#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/vec.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define MISSING INT64_MAX

struct far_object {
	char *name;
	uint64_t size;
	int64_t *there_at; /* a time a granule */
};

struct far_bucket {
	struct bucket base;
	struct bucket *inner;
	uint32_t granule;
	int64_t round_trip_us;

	pthread_mutex_t lock;
	VEC(struct far_object *) objects;
	int64_t now;
	struct far_counts counts;
};

struct far_blob {
	struct blob base;
	struct blob *inner;
	struct far_bucket *bucket;
	struct far_object *object;
};

static struct far_bucket *far_of(struct bucket *b)
{
	return (struct far_bucket *)b;
}

static int64_t now_locked(const struct far_bucket *f)
{
	return f->round_trip_us ? clock_monotonic_us() : f->now;
}

static uint64_t granules(const struct far_bucket *f, const struct far_object *o)
{
	return (o->size + f->granule - 1) / f->granule;
}

/* Asks for what of the range isn't there or on its way; when all of it is there. */
static int64_t fetch_locked(struct far_bucket *f, struct far_object *o, uint64_t at, uint64_t n, bool *asked)
{
	int64_t now = now_locked(f), all = now;
	for (uint64_t g = at / f->granule; g < granules(f, o) && g * f->granule < at + n; g++) {
		if (o->there_at[g] == MISSING) {
			o->there_at[g] = now + (f->round_trip_us ? f->round_trip_us : 1);
			f->counts.fetched_bytes += MIN_OF(f->granule, o->size - g * f->granule);
			*asked = true;
		}
		all = MAX_OF(all, o->there_at[g]);
	}
	return all;
}

static int far_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct far_blob *fb = (struct far_blob *)b;
	struct far_bucket *f = fb->bucket;
	bool asked = false;
	pthread_mutex_lock(&f->lock);
	int64_t now = now_locked(f), there = fetch_locked(f, fb->object, at, n, &asked);
	f->counts.read_bytes += n;
	f->counts.waits += there > now;
	f->counts.unannounced += asked;
	f->counts.endless += deadline_left_us() == INT64_MAX;
	f->now = there;
	pthread_mutex_unlock(&f->lock);
	if (f->round_trip_us && there > now)
		usleep((useconds_t)(there - now));
	return blob_read(fb->inner, out, n, at, e);
}

static void far_will_read(struct blob *b, uint64_t at, uint64_t n)
{
	struct far_blob *fb = (struct far_blob *)b;
	bool asked = false;
	pthread_mutex_lock(&fb->bucket->lock);
	fetch_locked(fb->bucket, fb->object, at, n, &asked);
	pthread_mutex_unlock(&fb->bucket->lock);
}

static void far_blob_close(struct blob *b)
{
	blob_close(((struct far_blob *)b)->inner);
	free(b);
}

static struct far_object *object_locked(struct far_bucket *f, const char *name, uint64_t size)
{
	vec_each (o, &f->objects)
		if (!strcmp((*o)->name, name))
			return *o;
	struct far_object *o = xcalloc(1, sizeof *o);
	o->name = xstrdup(name);
	o->size = size;
	o->there_at = xcalloc(granules(f, o) + 1, sizeof *o->there_at);
	for (uint64_t g = 0; g < granules(f, o); g++)
		o->there_at[g] = MISSING;
	vec_push(&f->objects, o);
	return o;
}

static int far_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	static const struct blob_ops ops = {
		.read = far_read, .will_read = far_will_read, .close = far_blob_close
	};
	struct far_bucket *f = far_of(b);
	struct blob *inner;
	int r = bucket_open_sized(f->inner, name, known_bytes, &inner, e);
	if (r < 0)
		return r;
	if (!strstr(name, "/chunks/")) {
		*out = inner;
		return 0;
	}
	struct far_blob *fb = xcalloc(1, sizeof *fb);
	fb->base = (struct blob){ .ops = &ops, .size = inner->size, .name = xstrdup(inner->name) };
	fb->inner = inner;
	fb->bucket = f;
	pthread_mutex_lock(&f->lock);
	fb->object = object_locked(f, name, inner->size);
	pthread_mutex_unlock(&f->lock);
	*out = &fb->base;
	return 0;
}

static int far_list(struct bucket *b, const char *prefix, bool recursive, bool want_info, bucket_list_fn *fn,
	void *arg, struct err *e)
{
	return bucket_list(far_of(b)->inner, prefix, recursive, want_info, fn, arg, e);
}

static int far_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	return bucket_stat(far_of(b)->inner, name, out, e);
}

static int far_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	return bucket_put(far_of(b)->inner, name, content, e);
}

static int far_remove(struct bucket *b, const char *name, struct err *e)
{
	return bucket_remove(far_of(b)->inner, name, e);
}

static void far_free(struct bucket *b)
{
	struct far_bucket *f = far_of(b);
	vec_each (o, &f->objects) {
		free((*o)->name);
		free((*o)->there_at);
		free(*o);
	}
	vec_fini(&f->objects);
	bucket_free(f->inner);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

struct bucket *bucket_far_new(struct bucket *inner, uint32_t granule, int64_t round_trip_us)
{
	static const struct bucket_ops ops = {
		.list = far_list,
		.stat = far_stat,
		.open = far_open,
		.put = far_put,
		.remove = far_remove,
		.free = far_free,
	};
	struct far_bucket *f = xcalloc(1, sizeof *f);
	f->base = (struct bucket){
		.ops = &ops, .name = xstrdup(inner->name), .flat_listing = inner->flat_listing
	};
	f->inner = inner;
	f->granule = granule;
	f->round_trip_us = round_trip_us;
	pthread_mutex_init(&f->lock, NULL);
	return &f->base;
}

int64_t bucket_far_now(struct bucket *b)
{
	struct far_bucket *f = far_of(b);
	pthread_mutex_lock(&f->lock);
	int64_t now = f->now;
	pthread_mutex_unlock(&f->lock);
	return now;
}

void bucket_far_set_now(struct bucket *b, int64_t now)
{
	struct far_bucket *f = far_of(b);
	pthread_mutex_lock(&f->lock);
	f->now = now;
	pthread_mutex_unlock(&f->lock);
}

struct far_counts bucket_far_counts(struct bucket *b)
{
	struct far_bucket *f = far_of(b);
	pthread_mutex_lock(&f->lock);
	struct far_counts counts = f->counts;
	f->counts = (struct far_counts){ 0 };
	pthread_mutex_unlock(&f->lock);
	return counts;
}

void bucket_far_forget(struct bucket *b)
{
	struct far_bucket *f = far_of(b);
	pthread_mutex_lock(&f->lock);
	vec_each (o, &f->objects)
		for (uint64_t g = 0; g < granules(f, *o); g++)
			(*o)->there_at[g] = MISSING;
	f->counts = (struct far_counts){ 0 };
	f->now = 0;
	pthread_mutex_unlock(&f->lock);
}
