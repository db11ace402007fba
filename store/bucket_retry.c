/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The retry layer. Every operation runs as a `struct attempt`: it is admitted, begins with the clock, is asked after
 * each try whether to go on, and pauses in there. Pauses grow so that a store that is down isn't hammered, and
 * are jittered so that many waiters don't come back at the same moment.
 */
#include "store/bucket_retry.h"

#include "lib/base/clock.h"
#include "lib/base/complaint.h"
#include "lib/base/deadline.h"
#include "lib/base/metrics.h"
#include "store/bucket_health.h"

#include <errno.h>

#define SETTLE_MS 2000 /* without a failure, before the store is said to answer again */

METRIC_FAMILY(retries, METRIC_TYPE_COUNTER, "thanosfs_bucket_retries_total",
	"Bucket operations tried again after an error that passes.", "operation")
METRIC_FAMILY(given_up, METRIC_TYPE_COUNTER, "thanosfs_bucket_failures_total",
	"Bucket operations that failed for a reason that passes, and were not tried again.", "operation")

struct retry_bucket {
	struct bucket base;
	struct bucket *inner;
	struct retry_options options;
	_Atomic uint64_t random;
	struct bucket_health *health;
	struct complaint complaint;
};

static struct retry_bucket *retry_of(struct bucket *b)
{
	return (struct retry_bucket *)b;
}

bool bucket_error_is_transient(int r)
{
	switch (-r) {
	case EAGAIN:
	case EINTR:
	case EBUSY:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ESTALE:
	case EPIPE:
	case ETIMEDOUT:
	case ETIME:
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case ENETDOWN:
	case ENETUNREACH:
	case ENETRESET:
	case EHOSTDOWN:
	case EHOSTUNREACH: return true;
	default: return false;
	}
}

static int64_t now_us(const struct retry_options *o)
{
	return o->now_us ? o->now_us(o->arg) : clock_monotonic_us();
}

static bool is_stopped(const struct retry_options *o)
{
	return o->stop && atomic_load_explicit(o->stop, memory_order_relaxed);
}

static void pause_us(const struct retry_options *o, int64_t us)
{
	if (o->pause_us)
		o->pause_us(o->arg, us);
	else
		clock_pause_us(us, o->stop);
}

/* splitmix64 over a shared counter: good enough to spread pauses, and needs no lock. */
static uint64_t random_bits(struct retry_bucket *rb)
{
	uint64_t z = atomic_fetch_add_explicit(&rb->random, 0x9e3779b97f4a7c15ull, memory_order_relaxed);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* What failed is kept for others, also where the caller doesn't want to know. */
#define OWN_ERR(e)                           \
	struct err own_err_ = { .msg = "" }; \
	if (!(e))                            \
	(e) = &own_err_

struct attempt {
	struct retry_bucket *rb;
	const char *operation, *name;
	int64_t deadline_us, next_pause_us;
	int64_t try_us; /* when this try began */
	unsigned retries;
};

static int give_up(struct attempt *a, int r, struct err *e)
{
	metric_add(metric_of(&given_up, a->operation), 1);
	complain(&a->rb->complaint, LOG_LEVEL_WARN, "bucket does not answer", -r,
		KV("bucket", a->rb->base.name), KV("operation", a->operation), KV("err", e->msg));
	return r;
}

/* Begins an operation on `name`; an error where there is no point in trying. */
static int admit(
	struct retry_bucket *rb, const char *operation, const char *name, struct attempt *a, struct err *e)
{
	const struct retry_options *o = &rb->options;
	struct deadline own = deadline_get();
	int64_t now = now_us(o);
	*a = (struct attempt){
		.rb = rb,
		.operation = operation,
		.name = name,
		.try_us = now,
		.deadline_us = now + (own.each_ms ? own.each_ms : o->deadline_ms) * 1000,
		.next_pause_us = o->first_pause_ms * 1000,
	};
	if (own.until_us) {
		int64_t left = deadline_left_us();
		if (left == 0)
			return give_up(a,
				err_set(e, -ETIME, "%s: %s: no time was left to try", rb->base.name,
					*name ? name : "/"),
				e);
		a->deadline_us = MIN_OF(a->deadline_us, now + left);
	}
	int r = own.each_ms ? 0 : bucket_health_admits(rb->health, name, e);
	return r < 0 ? give_up(a, r, e) : 0;
}

static void answered(struct retry_bucket *rb)
{
	bucket_health_answered(rb->health);
	complaint_ends(&rb->complaint, SETTLE_MS, "bucket answers again", KV("bucket", rb->base.name));
}

/* Pauses and returns true where an operation that gave `r` is worth another try; else completes the message. */
static bool try_again(struct attempt *a, int r, struct err *e)
{
	struct retry_bucket *rb = a->rb;
	const struct retry_options *o = &rb->options;
	if (r >= 0 || !bucket_error_is_transient(r)) {
		answered(rb);
		return false;
	}
	int64_t now = now_us(o), half = a->next_pause_us / 2;
	bucket_health_failed(rb->health, a->try_us, a->name, r, e);
	int64_t jitter = half > 0 ? (int64_t)(random_bits(rb) % (uint64_t)half) : 0;
	int64_t us = MAX_OF(half, e->retry_after_ms * 1000ll) + jitter;
	if (is_stopped(o))
		return false;
	if (now + us >= a->deadline_us) {
		if (a->retries > 0)
			err_wrap(e, r, "gave up after %u tries", a->retries + 1);
		give_up(a, r, e);
		return false;
	}
	pause_us(o, us);
	if (is_stopped(o))
		return false;
	a->next_pause_us = MIN_OF(a->next_pause_us * 2, o->longest_pause_ms * 1000);
	a->try_us = now_us(o);
	a->retries++;
	metric_add(metric_of(&retries, a->operation), 1);
	return true;
}

struct retry_listing {
	bucket_list_fn *fn;
	void *arg;
	bool delivered;
};

static int deliver(void *arg, const struct object_info *o)
{
	struct retry_listing *l = arg;
	l->delivered = true;
	return l->fn(l->arg, o);
}

static int retry_list(struct bucket *b, const char *prefix, bool recursive, bool want_info,
	bucket_list_fn *fn, void *arg, struct err *e)
{
	struct retry_listing l = { .fn = fn, .arg = arg };
	struct attempt a;
	OWN_ERR(e);
	int r = admit(retry_of(b), "list", prefix, &a, e);
	if (r < 0)
		return r;
	do
		r = bucket_list(retry_of(b)->inner, prefix, recursive, want_info, deliver, &l, e);
	while (!l.delivered && try_again(&a, r, e));
	if (l.delivered)
		answered(retry_of(b));
	return r;
}

static int retry_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	struct attempt a;
	OWN_ERR(e);
	int r = admit(retry_of(b), "stat", name, &a, e);
	if (r < 0)
		return r;
	do
		r = bucket_stat(retry_of(b)->inner, name, out, e);
	while (try_again(&a, r, e));
	return r;
}

