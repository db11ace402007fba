/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each operation draws once, and bits of that one draw decide all that happens to it. The nth operation that asks for the
 * same draws by n: the counts stand in a table that a hash leads to, so that two that share a place only share a count.
 */
#include "store/bucket_faults.h"

#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define COUNTS        4096
#define DEADLINE_US   10000 /* how long a stall may overlook its caller's deadline */
#define WRONG_BYTES   4     /* at most, in one read */
#define LIST_PART_MAX 16    /* objects of a listing that is cut short */

METRIC_FAMILY(injected, METRIC_TYPE_COUNTER, "thanosfs_injected_faults_total",
	"Faults made by --debug.faults.", "kind")

struct faults_bucket {
	struct bucket base;
	struct bucket *inner;
	struct faults_options options;
	int64_t start_us;
	atomic_bool is_on;
	_Atomic uint64_t count;
	_Atomic uint32_t counts[COUNTS];
};

static struct faults_bucket *faults_of(struct bucket *b)
{
	return (struct faults_bucket *)b;
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* An operation that is under way. */
struct doomed {
	struct faults_bucket *f;
	const struct fault_rates *rates;
	enum bucket_op op;
	const char *name;
	uint64_t draw;
};

/* A number from 0 to 1, another for each `use` of the draw. */
static double chance_of(const struct doomed *d, unsigned use)
{
	return (double)(mix(d->draw + use * 0x9e3779b97f4a7c15ull) >> 11) / 9007199254740992.0;
}

enum {
	USE_LATENCY,
	USE_STALL,
	USE_ERROR,
	USE_WHICH,
	USE_LASTING,
	USE_TRUNCATE,
	USE_PART,
	USE_CORRUPT,
	USE_PLACES
};

static bool happens(const struct doomed *d, unsigned use, double rate)
{
	return rate > 0 && chance_of(d, use) < rate;
}

static uint64_t draw(struct faults_bucket *f, enum bucket_op op, const char *name, uint64_t at, uint64_t n)
{
	uint64_t h = mix(f->options.plan.seed + 0x9e3779b97f4a7c15ull) ^ (uint64_t)op << 56;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	h = mix(mix(h ^ at) + n);
	uint32_t nth = atomic_fetch_add_explicit(&f->counts[h % COUNTS], 1, memory_order_relaxed);
	return mix(h + nth * 0xd1342543de82ef95ull);
}

static int64_t now_us(const struct faults_bucket *f)
{
	return f->options.now_us ? f->options.now_us(f->options.arg) : clock_monotonic_us();
}

static bool is_stopped(const struct faults_bucket *f)
{
	return f->options.stop && atomic_load_explicit(f->options.stop, memory_order_relaxed);
}

/* False: the caller's deadline passed meanwhile. */
static bool delay(struct faults_bucket *f, int64_t us)
{
	if (f->options.pause_us) {
		f->options.pause_us(f->options.arg, us);
		return true;
	}
	for (; us > 0 && !is_stopped(f); us -= DEADLINE_US) {
		if (deadline_left_us() == 0)
			return false;
		clock_pause_us(MIN_OF(us, DEADLINE_US), f->options.stop);
	}
	return true;
}

static int injected_error(const struct doomed *d, const char *kind, int r, struct err *e)
{
	atomic_fetch_add_explicit(&d->f->count, 1, memory_order_relaxed);
	metric_add(metric_of(&injected, kind), 1);
	return err_errno(e, r, "%s: %s of %s: injected %s", d->f->base.name, bucket_op_names[d->op],
		*d->name ? d->name : "/", kind);
}

static bool is_out(const struct faults_bucket *f)
{
	const struct fault_plan *p = &f->options.plan;
	if (*p->outage_file && access(p->outage_file, F_OK) == 0)
		return true;
	int64_t ms = (now_us(f) - f->start_us) / 1000;
	for (unsigned i = 0; i < p->n_outages; i++)
		if (ms >= p->outages[i].from_ms && ms - p->outages[i].from_ms < p->outages[i].length_ms)
			return true;
	return false;
}

/* What happens before the inner bucket is asked: 0, or the error there is instead of its answer. */
static int begin(struct faults_bucket *f, enum bucket_op op, const char *name, uint64_t at, uint64_t n,
	struct doomed *d, struct err *e)
{
	static const int passing[] = { -ECONNRESET, -ETIMEDOUT, -EAGAIN, -ECONNREFUSED, -EPIPE };
	static const int lasting[] = { -EIO, -EACCES };
	*d = (struct doomed){ f, NULL, op, name, 0 };
	if (!atomic_load_explicit(&f->is_on, memory_order_relaxed))
		return 0;
	const struct fault_rates *r = d->rates = &f->options.plan.op[op];
	d->draw = draw(f, op, name, at, n);
	if (r->has_outages && is_out(f))
		return injected_error(d, "outage", -ECONNREFUSED, e);
	int64_t ms = r->latency_min_ms;
	ms += (int64_t)(chance_of(d, USE_LATENCY) * (double)(r->latency_max_ms - r->latency_min_ms));
	bool stalls = happens(d, USE_STALL, r->stall);
	if (stalls) {
		metric_add(metric_of(&injected, "stall"), 1);
		ms += r->stall_ms;
	}
	if (ms > 0 && !delay(f, ms * 1000))
		return injected_error(d, stalls ? "stall" : "latency", -ETIMEDOUT, e);
	size_t which = (size_t)(chance_of(d, USE_WHICH) * 1000);
	if (happens(d, USE_ERROR, r->error)) {
		int rc = injected_error(d, "error", passing[which % ARRAY_LEN(passing)], e);
		if (e)
			e->retry_after_ms = r->retry_after_ms;
		return rc;
	}
	if (happens(d, USE_LASTING, r->lasting))
		return injected_error(d, "lasting error", lasting[which % ARRAY_LEN(lasting)], e);
	return 0;
}

struct cut_listing {
	bucket_list_fn *fn;
	void *arg;
	unsigned left;
	bool is_cut;
};

static int pass_some(void *arg, const struct object_info *o)
{
	struct cut_listing *l = arg;
	if (l->left == 0) {
		l->is_cut = true;
		return 1;
	}
	l->left--;
	return l->fn(l->arg, o);
}

static int faults_list(struct bucket *b, const char *prefix, bool recursive, bool want_info,
	bucket_list_fn *fn, void *arg, struct err *e)
{
	struct faults_bucket *f = faults_of(b);
	struct doomed d;
	int r = begin(f, BUCKET_OP_LIST, prefix, 0, 0, &d, e);
	if (r < 0)
		return r;
	if (!d.rates || !happens(&d, USE_TRUNCATE, d.rates->truncate))
		return bucket_list(f->inner, prefix, recursive, want_info, fn, arg, e);
	struct cut_listing l = {
		.fn = fn, .arg = arg, .left = (unsigned)(chance_of(&d, USE_PART) * LIST_PART_MAX)
	};
	r = bucket_list(f->inner, prefix, recursive, want_info, pass_some, &l, e);
	return r != 0 && !l.is_cut ? r : injected_error(&d, "truncation", -ECONNRESET, e);
}

static int faults_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	struct doomed d;
	int r = begin(faults_of(b), BUCKET_OP_STAT, name, 0, 0, &d, e);
	return r < 0 ? r : bucket_stat(faults_of(b)->inner, name, out, e);
}

