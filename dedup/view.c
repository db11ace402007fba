/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sync goes: list, form windows, merge those that have no local directory yet, publish. A source that turns
 * out to be corrupt is left out and the windows are formed again, until what is left merges: what gets
 * published never overlaps and never lacks a window.
 *
 *	block		listed	retired	directory
 *	published	yes	no	stays
 *	replaced	no	yes	stays while files are open, and an hour (view_house.c)
 *	forgotten	no	no	removed
 */
#include "dedup/view.h"

#include "dedup/prefetch.h"
#include "dedup/view_private.h"
#include "lib/base/clock.h"
#include "lib/base/deadline.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "store/bucket_retry.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

METRIC_COUNTER(syncs, "thanosfs_syncs_total", "Syncs with the bucket that ended.")
METRIC_COUNTER(syncs_failed, "thanosfs_syncs_failed_total", "Syncs with the bucket that failed.")
METRIC_GAUGE(blocks_sources, "thanosfs_blocks_sources", "Blocks of the bucket that they are made of.")

int view_open(const struct view_options *options, struct bucket *bucket, struct catalogue *catalogue,
	struct view **out, struct err *e)
{
	auto_free char *overrides = xasprintf("%s/slot-overrides", options->dir);
	auto_free char *blocks = xasprintf("%s/merged", options->dir);
	struct slot_overrides *known;
	int r = file_mkdirs(blocks, 0755, e);
	if (r == 0)
		r = slot_overrides_open(overrides, &known, e);
	if (r < 0)
		return r;
	struct view *v = xcalloc(1, sizeof *v);
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->syncing, NULL);
	v->options = *options;
	v->dir = take(blocks);
	v->published_path = xasprintf("%s/published", options->dir);
	v->bucket = bucket;
	v->catalogue = catalogue;
	v->overrides = known;
	v->env = (struct merged_block_env){ .bucket = options->chunks ? options->chunks : bucket,
		.func = options->dedup.func,
		.overrides = known,
		.news = &v->news,
		.read_deadline_ms = options->read_deadline_ms };
	v->current = xcalloc(1, sizeof *v->current);
	v->current->refs = 1;
	if (v->options.threads == 0)
		v->options.threads = (unsigned)MAX_OF(sysconf(_SC_NPROCESSORS_ONLN), 1);
	v->options.threads = MIN_OF(v->options.threads, VIEW_MAX_THREADS);
	v->env.prefetch = prefetch_new(v->options.threads);
	*out = v;
	return 0;
}

void view_close(struct view *v)
{
	if (!v)
		return;
	prefetch_free(v->env.prefetch);
	v->env.prefetch = NULL;
	view_snapshot_unref(v->current);
	vec_each (b, &v->retired)
		merged_block_unref(b->block);
	vec_fini(&v->retired);
	put_off_fini(&v->put_off);
	slot_overrides_close(v->overrides);
	pthread_mutex_destroy(&v->lock);
	pthread_mutex_destroy(&v->syncing);
	free(v->dir);
	free(v->published_path);
	free(v);
}

struct view_snapshot *view_snapshot(struct view *v)
{
	pthread_mutex_lock(&v->lock);
	struct view_snapshot *s = v->current;
	atomic_fetch_add(&s->refs, 1);
	pthread_mutex_unlock(&v->lock);
	return s;
}

void view_on_publish(struct view *v,
	void (*fn)(void *arg, const struct view_snapshot *before, const struct view_snapshot *after),
	void *arg)
{
	pthread_mutex_lock(&v->lock);
	v->on_publish = fn;
	v->on_publish_arg = arg;
	pthread_mutex_unlock(&v->lock);
}

/* Blocks that this sync leaves out. */
struct excluded {
	VEC(struct ulid) list;
};

static bool is_excluded(const struct excluded *x, const struct ulid *u)
{
	for (size_t i = 0; i < x->list.len; i++)
		if (ulid_cmp(&x->list.data[i], u) == 0)
			return true;
	return false;
}

static bool is_published_source(struct view *v, const struct catalogue_block *block)
{
	bool found = false;
	struct view_snapshot *s = view_snapshot(v);
	for (size_t i = 0; i < s->n && !found; i++) {
		struct catalogue_block *const *sources;
		size_t n = merged_block_sources(s->blocks[i], &sources);
		for (size_t k = 0; k < n && !found; k++)
			found = ulid_cmp(&sources[k]->meta->ulid, &block->meta->ulid) == 0;
	}
	view_snapshot_unref(s);
	return found;
}

