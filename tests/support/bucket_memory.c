/* SPDX-License-Identifier: Apache-2.0 */
/* The memory bucket: a sorted list of names under one lock. What was opened is a copy, so it survives
 * removal. */
#include "tests/support/bucket_memory.h"

#include "lib/base/clock.h"
#include "lib/base/vec.h"
#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>

struct memory_object {
	char *name;
	struct buf content;
	int64_t mtime_ms;
};

struct memory_bucket {
	struct bucket base;
	pthread_mutex_t lock;
	VEC(struct memory_object) objects; /* sorted by name */
};

static struct memory_bucket *memory_of(struct bucket *b)
{
	return (struct memory_bucket *)b;
}

/* The place of the first object whose name isn't less. */
static size_t place_locked(const struct memory_bucket *m, const char *name)
{
	size_t low = 0, high = m->objects.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (strcmp(m->objects.data[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct memory_object *find_locked(const struct memory_bucket *m, const char *name)
{
	size_t at = place_locked(m, name);
	bool is_there = at < m->objects.len && !strcmp(m->objects.data[at].name, name);
	return is_there ? &m->objects.data[at] : NULL;
}

static int no_object(struct bucket *b, const char *name, struct err *e)
{
	return err_set(e, -ENOENT, "%s: there is no object %s", b->name, name);
}

/* What a listing found, copied, so that no callback runs under the lock. */
struct found {
	char *name;
	uint64_t size;
	int64_t mtime_ms;
};

static int memory_list(struct bucket *b, const char *prefix, bool recursive, bool want_info,
	bucket_list_fn *fn, void *arg, struct err *e)
{
	(void)e;
	struct memory_bucket *m = memory_of(b);
	VEC(struct found) all = { 0 };
	size_t n = strlen(prefix);
	pthread_mutex_lock(&m->lock);
	for (size_t i = place_locked(m, prefix); i < m->objects.len; i++) {
		const struct memory_object *o = &m->objects.data[i];
		if (strncmp(o->name, prefix, n) != 0)
			break;
		const char *slash = recursive ? NULL : strchr(o->name + n, '/');
		struct found f = { .name = slash ? xstrndup(o->name, (size_t)(slash + 1 - o->name))
						 : xstrdup(o->name) };
		if (!slash && want_info) {
			f.size = o->content.len;
			f.mtime_ms = o->mtime_ms;
		}
		if (all.len > 0 && !strcmp(all.data[all.len - 1].name, f.name))
			free(f.name);
		else
			vec_push(&all, f);
	}
	pthread_mutex_unlock(&m->lock);
	int r = 0;
	vec_each (f, &all) {
		struct object_info o = { .name = f->name, .size = f->size, .mtime_ms = f->mtime_ms };
		if (r == 0)
			r = fn(arg, &o);
		free(f->name);
	}
	vec_fini(&all);
	return r;
}

static int memory_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	struct memory_bucket *m = memory_of(b);
	pthread_mutex_lock(&m->lock);
	const struct memory_object *o = find_locked(m, name);
	if (o)
		*out = (struct object_info){ .name = name, .size = o->content.len, .mtime_ms = o->mtime_ms };
	pthread_mutex_unlock(&m->lock);
	return o ? 0 : no_object(b, name, e);
}

static int memory_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	(void)known_bytes;
	struct memory_bucket *m = memory_of(b);
	auto_free char *full = xasprintf("%s: %s", b->name, name);
	pthread_mutex_lock(&m->lock);
	const struct memory_object *o = find_locked(m, name);
	if (o)
		*out = blob_of_memory(full, o->content.data, o->content.len);
	pthread_mutex_unlock(&m->lock);
	return o ? 0 : no_object(b, name, e);
}

static int memory_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	struct memory_bucket *m = memory_of(b);
	struct buf copy = { 0 };
	int r = blob_read_buf(content, &copy, content->size, 0, e);
	if (r < 0) {
		buf_fini(&copy);
		return err_wrap(e, r, "%s: putting %s", b->name, name);
	}
	pthread_mutex_lock(&m->lock);
	struct memory_object *o = find_locked(m, name);
	if (!o) {
		size_t at = place_locked(m, name), after = m->objects.len - at;
		vec_push(&m->objects, (struct memory_object){ 0 });
		o = &m->objects.data[at];
		memmove(o + 1, o, after * sizeof *o);
		*o = (struct memory_object){ .name = xstrdup(name) };
	}
	buf_fini(&o->content);
	o->content = copy;
	o->mtime_ms = clock_unix_ms();
	pthread_mutex_unlock(&m->lock);
	return 0;
}

static int memory_remove(struct bucket *b, const char *name, struct err *e)
{
	struct memory_bucket *m = memory_of(b);
	pthread_mutex_lock(&m->lock);
	struct memory_object *o = find_locked(m, name);
	if (o) {
		free(o->name);
		buf_fini(&o->content);
		m->objects.len--;
		memmove(o, o + 1, (size_t)(m->objects.data + m->objects.len - o) * sizeof *o);
	}
	pthread_mutex_unlock(&m->lock);
	return o ? 0 : no_object(b, name, e);
}

static void memory_free(struct bucket *b)
{
	struct memory_bucket *m = memory_of(b);
	vec_each (o, &m->objects) {
		free(o->name);
		buf_fini(&o->content);
	}
	vec_fini(&m->objects);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

struct bucket *bucket_memory_new(bool flat_listing)
{
	static const struct bucket_ops ops = {
		.list = memory_list,
		.stat = memory_stat,
		.open = memory_open,
		.put = memory_put,
		.remove = memory_remove,
		.free = memory_free,
	};
	struct memory_bucket *m = xcalloc(1, sizeof *m);
	m->base = (struct bucket){
		.ops = &ops, .name = xstrdup("memory bucket"), .flat_listing = flat_listing
	};
	pthread_mutex_init(&m->lock, NULL);
	return &m->base;
}

void bucket_put_text(struct bucket *b, const char *name, const char *text)
{
	struct err e;
	auto_of(blob) struct blob *content = blob_of_memory("text", text, strlen(text));
	CHECK_OK(bucket_put(b, name, content, &e), &e);
}