struct retry_blob {
	struct blob base;
	struct blob *inner;
	char *object;
	struct retry_bucket *rb; /* borrowed: blobs don't outlive their bucket */
};

static int retry_blob_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct retry_blob *rb = (struct retry_blob *)b;
	struct attempt a;
	OWN_ERR(e);
	int r = admit(rb->rb, "read", rb->object, &a, e);
	if (r < 0)
		return r;
	do
		r = blob_read(rb->inner, out, n, at, e);
	while (try_again(&a, r, e));
	return r;
}

static int retry_blob_fd(struct blob *b)
{
	return blob_fd(((struct retry_blob *)b)->inner);
}

static void retry_blob_will_read(struct blob *b, uint64_t at, uint64_t n)
{
	blob_will_read(((struct retry_blob *)b)->inner, at, n);
}

static void retry_blob_version(struct blob *b, char out[BLOB_VERSION_BYTES])
{
	blob_version(((struct retry_blob *)b)->inner, out);
}

static void retry_blob_pin(struct blob *b, const char *version)
{
	blob_pin(((struct retry_blob *)b)->inner, version);
}

static void retry_blob_forget(struct blob *b, uint64_t at, uint64_t n)
{
	blob_forget(((struct retry_blob *)b)->inner, at, n);
}

static void retry_blob_close(struct blob *b)
{
	blob_close(((struct retry_blob *)b)->inner);
	free(((struct retry_blob *)b)->object);
	free(b);
}

static int retry_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	static const struct blob_ops ops = {
		.read = retry_blob_read,
		.fd = retry_blob_fd,
		.version = retry_blob_version,
		.pin = retry_blob_pin,
		.forget = retry_blob_forget,
		.close = retry_blob_close,
	}, hinted = {
		.read = retry_blob_read,
		.fd = retry_blob_fd,
		.will_read = retry_blob_will_read,
		.version = retry_blob_version,
		.pin = retry_blob_pin,
		.forget = retry_blob_forget,
		.close = retry_blob_close,
	};
	struct blob *inner = NULL;
	struct attempt a;
	OWN_ERR(e);
	int r = admit(retry_of(b), "open", name, &a, e);
	if (r < 0)
		return r;
	do
		r = bucket_open_sized(retry_of(b)->inner, name, known_bytes, &inner, e);
	while (try_again(&a, r, e));
	if (r < 0)
		return r;
	struct retry_blob *wrapped = xcalloc(1, sizeof *wrapped);
	wrapped->base = (struct blob){ .ops = inner->ops->will_read ? &hinted : &ops,
		.size = inner->size,
		.name = xstrdup(inner->name) };
	wrapped->inner = inner;
	wrapped->object = xstrdup(name);
	wrapped->rb = retry_of(b);
	*out = &wrapped->base;
	return 0;
}

static int retry_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	struct attempt a;
	OWN_ERR(e);
	int r = admit(retry_of(b), "put", name, &a, e);
	if (r < 0)
		return r;
	do
		r = bucket_put(retry_of(b)->inner, name, content, e);
	while (try_again(&a, r, e));
	return r;
}

static int retry_remove(struct bucket *b, const char *name, struct err *e)
{
	struct attempt a;
	OWN_ERR(e);
	int r = admit(retry_of(b), "remove", name, &a, e);
	if (r < 0)
		return r;
	do
		r = bucket_remove(retry_of(b)->inner, name, e);
	while (try_again(&a, r, e));
	/* The try before may have removed it, and only its answer was lost. */
	return r == -ENOENT && a.retries > 0 ? 0 : r;
}

static void retry_free(struct bucket *b)
{
	bucket_health_free(retry_of(b)->health);
	bucket_free(retry_of(b)->inner);
	free(b);
}

struct bucket *bucket_retry_new(struct bucket *inner, const struct retry_options *options)
{
	static const struct bucket_ops ops = {
		.list = retry_list,
		.stat = retry_stat,
		.open = retry_open,
		.put = retry_put,
		.remove = retry_remove,
		.free = retry_free,
	};
	struct retry_bucket *rb = xcalloc(1, sizeof *rb);
	rb->base = (struct bucket){
		.ops = &ops, .name = xstrdup(inner->name), .flat_listing = inner->flat_listing
	};
	rb->inner = inner;
	rb->options = *options;
	rb->health = bucket_health_new(inner, options);
	rb->complaint = (struct complaint)COMPLAINT_INIT;
	atomic_init(&rb->random, (uint64_t)clock_monotonic_us() ^ (uintptr_t)rb);
	return &rb->base;
}