/* What to do about the merges that failed; 1: form the windows again, without what was to blame. */
static int judge(struct view *v, const struct view_merge *merges, size_t n, struct excluded *x, struct err *e)
{
	int again = 0;
	for (const struct view_merge *j = merges; j < merges + n; j++) {
		if (j->result >= 0)
			continue;
		if (j->bad_source < 0) {
			*e = j->err;
			return j->result;
		}
		const struct catalogue_block *b = j->window->sources[j->bad_source].block;
		/* An error that passes takes nothing away that is published. */
		if (bucket_error_is_transient(j->result) && is_published_source(v, b)) {
			*e = j->err;
			return j->result;
		}
		if (j->result == -EBADMSG || j->result == -EFBIG)
			catalogue_reject(v->catalogue, &b->meta->ulid, j->reason, j->err.msg);
		else if (put_off_add(&v->put_off, &b->meta->ulid, -j->result))
			log_warn("block can't be read now, it is tried again with every sync",
				KV("block", b->ulid), KV("err", j->err.msg));
		vec_push(&x->list, b->meta->ulid);
		again = 1;
	}
	return again;
}

static struct merged_block *make_block(struct view *v, const struct window *w)
{
	/* Not a retired one: what was found on disk alone knows less of its sources than the listing does. */
	struct view_snapshot *now = view_snapshot(v);
	struct merged_block *b = view_snapshot_find(now, &w->ulid);
	if (b)
		merged_block_ref(b);
	view_snapshot_unref(now);
	auto_free struct catalogue_block **sources = xcalloc(w->n, sizeof(struct catalogue_block *));
	for (size_t i = 0; i < w->n; i++)
		sources[i] = w->sources[i].block;
	if (b) {
		merged_block_learn_sources(b, sources, w->n);
		return b;
	}
	auto_free char *dir = view_block_path(v, &w->ulid, "");
	return merged_block_new(&v->env, dir, &w->ulid, w->min_time, w->max_time, sources, w->n);
}

/* Whether the window has been merged before, and what the merge left is whole. */
static bool is_merged(struct view *v, const struct window *w)
{
	struct err e;
	const struct merged_file *files;
	size_t n;
	auto_free char *meta = view_block_path(v, &w->ulid, "/meta.json");
	if (!file_exists(meta))
		return false;
	struct merged_block *b = make_block(v, w);
	int r = merged_block_files(b, &files, &n, &e);
	merged_block_unref(b);
	bool is_damaged = r == -EBADMSG || r == -ENOENT || r == -EFBIG;
	if (is_damaged)
		log_warn("local files are damaged, the window is merged again", KV("err", e.msg));
	return !is_damaged;
}

static bool is_same_set(const struct view_snapshot *a, const struct view_snapshot *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (ulid_cmp(merged_block_ulid(a->blocks[i]), merged_block_ulid(b->blocks[i])) != 0)
			return false;
	return true;
}

/* Swaps the published set; blocks that are not in the new one retire. */
static void publish(struct view *v, struct view_snapshot *next)
{
	uint64_t sources = 0;
	for (size_t i = 0; i < next->n; i++) {
		struct catalogue_block *const *list;
		sources += merged_block_sources(next->blocks[i], &list);
	}
	metric_set(blocks_sources, sources);
	pthread_mutex_lock(&v->lock);
	struct view_snapshot *before = v->current;
	bool same = before->generation && is_same_set(before, next);
	pthread_mutex_unlock(&v->lock);
	if (!same) { /* only a sync changes what is current, and there is one at a time */
		next->generation = before->generation + 1;
		view_keep_published(v, next);
	}
	pthread_mutex_lock(&v->lock);
	void (*fn)(void *, const struct view_snapshot *, const struct view_snapshot *) = v->on_publish;
	void *arg = v->on_publish_arg;
	if (!same) {
		for (size_t i = 0; i < before->n; i++)
			if (!view_snapshot_find(next, merged_block_ulid(before->blocks[i])))
				vec_push(&v->retired,
					(struct retired_block){
						merged_block_ref(before->blocks[i]), clock_unix_ms() });
		size_t kept = 0;
		for (size_t i = 0; i < v->retired.len; i++) { /* what came back is no longer retired */
			if (view_snapshot_find(next, merged_block_ulid(v->retired.data[i].block)))
				merged_block_unref(v->retired.data[i].block);
			else
				v->retired.data[kept++] = v->retired.data[i];
		}
		v->retired.len = kept;
		v->current = next;
	}
	pthread_mutex_unlock(&v->lock);
	if (same) {
		view_snapshot_unref(next);
		return;
	}
	prefetch_set_blocks(v->env.prefetch, next->blocks, next->n);
	log_info("published", KV_U64("generation", next->generation), KV_U64("blocks", next->n),
		KV_U64("sources", sources));
	for (size_t i = 0; i < before->n; i++)
		if (!view_snapshot_find(next, merged_block_ulid(before->blocks[i])))
			utimensat(AT_FDCWD, merged_block_dir(before->blocks[i]), NULL,
				0); /* kept from now on */
	if (fn)
		fn(arg, before, next);
	view_snapshot_unref(before);
}

static int compare_blocks(const void *a, const void *b)
{
	return ulid_cmp(&(*(struct catalogue_block *const *)a)->meta->ulid,
		&(*(struct catalogue_block *const *)b)->meta->ulid);
}

static int by_ulid(const void *a, const void *b)
{
	return ulid_cmp(merged_block_ulid(*(struct merged_block *const *)a),
		merged_block_ulid(*(struct merged_block *const *)b));
}

