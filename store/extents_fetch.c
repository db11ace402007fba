/* SPDX-License-Identifier: Apache-2.0 */
#include "store/extents_fetch.h"

#include "lib/base/deadline.h"
#include "lib/base/metrics.h"
#include "store/extents_blocks.h"
#include "store/extents_object.h"

#include <errno.h>
#include <signal.h>

#define STACK_BYTES (512u << 10) /* what TLS and an HTTP client need, many times over */

METRIC_COUNTER(
	fetched_bytes, "thanosfs_extents_fetched_bytes_total", "Bytes fetched from the store into the cache.")
METRIC_FAMILY(fetches, METRIC_TYPE_COUNTER, "thanosfs_extents_fetches_total",
	"Ranges fetched from the store: for a read that waits, or ahead.", "for")
METRIC_COUNTER(failed_fetches, "thanosfs_extents_failed_fetches_total", "Ranges that could not be fetched.")
METRIC_COUNTER(waits, "thanosfs_extents_waits_total", "Reads that had to wait for the store.")
METRIC_COUNTER(dropped, "thanosfs_extents_prefetches_dropped_total",
	"Announced ranges dropped because too many were queued.")
METRIC_COUNTER(uncached, "thanosfs_extents_uncached_reads_total", "Reads that went past the cache.")

enum fetch_state { QUEUED, RUNNING, DONE };

struct extents_fetch {
	struct extents_source *source;
	struct extents_object *o;
	uint64_t first, last; /* blocks */
	uint64_t own;         /* bit i: block first + i is marked as being fetched by this one */
	unsigned refs;
	enum fetch_state state;
	bool is_wanted; /* a read waits for it, or did */
	bool is_prefetch;
	TAILQ_ENTRY(extents_fetch) queue;
	TAILQ_ENTRY(extents_fetch) link; /* of the object's */
	pthread_cond_t done;
	uint8_t *data; /* once it is done and did not fail */
	int r;
	struct err err;
};

/* Sources */

struct extents_source *extents_source_new(
	struct extents *x, struct extents_object *o, struct blob *inner, unsigned *open)
{
	char version[BLOB_VERSION_BYTES];
	struct extents_source *s = xcalloc(1, sizeof *s);
	s->inner = inner;
	s->o = o;
	s->refs = 1;
	s->open = open;
	pthread_mutex_lock(&x->lock);
	++*open;
	memcpy(version, o->version, sizeof version);
	pthread_mutex_unlock(&x->lock);
	blob_pin(inner, version);
	return s;
}

void extents_source_unref(struct extents *x, struct extents_source *s)
{
	pthread_mutex_lock(&x->lock);
	bool is_last = --s->refs == 0;
	pthread_mutex_unlock(&x->lock);
	if (!is_last)
		return;
	blob_close(s->inner);
	pthread_mutex_lock(&x->lock);
	--*s->open;
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&x->lock);
	free(s);
}

/* The first version that is seen is the object's; 0, or -EBADMSG where the bytes just read are of another. */
static int check_version(struct extents *x, struct extents_source *s, struct err *e)
{
	struct extents_object *o = s->o;
	char version[BLOB_VERSION_BYTES], cached[BLOB_VERSION_BYTES];
	bool is_first = false;
	blob_version(s->inner, version);
	if (!*version)
		return 0;
	pthread_mutex_lock(&x->lock);
	if (!o->version[0]) {
		memcpy(o->version, version, sizeof o->version);
		o->is_dirty = is_first = true;
	}
	memcpy(cached, o->version, sizeof cached);
	pthread_mutex_unlock(&x->lock);
	if (is_first)
		blob_pin(s->inner, version);
	if (strcmp(cached, version) != 0)
		return err_set(e, -EBADMSG, "%s: the object changed: its version is %s, not %s",
			s->inner->name, version, cached);
	return 0;
}

int extents_source_read(
	struct extents *x, struct extents_source *s, void *out, size_t n, uint64_t at, struct err *e)
{
	int r = blob_read(s->inner, out, n, at, e);
	if (r == 0)
		r = check_version(x, s, e);
	if (r == -EBADMSG)
		extents_object_kill(x, s->o);
	return r;
}

/* Fetches: their lives */

