/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue. A sync goes through the same steps each time:
 *
 *	list      what blocks there are; of a flat bucket also what files each has, and meanwhile look at those that are new
 *	align     entries: one for each listed block, in order, keeping what is known
 *	look      at each other block, several at once: what is new is fetched, marks are looked for
 *	remember  what is new, in the local file
 *	filter    and report what is left out
 *
 * Entries belong to the thread that syncs. What other threads ask for, or tell, is under the lock: the blocks
 * left out by the last sync, and those rejected.
 */
#include "store/catalogue.h"

#include "lib/base/duration.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "store/block_look.h"
#include "store/bucket_retry.h"
#include "store/catalogue_file.h"
#include "store/look_ahead.h"
#include "store/meta_record.h"
#include "store/parallel.h"

#include <errno.h>
#include <pthread.h>

#define LIST_TRIES    3
#define FLAT_LOOKERS  128 /* each waits for answers of a distant store most of the time */
#define LOCAL_LOOKERS 4
#define LOOKS_EACH    16 /* fewer aren't worth another thread */

METRIC_FAMILY(skipped_total, METRIC_TYPE_COUNTER, "thanosfs_blocks_skipped_total",
	"Blocks left out, each counted once for a reason.", "reason")
METRIC_GAUGE(blocks_seen, "thanosfs_catalogue_blocks", "Blocks in the bucket at the last sync.")
METRIC_GAUGE(
	blocks_shown, "thanosfs_catalogue_blocks_shown", "Blocks that passed every filter at the last sync.")
METRIC_COUNTER(syncs, "thanosfs_catalogue_syncs_total", "Syncs of the catalogue with the bucket.")
METRIC_COUNTER(
	sync_failures, "thanosfs_catalogue_sync_failures_total", "Syncs that could not list the bucket.")
METRIC_GAUGE(last_sync, "thanosfs_catalogue_last_sync_timestamp_seconds",
	"When the last sync that succeeded began.")

struct entry {
	struct ulid ulid;
	struct block_known known;
	struct catalogue_place place; /* in the file */
	uint32_t counted;             /* bit s: it was counted as left out for reason s */
	bool is_selector_asked, is_selected;
};

#define FIRST_TRIAL_SYNCS 4
#define MAX_TRIAL_SYNCS   64

struct rejection {
	struct ulid ulid;
	char *reason, *detail;
	unsigned pause, left; /* syncs to the next trial: from the last one on, and from now on */
	bool is_on_trial;     /* the last sync listed it */
};

static void free_rejection(struct rejection *r)
{
	free(r->reason);
	free(r->detail);
}

struct skipped_block {
	struct ulid ulid;
	const char *reason; /* lives as long as the catalogue */
	char *detail;
};

struct catalogue {
	struct bucket *bucket;
	struct catalogue_options options;
	struct catalogue_file *file;
	VEC(struct entry) entries; /* sorted by ULID */
	bool is_file_broken;       /* and that was said */
	pthread_mutex_t lock;
	/* under the lock */
	VEC(struct rejection) rejected;
	VEC(struct skipped_block) skipped; /* sorted by ULID */
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = ulid_cmp(&x->ulid, &y->ulid);
	return c ? c : (x->place.at > y->place.at) - (x->place.at < y->place.at);
}

static void take_record(void *arg, const struct catalogue_record *record, struct catalogue_place place)
{
	struct catalogue *c = arg;
	struct entry entry = { .ulid = record->ulid, .place = place };
	struct block_meta *m = NULL;
	if (!record->is_gone && meta_record_read(record->meta, record->meta_bytes, &m) == 0) {
		uint64_t *segment_bytes = xcalloc(record->n_segments + 1u, sizeof *segment_bytes);
		memcpy(segment_bytes, record->segment_bytes, record->n_segments * sizeof *segment_bytes);
		entry.known.block = catalogue_block_new(
			m, record->index_bytes, segment_bytes, record->n_segments, record->has_tombstones);
	}
	vec_push(&c->entries, entry);
}

