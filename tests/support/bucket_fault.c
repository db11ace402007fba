/* SPDX-License-Identifier: Apache-2.0 */
/* The fault layer: one rule for each kind of operation, asked before and after the inner bucket is. */
#include "tests/support/bucket_fault.h"

#include <pthread.h>
#include <string.h>

struct rule {
	char part[128];
	int r;
	unsigned times;
	bool is_after;
};

struct fault_bucket {
	struct bucket base;
	struct bucket *inner;
	pthread_mutex_t lock;
	struct rule rules[FAULT_OPS];
	unsigned counts[FAULT_OPS];
};

static struct fault_bucket *fault_of(struct bucket *b)
{
	return (struct fault_bucket *)b;
}

/* 0, or the error that the operation must have now. */
static int fault(struct fault_bucket *f, enum fault_op op, const char *name, bool is_after, struct err *e)
{
	struct rule *rule = &f->rules[op];
	int r = 0;
	pthread_mutex_lock(&f->lock);
	f->counts[op] += !is_after;
	if (rule->times > 0 && rule->is_after == is_after && strstr(name, rule->part)) {
		r = rule->r;
		if (rule->times != FAULT_ALWAYS)
			rule->times--;
	}
	pthread_mutex_unlock(&f->lock);
	return r < 0 ? err_errno(e, r, "%s: injected fault on %s", f->base.name, name) : 0;
}

static int fault_list(struct bucket *b, const char *prefix, bool recursive, bool want_info,
	bucket_list_fn *fn, void *arg, struct err *e)
{
	struct fault_bucket *f = fault_of(b);
	int r = fault(f, FAULT_LIST, prefix, false, e);
	if (r == 0)
		r = bucket_list(f->inner, prefix, recursive, want_info, fn, arg, e);
	return r == 0 ? fault(f, FAULT_LIST, prefix, true, e) : r;
}

static int fault_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	struct fault_bucket *f = fault_of(b);
	int r = fault(f, FAULT_STAT, name, false, e);
	if (r == 0)
		r = bucket_stat(f->inner, name, out, e);
	return r == 0 ? fault(f, FAULT_STAT, name, true, e) : r;
}

struct fault_blob {
	struct blob base;
	struct blob *inner;
	struct fault_bucket *f;
	char *object;
};

static int fault_blob_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct fault_blob *fb = (struct fault_blob *)b;
	int r = fault(fb->f, FAULT_READ, fb->object, false, e);
	return r == 0 ? blob_read(fb->inner, out, n, at, e) : r;
}

static void fault_blob_close(struct blob *b)
{
	struct fault_blob *fb = (struct fault_blob *)b;
	blob_close(fb->inner);
	free(fb->object);
	free(fb);
}

static int fault_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	/* No descriptor: who had one could read past the faults. */
	static const struct blob_ops ops = { .read = fault_blob_read, .close = fault_blob_close };
	struct fault_bucket *f = fault_of(b);
	struct blob *inner = NULL;
	int r = fault(f, FAULT_OPEN, name, false, e);
	if (r == 0)
		r = bucket_open_sized(f->inner, name, known_bytes, &inner, e);
	if (r < 0)
		return r;
	struct fault_blob *fb = xcalloc(1, sizeof *fb);
	fb->base = (struct blob){ .ops = &ops, .size = inner->size, .name = xstrdup(inner->name) };
	fb->inner = inner;
	fb->f = f;
	fb->object = xstrdup(name);
	*out = &fb->base;
	return 0;
}

static int fault_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	struct fault_bucket *f = fault_of(b);
	int r = fault(f, FAULT_PUT, name, false, e);
	if (r == 0)
		r = bucket_put(f->inner, name, content, e);
	return r == 0 ? fault(f, FAULT_PUT, name, true, e) : r;
}

static int fault_remove(struct bucket *b, const char *name, struct err *e)
{
	struct fault_bucket *f = fault_of(b);
	int r = fault(f, FAULT_REMOVE, name, false, e);
	if (r == 0)
		r = bucket_remove(f->inner, name, e);
	return r == 0 ? fault(f, FAULT_REMOVE, name, true, e) : r;
}

static void fault_free(struct bucket *b)
{
	struct fault_bucket *f = fault_of(b);
	bucket_free(f->inner);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

struct bucket *bucket_fault_new(struct bucket *inner)
{
	static const struct bucket_ops ops = {
		.list = fault_list,
		.stat = fault_stat,
		.open = fault_open,
		.put = fault_put,
		.remove = fault_remove,
		.free = fault_free,
	};
	struct fault_bucket *f = xcalloc(1, sizeof *f);
	f->base = (struct bucket){
		.ops = &ops, .name = xstrdup(inner->name), .flat_listing = inner->flat_listing
	};
	f->inner = inner;
	pthread_mutex_init(&f->lock, NULL);
	return &f->base;
}

static void set_rule(
	struct bucket *b, enum fault_op op, const char *part, int r, unsigned times, bool is_after)
{
	struct fault_bucket *f = fault_of(b);
	struct rule rule = { .r = r, .times = times, .is_after = is_after };
	strncpy(rule.part, part, sizeof rule.part - 1);
	pthread_mutex_lock(&f->lock);
	f->rules[op] = rule;
	pthread_mutex_unlock(&f->lock);
}

void bucket_fault_set(struct bucket *b, enum fault_op op, const char *part, int r, unsigned times)
{
	set_rule(b, op, part, r, times, false);
}

void bucket_fault_set_after(struct bucket *b, enum fault_op op, const char *part, int r, unsigned times)
{
	set_rule(b, op, part, r, times, true);
}

unsigned bucket_fault_count(struct bucket *b, enum fault_op op)
{
	struct fault_bucket *f = fault_of(b);
	pthread_mutex_lock(&f->lock);
	unsigned n = f->counts[op];
	f->counts[op] = 0;
	pthread_mutex_unlock(&f->lock);
	return n;
}