/* Marks the owned blocks, or takes the marks away. */
static void mark_locked(struct extents *x, struct extents_fetch *f, uint64_t own, bool is_fetching)
{
	for (uint64_t left = own; left; left &= left - 1) {
		uint64_t block = f->first + (uint64_t)__builtin_ctzll(left);
		struct extents_region *r = extents_blocks_make_region_locked(x, f->o, block);
		uint64_t bit = 1ull << block % x->region_blocks;
		r->fetching = is_fetching ? r->fetching | bit : r->fetching & ~bit;
	}
}

/* With one reference, which the queue, and later who runs it, has. */
static struct extents_fetch *new_locked(
	struct extents *x, struct extents_source *s, uint64_t first, uint64_t last, uint64_t own)
{
	struct extents_fetch *f = xcalloc(1, sizeof *f);
	f->source = s;
	f->o = s->o;
	f->first = first;
	f->last = last;
	f->own = own;
	f->refs = 1;
	s->refs++;
	f->o->refs++;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->done, &attr);
	pthread_condattr_destroy(&attr);
	TAILQ_INSERT_TAIL(&f->o->fetches, f, link);
	mark_locked(x, f, own, true);
	return f;
}

static void free_fetch(struct extents *x, struct extents_fetch *f)
{
	struct extents_object *o = f->o;
	extents_source_unref(x, f->source);
	extents_object_unref(x, o);
	pthread_cond_destroy(&f->done);
	free(f->data);
	free(f);
}

static void unref(struct extents *x, struct extents_fetch *f)
{
	pthread_mutex_lock(&x->lock);
	bool is_last = --f->refs == 0;
	pthread_mutex_unlock(&x->lock);
	if (is_last)
		free_fetch(x, f);
}

static void unqueue_locked(struct extents *x, struct extents_fetch *f)
{
	TAILQ_REMOVE(f->is_wanted ? &x->reads : &x->prefetches, f, queue);
	x->n_reads -= f->is_wanted;
	x->n_prefetches -= !f->is_wanted;
}

static void queue_locked(struct extents *x, struct extents_fetch *f)
{
	TAILQ_INSERT_TAIL(f->is_wanted ? &x->reads : &x->prefetches, f, queue);
	x->n_reads += f->is_wanted;
	x->n_prefetches += !f->is_wanted;
}

static void start_locked(struct extents *x, struct extents_fetch *f)
{
	unqueue_locked(x, f);
	f->state = RUNNING;
	x->n_fetching++;
	x->n_prefetching += !f->is_wanted;
	/* What a read joins later goes on counting as a prefetch here. */
	f->is_prefetch = !f->is_wanted;
}

/* A queued one that nobody waits for goes. */
static void drop_locked(struct extents *x, struct extents_fetch *f, struct extents_fetches *out)
{
	unqueue_locked(x, f);
	TAILQ_REMOVE(&f->o->fetches, f, link);
	mark_locked(x, f, f->own, false);
	f->state = DONE;
	f->r = err_set(&f->err, -ECANCELED, "%s: no longer wanted", f->source->inner->name);
	pthread_cond_broadcast(&f->done);
	TAILQ_INSERT_TAIL(out, f, queue);
}

static void unref_all(struct extents *x, struct extents_fetches *all)
{
	for (struct extents_fetch *f; (f = TAILQ_FIRST(all));) {
		TAILQ_REMOVE(all, f, queue);
		unref(x, f);
	}
}

/* Fetches, tells who waits, and stores. The lock is not held; the fetch is running, and its first reference is used up. */
static void run(struct extents *x, struct extents_fetch *f)
{
	uint64_t block = x->options.block_bytes, at = f->first * block;
	size_t n = (size_t)(MIN_OF(f->last * block, f->o->size) - at);
	uint8_t *data = xmalloc(n);
	struct err err = { 0 };
	int r = extents_source_read(x, f->source, data, n, at, &err);
	metric_add(metric_of(&fetches, f->is_prefetch ? "prefetch" : "read"), 1);
	if (r == 0)
		metric_add(fetched_bytes, n);
	else
		metric_add(failed_fetches, 1);

	pthread_mutex_lock(&x->lock);
	f->state = DONE;
	f->r = r;
	f->err = err;
	f->data = data;
	bool was_wanted = f->is_wanted;
	pthread_cond_broadcast(&f->done);
	pthread_mutex_unlock(&x->lock);

	if (r == 0)
		extents_blocks_store(x, f->o, f->first, f->own, data, !was_wanted);

	pthread_mutex_lock(&x->lock);
	TAILQ_REMOVE(&f->o->fetches, f, link);
	mark_locked(x, f, f->own, false);
	x->n_fetching--;
	x->n_prefetching -= f->is_prefetch;
	if (f->is_prefetch && x->n_prefetches > 0)
		pthread_cond_signal(&x->work);
	pthread_mutex_unlock(&x->lock);
	unref(x, f);
}

