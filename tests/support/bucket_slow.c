/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/bucket_slow.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct slow_bucket {
	struct bucket base;
	struct bucket *inner;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int64_t latency_us;
	uint64_t bytes_per_s;
	char version[BLOB_VERSION_BYTES];
	bool is_holding;
	unsigned held, at_once;
	struct slow_counts counts;
};

struct slow_blob {
	struct blob base;
	struct blob *inner;
	struct slow_bucket *s;
	char pinned[BLOB_VERSION_BYTES]; /* under the bucket's lock */
};

static struct slow_bucket *slow_of(struct bucket *b)
{
	return (struct slow_bucket *)b;
}

static int slow_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct slow_blob *sb = (struct slow_blob *)b;
	struct slow_bucket *s = sb->s;
	pthread_mutex_lock(&s->lock);
	s->counts.reads++;
	s->counts.bytes += n;
	s->at_once++;
	s->counts.most_at_once = MAX_OF(s->counts.most_at_once, s->at_once);
	s->held++;
	pthread_cond_broadcast(&s->changed);
	while (s->is_holding)
		pthread_cond_wait(&s->changed, &s->lock);
	s->held--;
	int64_t us = s->latency_us + (s->bytes_per_s ? (int64_t)(n * 1000000 / s->bytes_per_s) : 0);
	bool is_other = sb->pinned[0] && strcmp(sb->pinned, s->version) != 0;
	pthread_mutex_unlock(&s->lock);
	if (us > 0) {
		struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
		nanosleep(&ts, NULL);
	}
	int r = is_other ? err_set(e, -EBADMSG, "%s: the object changed", b->name)
			 : blob_read(sb->inner, out, n, at, e);
	pthread_mutex_lock(&s->lock);
	s->at_once--;
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void slow_version(struct blob *b, char out[BLOB_VERSION_BYTES])
{
	struct slow_bucket *s = ((struct slow_blob *)b)->s;
	pthread_mutex_lock(&s->lock);
	memcpy(out, s->version, BLOB_VERSION_BYTES);
	pthread_mutex_unlock(&s->lock);
}

static void slow_pin(struct blob *b, const char *version)
{
	struct slow_blob *sb = (struct slow_blob *)b;
	pthread_mutex_lock(&sb->s->lock);
	snprintf(sb->pinned, sizeof sb->pinned, "%s", version);
	pthread_mutex_unlock(&sb->s->lock);
}

static void slow_close(struct blob *b)
{
	blob_close(((struct slow_blob *)b)->inner);
	free(b);
}

static int slow_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	static const struct blob_ops ops = {
		.read = slow_read, .version = slow_version, .pin = slow_pin, .close = slow_close
	};
	struct blob *inner = NULL;
	int r = bucket_open_sized(slow_of(b)->inner, name, known_bytes, &inner, e);
	if (r < 0)
		return r;
	struct slow_blob *sb = xcalloc(1, sizeof *sb);
	sb->base = (struct blob){ .ops = &ops, .size = inner->size, .name = xstrdup(inner->name) };
	sb->inner = inner;
	sb->s = slow_of(b);
	*out = &sb->base;
	return 0;
}

static int slow_list(struct bucket *b, const char *prefix, bool recursive, bool want_info, bucket_list_fn *fn,
	void *arg, struct err *e)
{
	return bucket_list(slow_of(b)->inner, prefix, recursive, want_info, fn, arg, e);
}

static int slow_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	return bucket_stat(slow_of(b)->inner, name, out, e);
}

static int slow_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	return bucket_put(slow_of(b)->inner, name, content, e);
}

static int slow_remove(struct bucket *b, const char *name, struct err *e)
{
	return bucket_remove(slow_of(b)->inner, name, e);
}

static void slow_free(struct bucket *b)
{
	struct slow_bucket *s = slow_of(b);
	bucket_free(s->inner);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct bucket *bucket_slow_new(struct bucket *inner)
{
	static const struct bucket_ops ops = {
		.list = slow_list,
		.stat = slow_stat,
		.open = slow_open,
		.put = slow_put,
		.remove = slow_remove,
		.free = slow_free,
	};
	struct slow_bucket *s = xcalloc(1, sizeof *s);
	s->base = (struct bucket){
		.ops = &ops, .name = xstrdup(inner->name), .flat_listing = inner->flat_listing
	};
	s->inner = inner;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	return &s->base;
}

void bucket_slow_set(struct bucket *b, int64_t latency_us, uint64_t bytes_per_s)
{
	struct slow_bucket *s = slow_of(b);
	pthread_mutex_lock(&s->lock);
	s->latency_us = latency_us;
	s->bytes_per_s = bytes_per_s;
	pthread_mutex_unlock(&s->lock);
}

void bucket_slow_set_version(struct bucket *b, const char *version)
{
	struct slow_bucket *s = slow_of(b);
	pthread_mutex_lock(&s->lock);
	snprintf(s->version, sizeof s->version, "%s", version);
	pthread_mutex_unlock(&s->lock);
}

void bucket_slow_hold(struct bucket *b, bool hold)
{
	struct slow_bucket *s = slow_of(b);
	pthread_mutex_lock(&s->lock);
	s->is_holding = hold;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void bucket_slow_await(struct bucket *b, unsigned held)
{
	struct slow_bucket *s = slow_of(b);
	pthread_mutex_lock(&s->lock);
	while (s->held < held)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

struct slow_counts bucket_slow_counts(struct bucket *b)
{
	struct slow_bucket *s = slow_of(b);
	pthread_mutex_lock(&s->lock);
	struct slow_counts counts = s->counts;
	s->counts = (struct slow_counts){ .most_at_once = s->at_once };
	pthread_mutex_unlock(&s->lock);
	return counts;
}