/* Of all records of a block the last one counts, where it has the block. */
static void settle_records(struct catalogue *c)
{
	size_t n = 0;
	vec_sort(&c->entries, compare_entries);
	for (size_t i = 0; i < c->entries.len; i++) {
		struct entry *entry = &c->entries.data[i];
		bool is_last = i + 1 == c->entries.len || ulid_cmp(&entry->ulid, &entry[1].ulid) != 0;
		if (is_last && entry->known.block) {
			c->entries.data[n++] = *entry;
			continue;
		}
		catalogue_file_forget(c->file, entry->place);
		catalogue_block_unref(entry->known.block);
	}
	c->entries.len = n;
}

int catalogue_open(const char *dir, struct bucket *bucket, const struct catalogue_options *options,
	struct catalogue **out, struct err *e)
{
	struct catalogue *c = xcalloc(1, sizeof *c);
	c->bucket = bucket;
	c->options = *options;
	pthread_mutex_init(&c->lock, NULL);
	int r = catalogue_file_open(dir, take_record, c, &c->file, e);
	if (r < 0) {
		catalogue_close(c);
		return err_wrap(e, r, "opening the catalogue");
	}
	settle_records(c);
	*out = c;
	return 0;
}

void catalogue_close(struct catalogue *c)
{
	if (!c)
		return;
	vec_each (entry, &c->entries)
		catalogue_block_unref(entry->known.block);
	vec_fini(&c->entries);
	vec_each (rejection, &c->rejected)
		free_rejection(rejection);
	vec_fini(&c->rejected);
	vec_each (skipped, &c->skipped)
		free(skipped->detail);
	vec_fini(&c->skipped);
	catalogue_file_close(c->file);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void catalogue_set_time_range(struct catalogue *c, int64_t min_time_ms, int64_t max_time_ms)
{
	c->options.min_time_ms = min_time_ms;
	c->options.max_time_ms = max_time_ms;
}

void catalogue_listing_fini(struct catalogue_listing *l)
{
	vec_each (block, &l->blocks)
		catalogue_block_unref(*block);
	vec_fini(&l->blocks);
	vec_each (spare, &l->spares)
		catalogue_block_unref(spare->block);
	vec_fini(&l->spares);
}

/* One sync. Once aligned, looks[i] is of entries[i]. */
struct sync {
	struct catalogue *c;
	int64_t now_ms;
	VEC(struct block_look) looks;
	struct look_ahead *ahead; /* NULL: the listing doesn't tell what files a block has */
	bool is_out_of_order;     /* the listing, so far */
	size_t passed; /* entries below the block that was listed last, as long as it is in order */
};

static void begin_listing(struct sync *s)
{
	vec_each (look, &s->looks)
		block_look_fini(look);
	s->looks.len = 0;
	look_ahead_free(s->ahead);
	s->ahead = s->c->bucket->flat_listing ? look_ahead_new(s->c->bucket, FLAT_LOOKERS) : NULL;
	s->is_out_of_order = false;
	s->passed = 0;
}

/*
 * The listing has come to another block than its last one: if it is in order, as those of object stores are, all files of
 * the last one are known, and it may be looked at if it is new. Whether that was so is seen in join_looks.
 */
static void leave_block(struct sync *s, struct block_look *last, const struct ulid *next)
{
	const struct catalogue *c = s->c;
	s->is_out_of_order |= ulid_cmp(&last->scan.ulid, next) > 0;
	if (!s->ahead || s->is_out_of_order || !last->scan.has_meta)
		return;
	while (s->passed < c->entries.len && ulid_cmp(&c->entries.data[s->passed].ulid, &last->scan.ulid) < 0)
		s->passed++;
	const struct entry *entry = s->passed < c->entries.len ? &c->entries.data[s->passed] : NULL;
	if (entry && ulid_cmp(&entry->ulid, &last->scan.ulid) != 0)
		entry = NULL;
	if (!entry || !entry->known.block)
		look_ahead_add(s->ahead, &last->scan, entry && entry->known.has_bad_mark);
}

static int list_object(void *arg, const struct object_info *o)
{
	struct sync *s = arg;
	struct ulid ulid;
	const char *rest;
	if (!block_scan_path(o->name, &ulid, &rest))
		return 0;
	struct block_look *last = s->looks.len ? &s->looks.data[s->looks.len - 1] : NULL;
	if (!last || ulid_cmp(&last->scan.ulid, &ulid) != 0) {
		if (last)
			leave_block(s, last, &ulid);
		last = vec_push_slot(&s->looks);
		*last = (struct block_look){ .scan.ulid = ulid };
	}
	block_scan_add(&last->scan, rest, o->size);
	return 0;
}

static int compare_looks(const void *a, const void *b)
{
	return ulid_cmp(
		&((const struct block_look *)a)->scan.ulid, &((const struct block_look *)b)->scan.ulid);
}

/* Takes back the looks that were begun while the listing went on. They are some of all, in the same order. */
static void take_looks(struct sync *s)
{
	size_t n = s->ahead ? look_ahead_count(s->ahead) : 0, next = 0;
	for (size_t i = 0; i < s->looks.len && next < n; i++) {
		struct block_look *look = &s->looks.data[i], *looked = &look_ahead_get(s->ahead, next)->look;
		if (compare_looks(look, looked) != 0)
			continue;
		*look = *looked;
		look->is_done = true;
		*looked = (struct block_look){ .scan.ulid = look->scan.ulid };
		next++;
	}
}

/* Of a block that was listed in several places: what was seen of it by then was not all. */
static void join_looks(struct block_look *to, struct block_look *from)
{
	block_scan_merge(&to->scan, &from->scan);
	free(to->detail);
	free(from->detail);
	to->detail = NULL;
	to->is_done = false;
}

static int list_blocks(struct sync *s, struct err *e)
{
	struct bucket *b = s->c->bucket;
	int r = 0;
	/* One that breaks off after it delivered something is begun anew; one that delivered nothing has been. */
	for (int tries = 0; tries == 0 ||
			    (tries < LIST_TRIES && s->looks.len > 0 && r < 0 && bucket_error_is_transient(r));
		tries++) {
		begin_listing(s);
		r = bucket_list(b, "", b->flat_listing, b->flat_listing, list_object, s, e);
	}
	if (r < 0)
		return r;
	if (s->ahead)
		look_ahead_wait(s->ahead);
	take_looks(s);
	vec_sort(&s->looks, compare_looks);
	size_t n = 0;
	vec_each (look, &s->looks) {
		if (n > 0 && !compare_looks(&s->looks.data[n - 1], look))
			join_looks(&s->looks.data[n - 1], look);
		else
			s->looks.data[n++] = *look;
	}
	s->looks.len = n;
	return 0;
}

static void forget_entry(struct catalogue *c, struct entry *entry)
{
	if (entry->place.bytes > 0) {
		catalogue_file_forget(c->file, entry->place);
		catalogue_file_add(
			c->file, &(struct catalogue_record){ .ulid = entry->ulid, .is_gone = true });
	}
	catalogue_block_unref(entry->known.block);
}

static void align_entries(struct sync *s)
{
	struct catalogue *c = s->c;
	__typeof__(c->entries) aligned = { 0 };
	size_t old = 0, n = c->entries.len;
	vec_reserve(&aligned, s->looks.len);
	vec_each (look, &s->looks) {
		while (old < n && ulid_cmp(&c->entries.data[old].ulid, &look->scan.ulid) < 0)
			forget_entry(c, &c->entries.data[old++]);
		bool is_known = old < n && !ulid_cmp(&c->entries.data[old].ulid, &look->scan.ulid);
		vec_push(&aligned,
			is_known ? c->entries.data[old++] : (struct entry){ .ulid = look->scan.ulid });
	}
	while (old < n)
		forget_entry(c, &c->entries.data[old++]);
	vec_fini(&c->entries);
	c->entries = aligned;
}

/* What was found out while the listing went on; both are in order. */
static void take_known(struct sync *s)
{
	size_t n = s->ahead ? look_ahead_count(s->ahead) : 0;
	for (size_t i = 0, k = 0; i < s->looks.len && k < n; i++) {
		struct looked *looked = look_ahead_get(s->ahead, k);
		if (compare_looks(&s->looks.data[i], &looked->look) != 0)
			continue;
		k++;
		if (!s->looks.data[i].is_done)
			continue;
		s->c->entries.data[i].known = looked->known;
		looked->known.block = NULL;
	}
}

static void look_at_one(void *arg, size_t i)
{
	struct sync *s = arg;
	if (!s->looks.data[i].is_done)
		block_look(s->c->bucket, &s->c->entries.data[i].known, &s->looks.data[i]);
}

/* How many looks will ask the bucket something. */
static size_t count_requests(const struct sync *s)
{
	if (!s->c->bucket->flat_listing)
		return s->looks.len;
	size_t n = 0;
	for (size_t i = 0; i < s->looks.len; i++) {
		const struct block_known *known = &s->c->entries.data[i].known;
		n += !s->looks.data[i].is_done &&
		     (!known->block || (s->looks.data[i].scan.has_deletion_mark && !known->has_mark));
	}
	return n;
}

static void look_at_all(struct sync *s)
{
	size_t most = s->c->bucket->flat_listing ? FLAT_LOOKERS : LOCAL_LOOKERS;
	parallel_each(s->looks.len, MIN_OF(most, count_requests(s) / LOOKS_EACH), look_at_one, s);
}

/* The local file failing costs the next start some requests, nothing else. */
static void file_failed(struct catalogue *c, const struct err *e)
{
	if (!c->is_file_broken)
		log_warn("the catalogue can't be kept locally, a restart will fetch it again",
			KV("error", e->msg));
	c->is_file_broken = true;
}

static void rewrite_file(struct catalogue *c)
{
	struct err e;
	VEC(struct catalogue_place *) live = { 0 };
	vec_each (entry, &c->entries)
		if (entry->place.bytes > 0)
			vec_push(&live, &entry->place);
	if (catalogue_file_rewrite(c->file, live.data, live.len, &e) < 0)
		file_failed(c, &e);
	vec_fini(&live);
}

static void remember(struct sync *s)
{
	struct catalogue *c = s->c;
	struct err e;
	auto_buf struct buf meta = { 0 };
	VEC(struct catalogue_place *) added = { 0 };
	vec_each (entry, &c->entries) {
		const struct catalogue_block *b = entry->known.block;
		if (!b || entry->place.bytes > 0)
			continue;
		buf_reset(&meta);
		meta_record_write(b->meta, &meta);
		entry->place = catalogue_file_add(c->file, &(struct catalogue_record){
								   .ulid = entry->ulid,
								   .has_tombstones = b->has_tombstones,
								   .index_bytes = b->index_bytes,
								   .segment_bytes = b->segment_bytes,
								   .n_segments = b->n_segments,
								   .meta = meta.data,
								   .meta_bytes = meta.len,
							   });
		vec_push(&added, &entry->place);
	}
	if (catalogue_file_flush(c->file, &e) < 0) {
		file_failed(c, &e);
		vec_each (place, &added)
			**place = (struct catalogue_place){ 0 };
	} else if (catalogue_file_is_mostly_garbage(c->file)) {
		rewrite_file(c);
	}
	vec_fini(&added);
}

static void leave_out(struct block_look *look, enum block_skip skip, const char *words, int64_t time_ms)
{
	char text[DURATION_CHARS];
	look->skip = skip;
	look->detail = xasprintf("%s %s", words, time_format(time_ms, text));
}

static void filter_one(struct sync *s, struct entry *entry, struct block_look *look)
{
	const struct catalogue_options *o = &s->c->options;
	if (look->skip != BLOCK_KEPT || look->is_absent)
		return;
	const struct block_meta *m = entry->known.block->meta;
	if (!entry->is_selector_asked) {
		entry->is_selected = block_filter_selector(o, m);
		entry->is_selector_asked = true;
	}
	if (!block_filter_time_range(o, m)) {
		bool is_before = m->max_time < o->min_time_ms;
		leave_out(look, BLOCK_TIME_RANGE, is_before ? "ends at" : "begins at",
			is_before ? m->max_time : m->min_time);
	} else if (!entry->is_selected) {
		look->skip = BLOCK_SELECTOR;
		look->detail = xstrdup("its labels are not selected");
	} else if (entry->known.has_mark &&
		   block_filter_is_deleted(o, entry->known.mark_time_ms, s->now_ms)) {
		leave_out(look, BLOCK_MARKED, "marked at", entry->known.mark_time_ms);
	} else if (block_filter_is_too_fresh(o, m, s->now_ms)) {
		leave_out(look, BLOCK_TOO_FRESH, "uploaded at",
			m->thanos.upload_time_ms ? m->thanos.upload_time_ms : ulid_time_ms(&m->ulid));
	} else if (m->thanos.resolution_ms != 0) {
		char text[DURATION_CHARS];
		look->skip = BLOCK_DOWNSAMPLED;
		look->detail =
			xasprintf("its resolution is %s", duration_format(m->thanos.resolution_ms, text));
	}
}

/* The lock must be held while what it returns is used. */
static struct rejection *find_rejection_locked(const struct catalogue *c, const struct ulid *ulid)
{
	for (size_t i = 0; i < c->rejected.len; i++)
		if (!ulid_cmp(&c->rejected.data[i].ulid, ulid))
			return &c->rejected.data[i];
	return NULL;
}

/* Those that were tried and not rejected again. */
static void acquit_locked(struct catalogue *c)
{
	size_t kept = 0;
	vec_each (r, &c->rejected) {
		if (!r->is_on_trial) {
			c->rejected.data[kept++] = *r;
			continue;
		}
		char id[ULID_CHARS + 1];
		ulid_format(&r->ulid, id);
		log_info("block is whole after all", KV("block", id), KV("reason", r->reason));
		free_rejection(r);
	}
	c->rejected.len = kept;
}

static void filter_rejected(struct sync *s)
{
	struct catalogue *c = s->c;
	pthread_mutex_lock(&c->lock);
	acquit_locked(c);
	vec_each (look, &s->looks) {
		struct rejection *rejection =
			look->skip == BLOCK_KEPT ? find_rejection_locked(c, &look->scan.ulid) : NULL;
		if (!rejection)
			continue;
		rejection->is_on_trial = rejection->left == 0;
		if (rejection->is_on_trial)
			continue;
		rejection->left--;
		look->skip = BLOCK_REJECTED;
		look->detail = xstrdup(rejection->detail);
	}
	pthread_mutex_unlock(&c->lock);
}

static void filter_duplicates(struct sync *s)
{
	VEC(const struct block_meta *) metas = { 0 };
	VEC(struct block_look *) kept = { 0 };
	for (size_t i = 0; i < s->looks.len; i++) {
		if (s->looks.data[i].skip != BLOCK_KEPT || s->looks.data[i].is_absent)
			continue;
		vec_push(&metas, s->c->entries.data[i].known.block->meta);
		vec_push(&kept, &s->looks.data[i]);
	}
	auto_free ssize_t *covered_by = xcalloc(metas.len + 1, sizeof *covered_by);
	block_filter_duplicates(&s->c->options, metas.data, metas.len, covered_by);
	for (size_t i = 0; i < metas.len; i++) {
		if (covered_by[i] < 0)
			continue;
		char cover[ULID_CHARS + 1];
		ulid_format(&metas.data[covered_by[i]]->ulid, cover);
		kept.data[i]->skip = BLOCK_DUPLICATE;
		kept.data[i]->covered_by = metas.data[covered_by[i]]->ulid;
		kept.data[i]->detail = xasprintf("%s has all its sources", cover);
	}
	vec_fini(&metas);
	vec_fini(&kept);
}

static void log_left_out(const struct catalogue *c, const struct ulid *ulid, const char *reason,
	const char *detail, bool is_damage)
{
	char id[ULID_CHARS + 1];
	ulid_format(ulid, id);
	if (is_damage)
		log_warn("block left out", KV("bucket", c->bucket->name), KV("block", id),
			KV("reason", reason), KV("detail", detail));
	else
		log_debug("block left out", KV("bucket", c->bucket->name), KV("block", id),
			KV("reason", reason), KV("detail", detail));
}

/* Moves what is said of the blocks left out to where others can ask for it. */
static void publish_skipped(struct sync *s)
{
	struct catalogue *c = s->c;
	pthread_mutex_lock(&c->lock);
	vec_each (skipped, &c->skipped)
		free(skipped->detail);
	c->skipped.len = 0;
	vec_each (look, &s->looks) {
		if (look->skip == BLOCK_KEPT)
			continue;
		const struct rejection *rejection =
			look->skip == BLOCK_REJECTED ? find_rejection_locked(c, &look->scan.ulid) : NULL;
		vec_push(&c->skipped,
			(struct skipped_block){
				.ulid = look->scan.ulid,
				.reason = rejection ? rejection->reason : block_skip_reason(look->skip),
				.detail = take(look->detail),
			});
	}
	pthread_mutex_unlock(&c->lock);
}

static void report(struct sync *s, struct catalogue_listing *out)
{
	*out = (struct catalogue_listing){ 0 };
	for (size_t i = 0; i < s->looks.len; i++) {
		struct entry *entry = &s->c->entries.data[i];
		const struct block_look *look = &s->looks.data[i];
		out->seen += !look->is_absent;
		if (look->is_absent)
			continue;
		if (look->skip == BLOCK_KEPT) {
			vec_push(&out->blocks, catalogue_block_ref(entry->known.block));
			continue;
		}
		if (look->skip == BLOCK_DUPLICATE)
			vec_push(&out->spares,
				(struct catalogue_spare){
					catalogue_block_ref(entry->known.block), look->covered_by });
		/* A rejected one was counted and named when it was rejected. */
		if (look->skip != BLOCK_REJECTED && !(entry->counted & 1u << look->skip)) {
			entry->counted |= 1u << look->skip;
			metric_add(metric_of(&skipped_total, block_skip_reason(look->skip)), 1);
			log_left_out(s->c, &entry->ulid, block_skip_reason(look->skip), look->detail,
				block_skip_is_damage(look->skip));
		}
	}
	metric_set(blocks_seen, out->seen);
	metric_set(blocks_shown, out->blocks.len);
	publish_skipped(s);
}

int catalogue_sync(struct catalogue *c, int64_t now_ms, struct catalogue_listing *out, struct err *e)
{
	struct sync s = { .c = c, .now_ms = now_ms };
	metric_add(syncs, 1);
	int r = list_blocks(&s, e);
	if (r < 0) {
		metric_add(sync_failures, 1);
	} else {
		align_entries(&s);
		take_known(&s);
		look_at_all(&s);
		remember(&s);
		for (size_t i = 0; i < s.looks.len; i++)
			filter_one(&s, &c->entries.data[i], &s.looks.data[i]);
		filter_rejected(&s);
		filter_duplicates(&s);
		report(&s, out);
		metric_set(last_sync, (uint64_t)MAX_OF(now_ms, 0) / 1000);
	}
	vec_each (look, &s.looks)
		block_look_fini(look);
	vec_fini(&s.looks);
	look_ahead_free(s.ahead);
	return r < 0 ? r : 0;
}

static int compare_skipped(const void *a, const void *b)
{
	return ulid_cmp(&((const struct skipped_block *)a)->ulid, &((const struct skipped_block *)b)->ulid);
}

void catalogue_reject(struct catalogue *c, const struct ulid *block, const char *reason, const char *detail)
{
	pthread_mutex_lock(&c->lock);
	struct rejection *known = find_rejection_locked(c, block);
	bool is_new = !known, is_again = known && known->is_on_trial;
	if (is_new) {
		vec_push(&c->rejected, (struct rejection){ .ulid = *block,
					       .reason = xstrdup(reason),
					       .detail = xstrdup(detail),
					       .pause = FIRST_TRIAL_SYNCS,
					       .left = FIRST_TRIAL_SYNCS });
		known = &c->rejected.data[c->rejected.len - 1];
	} else if (is_again) {
		known->is_on_trial = false;
		known->left = known->pause = MIN_OF(2 * known->pause, MAX_TRIAL_SYNCS);
	}
	if (is_new || is_again) {
		vec_push(&c->skipped,
			(struct skipped_block){
				.ulid = *block, .reason = known->reason, .detail = xstrdup(known->detail) });
		vec_sort(&c->skipped, compare_skipped);
	}
	pthread_mutex_unlock(&c->lock);
	if (is_new) {
		metric_add(metric_of(&skipped_total, reason), 1);
		log_left_out(c, block, reason, detail, true);
	}
}

void catalogue_skipped(struct catalogue *c, catalogue_skipped_fn *fn, void *arg)
{
	pthread_mutex_lock(&c->lock);
	vec_each (skipped, &c->skipped)
		fn(arg, &skipped->ulid, skipped->reason, skipped->detail);
	pthread_mutex_unlock(&c->lock);
}