struct faults_blob {
	struct blob base;
	struct blob *inner;
	struct faults_bucket *f; /* borrowed: blobs don't outlive their bucket */
	char object[];
};

static struct faults_blob *blob_of(struct blob *b)
{
	return (struct faults_blob *)b;
}

static void falsify(const struct doomed *d, uint8_t *p, size_t n)
{
	uint64_t bits = mix(d->draw + USE_PLACES);
	for (unsigned i = 0; i <= d->draw % WRONG_BYTES; i++) {
		bits = mix(bits + 0x9e3779b97f4a7c15ull);
		p[(bits >> 8) % n] ^= (uint8_t)(1 + bits % 255);
	}
	atomic_fetch_add_explicit(&d->f->count, 1, memory_order_relaxed);
	metric_add(metric_of(&injected, "wrong bytes"), 1);
}

static int faults_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	struct faults_blob *fb = blob_of(b);
	struct doomed d;
	int r = begin(fb->f, BUCKET_OP_READ, fb->object, at, n, &d, e);
	if (r < 0)
		return r;
	if (d.rates && happens(&d, USE_TRUNCATE, d.rates->truncate)) {
		size_t part = (size_t)(chance_of(&d, USE_PART) * (double)n);
		r = blob_read(fb->inner, out, part, at, e);
		return r < 0 ? r : injected_error(&d, "truncation", -ECONNRESET, e);
	}
	r = blob_read(fb->inner, out, n, at, e);
	if (r == 0 && d.rates && happens(&d, USE_CORRUPT, d.rates->corrupt))
		falsify(&d, out, n);
	return r;
}