/* The pool */

/* Prefetches leave a quarter of the threads to reads. */
static struct extents_fetch *next_locked(struct extents *x)
{
	struct extents_fetch *f = TAILQ_FIRST(&x->reads);
	if (!f && x->n_prefetching < x->options.threads - x->options.threads / 4)
		f = TAILQ_FIRST(&x->prefetches);
	if (f)
		start_locked(x, f);
	return f;
}

static void *serve(void *arg)
{
	struct extents *x = arg;
	pthread_mutex_lock(&x->lock);
	while (!x->is_stopping) {
		struct extents_fetch *f = next_locked(x);
		if (f) {
			pthread_mutex_unlock(&x->lock);
			run(x, f);
			pthread_mutex_lock(&x->lock);
			continue;
		}
		x->n_idle++;
		pthread_cond_wait(&x->work, &x->lock);
		x->n_idle--;
	}
	pthread_mutex_unlock(&x->lock);
	return NULL;
}

/* Signals are handled elsewhere. Without a thread readers still fetch for themselves. */
static void wake_locked(struct extents *x)
{
	if (x->n_idle > 0) {
		pthread_cond_signal(&x->work);
		if (x->n_idle >= x->n_reads + x->n_prefetches)
			return;
	}
	if (x->n_threads >= x->options.threads || x->is_stopping)
		return;
	sigset_t all, old;
	pthread_attr_t attr;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	x->n_threads += pthread_create(&x->threads[x->n_threads], &attr, serve, x) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}

void extents_fetch_stop(struct extents *x)
{
	pthread_mutex_lock(&x->lock);
	x->is_stopping = true;
	pthread_cond_broadcast(&x->work);
	pthread_mutex_unlock(&x->lock);
	for (unsigned i = 0; i < x->n_threads; i++)
		pthread_join(x->threads[i], NULL);
	x->n_threads = 0;
}

void extents_fetch_drain(struct extents *x, const unsigned *open)
{
	struct extents_fetches gone = TAILQ_HEAD_INITIALIZER(gone);
	struct extents_fetches *const queues[] = { &x->reads, &x->prefetches };
	pthread_mutex_lock(&x->lock);
	for (size_t i = 0; i < ARRAY_LEN(queues); i++)
		for (struct extents_fetch *f = TAILQ_FIRST(queues[i]), *next; f; f = next) {
			next = TAILQ_NEXT(f, queue);
			if (f->source->open == open && f->refs == 1)
				drop_locked(x, f, &gone);
		}
	pthread_mutex_unlock(&x->lock);
	unref_all(x, &gone);
	pthread_mutex_lock(&x->lock);
	while (*open > 0)
		pthread_cond_wait(&x->changed, &x->lock);
	pthread_mutex_unlock(&x->lock);
}

/* Planning */

/* What a read waits for, in rising order, each once. */
struct joined {
	struct extents_fetch *fetches[EXTENTS_WINDOW_BLOCKS];
	size_t n;
};

static bool is_own(const struct extents_fetch *f, uint64_t block)
{
	return block >= f->first && block < f->last && (f->own >> (block - f->first) & 1);
}

static struct extents_fetch *owner_locked(struct extents_object *o, uint64_t block)
{
	struct extents_fetch *f = TAILQ_FIRST(&o->fetches);
	while (!is_own(f, block))
		f = TAILQ_NEXT(f, link);
	return f;
}

static void join_locked(struct extents *x, struct joined *j, struct extents_fetch *f)
{
	for (size_t i = j->n; i > 0; i--)
		if (j->fetches[i - 1] == f)
			return;
	f->refs++;
	j->fetches[j->n++] = f;
	if (f->is_wanted)
		return;
	if (f->state == QUEUED)
		unqueue_locked(x, f);
	f->is_wanted = true;
	if (f->state == QUEUED)
		queue_locked(x, f);
}

