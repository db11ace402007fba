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
 * Entries belong to the thread that syncs. What other threads ask for, or tell, is store/left_out.h's.
 */
#include "store/catalogue.h"

#include "lib/base/duration.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/sorted.h"
#include "store/block_list.h"
#include "store/catalogue_file.h"
#include "store/left_out.h"
#include "store/meta_record.h"
#include "store/parallel.h"

#include <errno.h>

#define FLAT_LOOKERS  128 /* each waits for answers of a distant store most of the time */
#define LOCAL_LOOKERS 4
#define LOOKS_EACH    16 /* fewer aren't worth another thread */

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

struct catalogue {
	struct bucket *bucket;
	struct catalogue_options options;
	struct catalogue_file *file;
	VEC(struct entry) entries; /* sorted by ULID */
	bool is_file_broken;       /* and that was said */
	struct left_out *left_out;
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
	c->left_out = left_out_new();
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
	left_out_free(c->left_out);
	catalogue_file_close(c->file);
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

/* One sync. Once aligned, list.blocks[i] is of entries[i]. */
struct sync {
	struct catalogue *c;
	int64_t now_ms;
	struct block_list list;
};

static const struct block_known *known_of(void *arg, const struct ulid *ulid)
{
	const struct catalogue *c = arg;
	size_t at = lower_bound(i, c->entries.len, ulid_cmp(&c->entries.data[i].ulid, ulid) < 0);
	bool is_there = at < c->entries.len && !ulid_cmp(&c->entries.data[at].ulid, ulid);
	return is_there ? &c->entries.data[at].known : NULL;
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
	vec_reserve(&aligned, s->list.blocks.len);
	vec_each (listed, &s->list.blocks) {
		const struct ulid *ulid = &listed->look.scan.ulid;
		while (old < n && ulid_cmp(&c->entries.data[old].ulid, ulid) < 0)
			forget_entry(c, &c->entries.data[old++]);
		bool is_known = old < n && !ulid_cmp(&c->entries.data[old].ulid, ulid);
		struct entry entry = is_known ? c->entries.data[old++] : (struct entry){ .ulid = *ulid };
		if (listed->look.is_done) {
			entry.known = listed->known;
			listed->known.block = NULL;
		}
		vec_push(&aligned, entry);
	}
	while (old < n)
		forget_entry(c, &c->entries.data[old++]);
	vec_fini(&c->entries);
	c->entries = aligned;
}

static void look_at_one(void *arg, size_t i)
{
	struct sync *s = arg;
	if (!s->list.blocks.data[i].look.is_done)
		block_look(s->c->bucket, &s->c->entries.data[i].known, &s->list.blocks.data[i].look);
}

/* How many looks will ask the bucket something. */
static size_t count_requests(const struct sync *s)
{
	if (!s->c->bucket->flat_listing)
		return s->list.blocks.len;
	size_t n = 0;
	for (size_t i = 0; i < s->list.blocks.len; i++) {
		const struct block_known *known = &s->c->entries.data[i].known;
		n += !s->list.blocks.data[i].look.is_done &&
		     (!known->block ||
			     (s->list.blocks.data[i].look.scan.has_deletion_mark && !known->has_mark));
	}
	return n;
}

static void look_at_all(struct sync *s)
{
	size_t most = s->c->bucket->flat_listing ? FLAT_LOOKERS : LOCAL_LOOKERS;
	parallel_each(s->list.blocks.len, MIN_OF(most, count_requests(s) / LOOKS_EACH), look_at_one, s);
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

static void filter_rejected(struct sync *s)
{
	left_out_sync_begins(s->c->left_out);
	vec_each (listed, &s->list.blocks) {
		struct block_look *look = &listed->look;
		char *detail = look->skip == BLOCK_KEPT
				       ? left_out_why_rejected(s->c->left_out, &look->scan.ulid)
				       : NULL;
		if (!detail)
			continue;
		look->skip = BLOCK_REJECTED;
		look->detail = detail;
	}
}

static void filter_duplicates(struct sync *s)
{
	VEC(const struct block_meta *) metas = { 0 };
	VEC(struct block_look *) kept = { 0 };
	for (size_t i = 0; i < s->list.blocks.len; i++) {
		if (s->list.blocks.data[i].look.skip != BLOCK_KEPT || s->list.blocks.data[i].look.is_absent)
			continue;
		vec_push(&metas, s->c->entries.data[i].known.block->meta);
		vec_push(&kept, &s->list.blocks.data[i].look);
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

/* Moves what is said of the blocks left out to where others can ask for it. */
static void publish_left_out(struct sync *s)
{
	VEC(struct left_out_block) blocks = { 0 };
	vec_each (listed, &s->list.blocks) {
		struct block_look *look = &listed->look;
		if (look->skip == BLOCK_KEPT)
			continue;
		bool is_rejected = look->skip == BLOCK_REJECTED;
		vec_push(&blocks, (struct left_out_block){
					  .ulid = look->scan.ulid,
					  .reason = is_rejected ? NULL : block_skip_reason(look->skip),
					  .detail = take(look->detail),
				  });
	}
	left_out_sync_ends(s->c->left_out, blocks.data, blocks.len);
	vec_fini(&blocks);
}

static void report(struct sync *s, struct catalogue_listing *out)
{
	*out = (struct catalogue_listing){ 0 };
	for (size_t i = 0; i < s->list.blocks.len; i++) {
		struct entry *entry = &s->c->entries.data[i];
		const struct block_look *look = &s->list.blocks.data[i].look;
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
			left_out_say(s->c->bucket->name, &entry->ulid, block_skip_reason(look->skip),
				look->detail, block_skip_is_damage(look->skip));
		}
	}
	metric_set(blocks_seen, out->seen);
	metric_set(blocks_shown, out->blocks.len);
	publish_left_out(s);
}

int catalogue_sync(struct catalogue *c, int64_t now_ms, struct catalogue_listing *out, struct err *e)
{
	struct sync s = { .c = c, .now_ms = now_ms };
	metric_add(syncs, 1);
	int r = block_list(c->bucket, known_of, c, &s.list, e);
	if (r < 0) {
		metric_add(sync_failures, 1);
	} else {
		align_entries(&s);
		look_at_all(&s);
		remember(&s);
		for (size_t i = 0; i < s.list.blocks.len; i++)
			filter_one(&s, &c->entries.data[i], &s.list.blocks.data[i].look);
		filter_rejected(&s);
		filter_duplicates(&s);
		report(&s, out);
		metric_set(last_sync, (uint64_t)MAX_OF(now_ms, 0) / 1000);
	}
	block_list_fini(&s.list);
	return r;
}

void catalogue_reject(struct catalogue *c, const struct ulid *block, const char *reason, const char *detail)
{
	if (left_out_reject(c->left_out, block, reason, detail))
		left_out_say(c->bucket->name, block, reason, detail, true);
}

void catalogue_skipped(struct catalogue *c, catalogue_skipped_fn *fn, void *arg)
{
	left_out_each(c->left_out, fn, arg);
}