static void faults_will_read(struct blob *b, uint64_t at, uint64_t n)
{
	blob_will_read(blob_of(b)->inner, at, n);
}

static void faults_version(struct blob *b, char out[BLOB_VERSION_BYTES])
{
	blob_version(blob_of(b)->inner, out);
}

static void faults_pin(struct blob *b, const char *version)
{
	blob_pin(blob_of(b)->inner, version);
}

static void faults_forget(struct blob *b, uint64_t at, uint64_t n)
{
	blob_forget(blob_of(b)->inner, at, n);
}

static void faults_close(struct blob *b)
{
	blob_close(blob_of(b)->inner);
	free(b);
}

static int faults_open(
	struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	static const struct blob_ops ops = {
		.read = faults_read,
		.version = faults_version,
		.pin = faults_pin,
		.forget = faults_forget,
		.close = faults_close,
	}, hinted = {
		.read = faults_read,
		.will_read = faults_will_read,
		.version = faults_version,
		.pin = faults_pin,
		.forget = faults_forget,
		.close = faults_close,
	};
	struct doomed d;
	struct blob *inner = NULL;
	int r = begin(faults_of(b), BUCKET_OP_OPEN, name, 0, 0, &d, e);
	if (r == 0)
		r = bucket_open_sized(faults_of(b)->inner, name, known_bytes, &inner, e);
	if (r < 0)
		return r;
	struct faults_blob *wrapped = xcalloc(1, sizeof *wrapped + strlen(name) + 1);
	wrapped->base = (struct blob){ .ops = inner->ops->will_read ? &hinted : &ops,
		.size = inner->size,
		.name = xstrdup(inner->name) };
	wrapped->inner = inner;
	wrapped->f = faults_of(b);
	strcpy(wrapped->object, name);
	*out = &wrapped->base;
	return 0;
}

static int faults_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	struct doomed d;
	int r = begin(faults_of(b), BUCKET_OP_PUT, name, 0, 0, &d, e);
	return r < 0 ? r : bucket_put(faults_of(b)->inner, name, content, e);
}

static int faults_remove(struct bucket *b, const char *name, struct err *e)
{
	struct doomed d;
	int r = begin(faults_of(b), BUCKET_OP_REMOVE, name, 0, 0, &d, e);
	return r < 0 ? r : bucket_remove(faults_of(b)->inner, name, e);
}

static void faults_free(struct bucket *b)
{
	bucket_free(faults_of(b)->inner);
	free(b);
}

struct bucket *bucket_faults_new(struct bucket *inner, const struct faults_options *options)
{
	static const struct bucket_ops ops = {
		.list = faults_list,
		.stat = faults_stat,
		.open = faults_open,
		.put = faults_put,
		.remove = faults_remove,
		.free = faults_free,
	};
	struct faults_bucket *f = xcalloc(1, sizeof *f);
	f->base = (struct bucket){
		.ops = &ops, .name = xstrdup(inner->name), .flat_listing = inner->flat_listing
	};
	f->inner = inner;
	f->options = *options;
	f->start_us = now_us(f);
	atomic_init(&f->is_on, true);
	return &f->base;
}

void bucket_faults_enable(struct bucket *b, bool on)
{
	atomic_store(&faults_of(b)->is_on, on);
}

uint64_t bucket_faults_count(const struct bucket *b)
{
	return atomic_load(&((const struct faults_bucket *)b)->count);
}