enum block_state { ABSENT, FETCHING, PRESENT };

static enum block_state state_locked(struct extents *x, struct extents_object *o, uint64_t block)
{
	const struct extents_region *r = extents_blocks_region(x, o, block);
	unsigned i = block % x->region_blocks;
	if (!r)
		return ABSENT;
	return r->present >> i & 1 ? PRESENT : r->fetching >> i & 1 ? FETCHING : ABSENT;
}

/* The missing blocks of [first, last) that one fetch gets, from the first missing one on: all that lie near enough. */
static bool next_run_locked(struct extents *x, struct extents_object *o, uint64_t *at, uint64_t last,
	uint64_t *first, uint64_t *own)
{
	while (*at < last && state_locked(x, o, *at) != ABSENT)
		++*at;
	*first = *at;
	*own = 0;
	uint64_t end = *at; /* of the run so far */
	for (uint64_t b = *at; b < last && b - *first < x->part_blocks && b - end <= x->gap_blocks; b++)
		if (state_locked(x, o, b) == ABSENT) {
			*own |= 1ull << (b - *first);
			end = b + 1;
		}
	*at = end;
	return *own != 0;
}

static unsigned run_length(uint64_t own)
{
	return 64 - (unsigned)__builtin_clzll(own);
}

static void plan_read_locked(
	struct extents *x, struct extents_source *s, uint64_t first, uint64_t last, struct joined *j)
{
	uint64_t at = first, from, own;
	while (next_run_locked(x, s->o, &at, last, &from, &own)) {
		struct extents_fetch *f = new_locked(x, s, from, from + run_length(own), own);
		f->is_wanted = true;
		queue_locked(x, f);
	}
	for (uint64_t b = first; b < last; b++)
		if (state_locked(x, s->o, b) == FETCHING)
			join_locked(x, j, owner_locked(s->o, b));
	/* The reader itself runs one of them. */
	for (size_t i = 1; i < j->n; i++)
		if (j->fetches[i]->state == QUEUED)
			wake_locked(x);
}

/* Lets the prefetch that was announced last grow by a run that begins where it ends, or a little later. */
static bool grow_locked(struct extents *x, struct extents_source *s, uint64_t first, uint64_t own)
{
	struct extents_fetch *f = TAILQ_LAST(&x->prefetches, extents_fetches);
	if (!f || f->source != s || first < f->last || first - f->last > x->gap_blocks ||
		first + run_length(own) - f->first > x->part_blocks)
		return false;
	own <<= first - f->first;
	f->own |= own;
	f->last = f->first + run_length(own);
	mark_locked(x, f, own, true);
	return true;
}

static void announce_locked(
	struct extents *x, struct extents_source *s, struct extents_ahead ahead, struct extents_fetches *gone)
{
	uint64_t at = ahead.first, first, own;
	uint64_t last = MIN_OF(ahead.last, at + (uint64_t)x->options.max_queued * x->part_blocks);
	if (x->options.threads == 0 || atomic_load(&s->o->is_dead))
		return;
	while (next_run_locked(x, s->o, &at, last, &first, &own)) {
		if (grow_locked(x, s, first, own))
			continue;
		queue_locked(x, new_locked(x, s, first, first + run_length(own), own));
		if (x->n_prefetches > x->options.max_queued) {
			metric_add(dropped, 1);
			drop_locked(x, TAILQ_FIRST(&x->prefetches), gone);
		}
		wake_locked(x);
	}
}

void extents_fetch_announce(struct extents *x, struct extents_source *s, struct extents_ahead ahead)
{
	struct extents_fetches gone = TAILQ_HEAD_INITIALIZER(gone);
	/* A hint that could not be kept is not worth a request. */
	if (ahead.first >= ahead.last || atomic_load_explicit(&x->is_failing, memory_order_relaxed) ||
		extents_blocks_present(x, s->o, ahead.first, ahead.last))
		return;
	pthread_mutex_lock(&x->lock);
	announce_locked(x, s, ahead, &gone);
	pthread_mutex_unlock(&x->lock);
	unref_all(x, &gone);
}

/* Reading */

static struct extents_fetch *owner_of(const struct joined *j, uint64_t block)
{
	for (size_t i = 0; i < j->n; i++)
		if (is_own(j->fetches[i], block))
			return j->fetches[i];
	return NULL;
}

