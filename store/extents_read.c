/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and announcements. A read plans fetches of what is missing and on its way to nobody, joins those that others have begun,
 * runs what is still queued itself, and copies from each what it has; what is present comes from the cache.
 */
#include "store/extents_read.h"

#include "lib/base/deadline.h"
#include "lib/base/metrics.h"
#include "store/extents_blocks.h"
#include "store/extents_fetch.h"
#include "store/extents_object.h"

#include <errno.h>

METRIC_COUNTER(waits, "thanosfs_extents_waits_total", "Reads that had to wait for the store.")
METRIC_COUNTER(dropped, "thanosfs_extents_prefetches_dropped_total",
	"Announced ranges dropped because too many were queued.")
METRIC_COUNTER(uncached, "thanosfs_extents_uncached_reads_total", "Reads that went past the cache.")

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
	if (f->state == FETCH_QUEUED)
		extents_fetch_unqueue_locked(x, f);
	f->is_wanted = true;
	if (f->state == FETCH_QUEUED)
		extents_fetch_queue_locked(x, f);
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
		struct extents_fetch *f = extents_fetch_new_locked(x, s, from, from + run_length(own), own);
		f->is_wanted = true;
		extents_fetch_queue_locked(x, f);
	}
	for (uint64_t b = first; b < last; b++)
		if (state_locked(x, s->o, b) == FETCHING)
			join_locked(x, j, owner_locked(s->o, b));
	/* The reader itself runs one of them. */
	for (size_t i = 1; i < j->n; i++)
		if (j->fetches[i]->state == FETCH_QUEUED)
			extents_fetch_wake_locked(x);
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
	extents_fetch_mark_locked(x, f, own, true);
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
		extents_fetch_queue_locked(
			x, extents_fetch_new_locked(x, s, first, first + run_length(own), own));
		if (x->n_prefetches > x->options.max_queued) {
			metric_add(dropped, 1);
			extents_fetch_drop_locked(x, TAILQ_FIRST(&x->prefetches), gone);
		}
		extents_fetch_wake_locked(x);
	}
}

void extents_announce(struct extents *x, struct extents_source *s, struct extents_ahead ahead)
{
	struct extents_fetches gone = TAILQ_HEAD_INITIALIZER(gone);
	/* A hint that could not be kept is not worth a request. */
	if (ahead.first >= ahead.last || atomic_load_explicit(&x->is_failing, memory_order_relaxed) ||
		extents_blocks_present(x, s->o, ahead.first, ahead.last))
		return;
	pthread_mutex_lock(&x->lock);
	announce_locked(x, s, ahead, &gone);
	pthread_mutex_unlock(&x->lock);
	extents_fetch_unref_all(x, &gone);
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
		bool is_mine = f->state == FETCH_QUEUED;
		if (is_mine)
			extents_fetch_start_locked(x, f);
		pthread_mutex_unlock(&x->lock);
		if (is_mine)
			extents_fetch_run(x, f);
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
	while (f->state != FETCH_DONE && r == 0)
		r = d.until_us ? pthread_cond_timedwait(&f->done, &x->lock, &until)
			       : pthread_cond_wait(&f->done, &x->lock);
	return f->state == FETCH_DONE;
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

int extents_read(struct extents *x, struct extents_source *s, void *out, size_t n, uint64_t at,
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
	extents_fetch_unref_all(x, &gone);
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
		extents_fetch_unref(x, j.fetches[i]);
	return r;
}