/* Windows of the listing, merged as far as they aren't; then a snapshot of them. */
static int form(struct view *v, const struct catalogue_listing *listing, struct excluded *x,
	struct view_snapshot **out, struct err *e)
{
	struct windows windows = { 0 };
	VEC(struct catalogue_block *) blocks = { 0 };
	VEC(struct view_merge) merges = { 0 };
	for (size_t i = 0; i < listing->blocks.len; i++)
		if (!is_excluded(x, &listing->blocks.data[i]->meta->ulid))
			vec_push(&blocks, listing->blocks.data[i]);
	for (size_t i = 0; i < listing->spares.len; i++) {
		const struct catalogue_spare *s = &listing->spares.data[i];
		if (is_excluded(x, &s->covered_by) && !is_excluded(x, &s->block->meta->ulid))
			vec_push(&blocks, s->block);
	}
	vec_sort(&blocks, compare_blocks);
	int r = windows_of(blocks.data, blocks.len, &v->options.dedup, v->overrides, &windows, e);
	for (size_t i = 0; i < windows.len && r == 0; i++) {
		if (!is_merged(v, &windows.data[i]))
			vec_push(&merges, (struct view_merge){ .window = &windows.data[i] });
	}
	if (r == 0 && merges.len) {
		/* What can't be read now is tried again and again. */
		enum log_level level =
			v->put_off.blocks.len || v->last_failed ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
		log_at(level, "merging indexes", KV_U64("windows", merges.len),
			KV_U64("threads", v->options.threads));
		int64_t start = clock_monotonic_us();
		view_merge(v, merges.data, merges.len);
		r = judge(v, merges.data, merges.len, x, e);
		log_at(level, "merged indexes", KV_U64("windows", merges.len),
			KV_F64("seconds", (double)(clock_monotonic_us() - start) / 1e6));
	}
	if (r == 0) {
		struct view_snapshot *s = xcalloc(1, sizeof *s);
		s->refs = 1;
		s->n = windows.len;
		s->blocks = xcalloc(s->n + 1, sizeof(struct merged_block *));
		for (size_t i = 0; i < s->n; i++)
			s->blocks[i] = make_block(v, &windows.data[i]);
		qsort(s->blocks, s->n, sizeof(struct merged_block *), by_ulid);
		*out = s;
	}
	vec_fini(&merges);
	vec_fini(&blocks);
	windows_fini(&windows);
	return r;
}

/*
 * A new layout gives a block a new name, and all that was made of it is made again: so not while a first reader is still
 * finding one small slot after the other.
 */
static void take_up_news(struct view *v)
{
	if (!view_has_news(v))
		return;
	atomic_store(&v->news.first_us, 0);
	log_info("windows are merged again with the exact sizes of slots that were too small");
	slot_overrides_activate(v->overrides);
}

static int sync_locked(struct view *v, int64_t now_ms, struct err *e)
{
	struct catalogue_listing listing = { 0 };
	struct excluded x = { 0 };
	struct view_snapshot *next = NULL;
	take_up_news(v);
	int r = catalogue_sync(v->catalogue, now_ms, &listing, e);
	if (r < 0)
		return r;
	/* Each round leaves out at least one block. */
	for (r = 1; r == 1;)
		r = form(v, &listing, &x, &next, e);
	if (r == 0)
		publish(v, next);
	size_t read_again = r == 0 ? put_off_sync_ends(&v->put_off) : 0;
	if (read_again)
		log_info("blocks can be read again, or are gone", KV_U64("blocks", read_again));
	catalogue_listing_fini(&listing);
	vec_fini(&x.list);
	if (r == 0)
		view_keep_house(v, now_ms);
	return r;
}

int view_sync(struct view *v, int64_t now_ms, struct err *e)
{
	struct err own;
	struct deadline deadline = deadline_get();
	if (!deadline.each_ms)
		deadline.each_ms = v->options.sync_deadline_ms;
	pthread_mutex_lock(&v->syncing);
	int64_t start = clock_monotonic_us();
	deadline = deadline_enter(deadline);
	int r = sync_locked(v, now_ms, e ? e : &own);
	deadline_leave(deadline);
	pthread_mutex_lock(&v->lock);
	v->last_sync_ms = now_ms;
	v->last_sync_us = clock_monotonic_us() - start;
	v->syncs++;
	v->last_failed = r < 0;
	if (r < 0)
		v->last_error = e ? *e : own;
	pthread_mutex_unlock(&v->lock);
	pthread_mutex_unlock(&v->syncing);
	metric_add(syncs, 1);
	metric_add(syncs_failed, r < 0);
	return r;
}

bool view_has_news(struct view *v)
{
	int64_t first = atomic_load(&v->news.first_us), last = atomic_load(&v->news.last_us);
	int64_t now = clock_monotonic_us(), settle = v->options.settle_ms * 1000;
	return first && (now - last >= settle || now - first >= 10 * settle);
}