/* Runs what is still queued: nobody is nearer to it than who waits. */
static void help(struct extents *x, struct joined *j)
{
	for (size_t i = 0; i < j->n; i++) {
		struct extents_fetch *f = j->fetches[i];
		pthread_mutex_lock(&x->lock);
		bool is_mine = f->state == QUEUED;
		if (is_mine)
			start_locked(x, f);
		pthread_mutex_unlock(&x->lock);
		if (is_mine)
			run(x, f);
	}
}

/*
 * Until the fetch is done, or the calling thread's time is over: who runs it may have more time, and a store that is silent
 * takes it.
 */
static bool await_locked(struct extents *x, struct extents_fetch *f)
{
	struct deadline d = deadline_get();
	struct timespec until = { .tv_sec = d.until_us / 1000000, .tv_nsec = d.until_us % 1000000 * 1000 };
	int r = 0;
	while (f->state != DONE && r == 0)
		r = d.until_us ? pthread_cond_timedwait(&f->done, &x->lock, &until)
			       : pthread_cond_wait(&f->done, &x->lock);
	return f->state == DONE;
}

/* Copies what of [at, end) the fetch has from `at` on; the number of bytes, or its error. */
static ssize_t copy_from(
	struct extents *x, struct extents_fetch *f, uint8_t *out, uint64_t at, uint64_t end, struct err *e)
{
	uint64_t block = x->options.block_bytes, last = at / block;
	pthread_mutex_lock(&x->lock);
	bool is_done = await_locked(x, f);
	int r = is_done ? f->r : -ETIMEDOUT;
	pthread_mutex_unlock(&x->lock);
	if (!is_done)
		return err_set(e, r, "%s: timed out: another read of the same bytes has no answer yet",
			f->source->inner->name);
	if (r < 0) {
		if (e)
			*e = f->err;
		return r;
	}
	while (last * block < end && is_own(f, last))
		last++;
	size_t n = (size_t)(MIN_OF(last * block, end) - at);
	memcpy(out, f->data + (at - f->first * block), n);
	return (ssize_t)n;
}

/* Serves what no fetch of ours has, up to the next block that one has: from the cache, else past it. */
static ssize_t read_present(struct extents *x, struct extents_source *s, const struct joined *j, uint8_t *out,
	uint64_t at, uint64_t end, struct err *e)
{
	uint64_t block = x->options.block_bytes, last = at / block + 1;
	while (last * block < end && !owner_of(j, last))
		last++;
	size_t n = (size_t)(MIN_OF(last * block, end) - at);
	ssize_t got = extents_blocks_read(x, s->o, out, n, at);
	if (got > 0)
		return got;
	if (got < 0 && got != -EMFILE && got != -ENFILE)
		extents_object_kill(x, s->o);
	metric_add(uncached, 1);
	int r = extents_source_read(x, s, out, n, at, e);
	return r < 0 ? r : (ssize_t)n;
}

int extents_fetch_read(struct extents *x, struct extents_source *s, void *out, size_t n, uint64_t at,
	struct extents_ahead ahead, struct err *e)
{
	struct extents_fetches gone = TAILQ_HEAD_INITIALIZER(gone);
	struct joined j = { .n = 0 };
	uint64_t block = x->options.block_bytes, end = at + n;
	uint64_t first = at / block, last = (end + block - 1) / block;
	extents_blocks_verify(x, s->o, first, last);

	pthread_mutex_lock(&x->lock);
	if (!atomic_load(&s->o->is_dead))
		plan_read_locked(x, s, first, last, &j);
	if (ahead.first < ahead.last && !x->failing)
		announce_locked(x, s, ahead, &gone);
	pthread_mutex_unlock(&x->lock);
	unref_all(x, &gone);
	if (j.n > 0)
		metric_add(waits, 1);
	help(x, &j);

	int r = 0;
	for (uint8_t *to = out; at < end && r == 0;) {
		struct extents_fetch *f = owner_of(&j, at / block);
		ssize_t got = f ? copy_from(x, f, to, at, end, e) : read_present(x, s, &j, to, at, end, e);
		if (got < 0) {
			r = (int)got;
		} else {
			to += got;
			at += (uint64_t)got;
		}
	}
	for (size_t i = 0; i < j.n; i++)
		unref(x, j.fetches[i]);
	return r;
}
