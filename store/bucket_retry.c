/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The retry layer. Every operation runs as a `struct attempt`: it begins with the clock, is asked after each
 * failure whether to go on, and pauses in there. Pauses grow so that a store that is down isn't hammered, and
 * are jittered so that many waiters don't come back at the same moment.
 */
#include "store/bucket_retry.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <time.h>

#define SLICE_US 20000 /* how long a pause may overlook the stop flag */

METRIC_FAMILY(retries, METRIC_TYPE_COUNTER, "thanosfs_bucket_retries_total",
	"Bucket operations tried again after an error that passes.", "operation")

struct retry_bucket {
	struct bucket base;
	struct bucket *inner;
	struct retry_options options;
	_Atomic uint64_t random;
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
	if (o->pause_us) {
		o->pause_us(o->arg, us);
		return;
	}
	for (; us > 0 && !is_stopped(o); us -= SLICE_US) {
		struct timespec ts = { .tv_nsec = MIN_OF(us, SLICE_US) * 1000 };
		nanosleep(&ts, NULL);
	}
}

/* splitmix64 over a shared counter: good enough to spread pauses, and needs no lock. */
static uint64_t random_bits(struct retry_bucket *rb)
{
	uint64_t z = atomic_fetch_add_explicit(&rb->random, 0x9e3779b97f4a7c15ull, memory_order_relaxed);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

struct attempt {
	struct retry_bucket *rb;
	const char *operation;
	int64_t deadline_us, next_pause_us;
	unsigned retries;
};

static struct attempt begin(struct retry_bucket *rb, const char *operation)
{
	return (struct attempt){
		.rb = rb,
		.operation = operation,
		.deadline_us = now_us(&rb->options) + rb->options.deadline_ms * 1000,
		.next_pause_us = rb->options.first_pause_ms * 1000,
	};
}

/* Pauses and returns true where an operation that gave `r` is worth another try; else completes the message.
 */
static bool try_again(struct attempt *a, int r, struct err *e)
{
	const struct retry_options *o = &a->rb->options;
	if (!bucket_error_is_transient(r))
		return false;
	int64_t half = a->next_pause_us / 2;
	int64_t us = half + (half > 0 ? (int64_t)(random_bits(a->rb) % (uint64_t)half) : 0);
	if (is_stopped(o) || now_us(o) + us >= a->deadline_us) {
		if (a->retries > 0)
			err_wrap(e, r, "gave up after %u tries", a->retries + 1);
		return false;
	}
	pause_us(o, us);
	if (is_stopped(o))
		return false;
	a->next_pause_us = MIN_OF(a->next_pause_us * 2, o->longest_pause_ms * 1000);
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
	struct attempt a = begin(retry_of(b), "list");
	int r;
	do
		r = bucket_list(retry_of(b)->inner, prefix, recursive, want_info, deliver, &l, e);
	while (r < 0 && !l.delivered && try_again(&a, r, e));
	return r;
}

static int retry_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	struct attempt a = begin(retry_of(b), "stat");
	int r;
	do
		r = bucket_stat(retry_of(b)->inner, name, out, e);
	while (r < 0 && try_again(&a, r, e));
	return r;
}

struct retry_blob {
	struct blob base;
	struct blob *inner;
	struct retry_bucket *rb; /* borrowed: blobs don't outlive their bucket */
};

static int retry_blob_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct retry_blob *rb = (struct retry_blob *)b;
	struct attempt a = begin(rb->rb, "read");
	int r;
	do
		r = blob_read(rb->inner, out, n, at, e);
	while (r < 0 && try_again(&a, r, e));
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

static void retry_blob_close(struct blob *b)
{
	blob_close(((struct retry_blob *)b)->inner);
	free(b);
}

static int retry_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	static const struct blob_ops ops = {
		.read = retry_blob_read,
		.fd = retry_blob_fd,
		.will_read = retry_blob_will_read,
		.version = retry_blob_version,
		.pin = retry_blob_pin,
		.close = retry_blob_close,
	};
	struct attempt a = begin(retry_of(b), "open");
	struct blob *inner = NULL;
	int r;
	do
		r = bucket_open_sized(retry_of(b)->inner, name, known_bytes, &inner, e);
	while (r < 0 && try_again(&a, r, e));
	if (r < 0)
		return r;
	struct retry_blob *wrapped = xcalloc(1, sizeof *wrapped);
	wrapped->base = (struct blob){ .ops = &ops, .size = inner->size, .name = xstrdup(inner->name) };
	wrapped->inner = inner;
	wrapped->rb = retry_of(b);
	*out = &wrapped->base;
	return 0;
}

static int retry_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	struct attempt a = begin(retry_of(b), "put");
	int r;
	do
		r = bucket_put(retry_of(b)->inner, name, content, e);
	while (r < 0 && try_again(&a, r, e));
	return r;
}

static int retry_remove(struct bucket *b, const char *name, struct err *e)
{
	struct attempt a = begin(retry_of(b), "remove");
	int r;
	do
		r = bucket_remove(retry_of(b)->inner, name, e);
	while (r < 0 && try_again(&a, r, e));
	/* The try before may have removed it, and only its answer was lost. */
	return r == -ENOENT && a.retries > 0 ? 0 : r;
}

static void retry_free(struct bucket *b)
{
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
	atomic_init(&rb->random, (uint64_t)clock_monotonic_us() ^ (uintptr_t)rb);
	return &rb->base;
}
