/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A merged block. Its list of files is read once and stays; what costs descriptors and memory (the index'
 *descriptor, the slot map, the source segments, the made slots) is the block's "holdings", acquired by each
 *read and let go of when nobody has used the block for a while.
 *
 *	holdings		readers	opens
 *	none			0	any
 *	there			any	any
 *	there -> none		0	0	only in merged_block_rest and at the end
 */
#include "dedup/merged_block.h"

#include "dedup/block_state.h"
#include "dedup/made_slots.h"
#include "dedup/slot_map.h"
#include "dedup/slot_merge.h"
#include "dedup/slot_overrides.h"
#include "dedup/source_chunks.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

METRIC_COUNTER(slots_made, "thanosfs_slots_made_total", "Slots whose content was made.")
METRIC_COUNTER(samples_decoded, "thanosfs_slot_input_samples_total", "Source samples decoded to make slots.")
METRIC_COUNTER(samples_encoded, "thanosfs_slot_output_samples_total", "Samples in the slots that were made.")
METRIC_COUNTER(slots_overflowed, "thanosfs_slots_overflowed_total",
	"Slots that did not fit and hold the base replica's samples alone until their window is merged "
	"again.")
METRIC_COUNTER(slots_without_data, "thanosfs_slots_without_data_total",
	"Slots that are zeros because no source chunk was usable.")
METRIC_COUNTER(ranges_incomplete, "thanosfs_reads_incomplete_total",
	"Reads answered with zeros in place of bytes that could not be had.")

enum { FILE_META, FILE_TOMBSTONES, FILE_INDEX, FILE_SEGMENTS };
#define SEGMENT_NAME_BYTES 24

/* What makes slots, for one thread at a time. */
struct maker {
	struct slot_merger *merger;
	struct source_reader *reader;
	struct slot_cursor cursor;
	struct buf bytes; /* frames */
	struct maker *next;
};

struct holdings {
	struct blob *index;
	struct slot_map *map; /* NULL: no slots */
	struct source_chunks *chunks;
	struct made_slots **made; /* one a synthetic segment; NULL until used */
	uint32_t n_made;
	struct maker *idle;
};

struct merged_block {
	_Atomic unsigned refs;
	const struct merged_block_env *env;
	char *dir;
	struct ulid ulid;
	int64_t min_time, max_time;
	struct catalogue_block **sources;
	size_t n_sources;

	pthread_mutex_t lock;
	/* under lock */
	bool is_known; /* files and state */
	struct block_state state;
	struct merged_file *files;
	char (*segment_names)[SEGMENT_NAME_BYTES];
	size_t n_files;
	struct holdings *holdings;
	unsigned readers, opens;
	int64_t used_us;
};

struct merged_block *merged_block_new(const struct merged_block_env *env, const char *dir,
	const struct ulid *ulid, int64_t min_time, int64_t max_time, struct catalogue_block *const *sources,
	size_t n)
{
	struct merged_block *b = xcalloc(1, sizeof *b);
	b->refs = 1;
	b->env = env;
	b->dir = xstrdup(dir);
	b->ulid = *ulid;
	b->min_time = min_time;
	b->max_time = max_time;
	b->n_sources = n;
	b->sources = xcalloc(n, sizeof *b->sources);
	for (size_t i = 0; i < n; i++)
		b->sources[i] = catalogue_block_ref(sources[i]);
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

struct merged_block *merged_block_ref(struct merged_block *b)
{
	atomic_fetch_add(&b->refs, 1);
	return b;
}

static void maker_free(struct maker *k)
{
	slot_merger_free(k->merger);
	source_reader_free(k->reader);
	slot_cursor_fini(&k->cursor);
	buf_fini(&k->bytes);
	free(k);
}

static void holdings_free(struct holdings *h)
{
	if (!h)
		return;
	while (h->idle) {
		struct maker *k = h->idle;
		h->idle = k->next;
		maker_free(k);
	}
	for (uint32_t i = 0; i < h->n_made; i++)
		made_slots_unref(h->made[i]);
	free(h->made);
	slot_map_close(h->map);
	source_chunks_free(h->chunks);
	blob_close(h->index);
	free(h);
}

void merged_block_unref(struct merged_block *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	holdings_free(b->holdings);
	block_state_fini(&b->state);
	for (size_t i = 0; i < b->n_sources; i++)
		catalogue_block_unref(b->sources[i]);
	free(b->sources);
	free(b->files);
	free(b->segment_names);
	free(b->dir);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

const struct ulid *merged_block_ulid(const struct merged_block *b)
{
	return &b->ulid;
}

int64_t merged_block_mtime_ms(const struct merged_block *b)
{
	return b->max_time;
}

const char *merged_block_dir(const struct merged_block *b)
{
	return b->dir;
}

int64_t merged_block_min_time(const struct merged_block *b)
{
	return b->min_time;
}

int64_t merged_block_max_time(const struct merged_block *b)
{
	return b->max_time;
}

size_t merged_block_sources(const struct merged_block *b, struct catalogue_block *const **sources)
{
	*sources = b->sources;
	return b->n_sources;
}

static void add_labels_text(const struct labels *l, struct buf *out)
{
	buf_add_u8(out, '{');
	for (size_t i = 0; i < l->len; i++) {
		buf_printf(out, "%s%s=\"", i ? "," : "", l->data[i].name);
		for (const char *p = l->data[i].value; *p; p++)
			buf_printf(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
		buf_add_u8(out, '"');
	}
	buf_add_u8(out, '}');
}

int merged_block_xattr(struct merged_block *b, const char *name, struct buf *out)
{
	bool labels = !strcmp(name, "user.thanosfs.labels"), sources = !strcmp(name, "user.thanosfs.sources");
	if (!strcmp(name, "user.thanosfs.resolution"))
		return buf_add_str(out, "0"), 0; /* only raw blocks are merged */
	if (!labels && !sources)
		return -ENODATA;
	for (size_t i = 0; i < b->n_sources; i++) {
		if (i)
			buf_add_u8(out, sources ? ',' : '\n');
		if (sources)
			buf_add_str(out, b->sources[i]->ulid);
		else
			add_labels_text(&b->sources[i]->meta->thanos.labels, out);
	}
	return 0;
}

static char *path_in(const struct merged_block *b, const char *name)
{
	return xasprintf("%s/%s", b->dir, name);
}

static int size_of(const struct merged_block *b, const char *name, uint64_t *out, struct err *e)
{
	auto_free char *path = path_in(b, name);
	struct stat st;
	if (stat(path, &st) < 0)
		return err_errno(e, -errno, "%s", path);
	*out = (uint64_t)st.st_size;
	return 0;
}

static uint64_t segment_bytes(
	const struct merged_block *b, const struct merged_segment_ref *s, struct slot_map *map)
{
	return s->is_synthetic ? slot_map_segment_bytes(map, s->segment)
			       : b->sources[s->source]->segment_bytes[s->segment];
}

/* Prometheus refuses a whole directory of blocks over one bad meta.json. */
static int check_meta(const struct merged_block *b, struct err *e)
{
	auto_buf struct buf text = { 0 };
	auto_of(block_meta) struct block_meta *m = NULL;
	auto_free char *path = path_in(b, "meta.json");
	int r = file_read(path, META_JSON_MAX_BYTES, &text, e);
	if (r < 0 || (r = block_meta_parse(text.data, text.len, &m, e)) < 0)
		return r;
	return ulid_cmp(&m->ulid, &b->ulid) == 0 ? 0 : err_set(e, -EBADMSG, "%s is another block's", path);
}

/* What is on disk must be what block.json says was written. */
static int check_state(const struct merged_block *b, const struct block_state *s, uint64_t index_bytes,
	struct slot_map *map, struct err *e)
{
	if (index_bytes != s->merge.index_bytes)
		return err_set(e, -EBADMSG, "the index has %llu bytes, not %llu",
			(unsigned long long)index_bytes, (unsigned long long)s->merge.index_bytes);
	if (map && slot_map_slots(map) != s->merge.slots)
		return err_set(e, -EBADMSG, "the slot map has %llu slots, not %llu",
			(unsigned long long)slot_map_slots(map), (unsigned long long)s->merge.slots);
	vec_each (ref, &s->merge.segments)
		if (ref->is_synthetic && (!map || ref->segment >= slot_map_segments(map)))
			return err_set(e, -EBADMSG, "there is no synthetic segment %u", ref->segment);
	return check_meta(b, e);
}

static int read_state_locked(struct merged_block *b, struct err *e)
{
	auto_buf struct buf text = { 0 };
	auto_free char *path = path_in(b, "block.json"), *map_path = path_in(b, "slots");
	auto_of(slot_map) struct slot_map *map = NULL;
	uint64_t meta_bytes = 0, index_bytes = 0, tombstones_bytes = 0;
	int r = file_read(path, JSON_STATE_MAX_BYTES, &text, e);
	if (r < 0 || (r = size_of(b, "meta.json", &meta_bytes, e)) < 0 ||
		(r = size_of(b, "index", &index_bytes, e)) < 0 ||
		(r = size_of(b, "tombstones", &tombstones_bytes, e)) < 0)
		return r;
	if ((r = block_state_parse(path, text.data, text.len, b->sources, b->n_sources, &b->state, e)) < 0)
		return r;
	if (b->state.merge.slots)
		r = slot_map_open(map_path, &map, e);
	if (r == 0)
		r = check_state(b, &b->state, index_bytes, map, e);
	if (r < 0) {
		block_state_fini(&b->state);
		b->state = (struct block_state){ 0 };
		return r;
	}
	size_t n = b->state.merge.segments.len;
	b->files = xcalloc(FILE_SEGMENTS + n, sizeof *b->files);
	b->segment_names = xcalloc(n + 1, sizeof *b->segment_names);
	b->files[FILE_META] = (struct merged_file){ "meta.json", false, meta_bytes, meta_bytes };
	b->files[FILE_TOMBSTONES] =
		(struct merged_file){ "tombstones", false, tombstones_bytes, tombstones_bytes };
	b->files[FILE_INDEX] = (struct merged_file){ "index", false, index_bytes, index_bytes };
	for (size_t i = 0; i < n; i++) {
		const struct merged_segment_ref *s = &b->state.merge.segments.data[i];
		uint64_t bytes = segment_bytes(b, s, map);
		snprintf(b->segment_names[i], SEGMENT_NAME_BYTES, "%06zu", i + 1);
		b->files[FILE_SEGMENTS + i] = (struct merged_file){ b->segment_names[i], true, bytes,
			s->is_synthetic ? bytes - SLOT_FIRST_OFFSET + SEGMENT_HEADER_BYTES : bytes };
	}
	b->n_files = FILE_SEGMENTS + n;
	b->is_known = true;
	return 0;
}

int merged_block_files(struct merged_block *b, const struct merged_file **files, size_t *n, struct err *e)
{
	pthread_mutex_lock(&b->lock);
	int r = b->is_known ? 0 : read_state_locked(b, e);
	*files = b->files;
	*n = b->n_files;
	pthread_mutex_unlock(&b->lock);
	return r < 0 ? err_wrap(e, r, "merged block %s", b->dir) : 0;
}

const struct block_state *merged_block_state(struct merged_block *b, struct err *e)
{
	const struct merged_file *files;
	size_t n;
	return merged_block_files(b, &files, &n, e) < 0 ? NULL : &b->state;
}

static int hold_locked(struct merged_block *b, struct err *e)
{
	auto_free char *map_path = path_in(b, "slots"), *index_path = path_in(b, "index");
	struct holdings *h = xcalloc(1, sizeof *h);
	int r = b->is_known ? 0 : read_state_locked(b, e);
	if (r == 0)
		r = blob_open_file(index_path, &h->index, e);
	if (r == 0 && b->state.merge.slots)
		r = slot_map_open(map_path, &h->map, e);
	if (r < 0) {
		holdings_free(h);
		return r;
	}
	h->chunks = source_chunks_new(b->env->bucket, b->sources, b->n_sources);
	h->n_made = h->map ? slot_map_segments(h->map) : 0;
	h->made = xcalloc(h->n_made + 1, sizeof *h->made);
	b->holdings = h;
	return 0;
}

/* The holdings, which stay until give_back. */
static int acquire(struct merged_block *b, struct holdings **out, struct err *e)
{
	pthread_mutex_lock(&b->lock);
	int r = b->holdings ? 0 : hold_locked(b, e);
	if (r == 0) {
		b->readers++;
		b->used_us = clock_monotonic_us();
		*out = b->holdings;
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}

static void give_back(struct merged_block *b)
{
	pthread_mutex_lock(&b->lock);
	b->readers--;
	pthread_mutex_unlock(&b->lock);
}

/* A reference to the segment's made slots. */
static int made_of(
	struct merged_block *b, struct holdings *h, uint32_t segment, struct made_slots **out, struct err *e)
{
	int r = 0;
	pthread_mutex_lock(&b->lock);
	if (!h->made[segment]) {
		char name[32];
		snprintf(name, sizeof name, "segment-%u", segment);
		auto_free char *path = path_in(b, name);
		uint64_t first = slot_map_segment_first(h->map, segment);
		uint64_t end = slot_map_segment_first(h->map, segment + 1);
		r = made_slots_open(path, slot_map_segment_bytes(h->map, segment), first, end - first,
			&h->made[segment], e);
	}
	if (r == 0)
		*out = made_slots_ref(h->made[segment]);
	pthread_mutex_unlock(&b->lock);
	return r;
}

static struct maker *take_maker(struct merged_block *b, struct holdings *h)
{
	pthread_mutex_lock(&b->lock);
	struct maker *k = h->idle;
	if (k)
		h->idle = k->next;
	pthread_mutex_unlock(&b->lock);
	if (!k) {
		k = xcalloc(1, sizeof *k);
		k->merger = slot_merger_new(b->env->func);
		k->reader = source_reader_new(h->chunks);
	}
	return k;
}

static void return_maker(struct merged_block *b, struct holdings *h, struct maker *k)
{
	pthread_mutex_lock(&b->lock);
	k->next = h->idle;
	h->idle = k;
	pthread_mutex_unlock(&b->lock);
}

static void learn_parts(struct merged_block *b, const struct slot *slot, const struct slot_result *result)
{
	struct err e;
	const struct slot_source *base = &slot->sources[0];
	struct slot_key key = { .source = b->sources[base->source]->meta->ulid,
		.ref = base->ref,
		.from = slot->from,
		.to = slot->to };
	metric_add(slots_overflowed, 1);
	int r = slot_overrides_add(b->env->overrides, &key, result->parts, result->n_parts, &e);
	if (r < 0)
		log_error("a slot's exact size can't be kept", KV("err", e.msg));
	if (r > 0) {
		log_info("slot needs more room than planned, its window will be merged again",
			KV("block", b->sources[base->source]->ulid), KV_U64("parts", result->n_parts),
			KV_U64("capacity", slot->capacity), KV_U64("bytes", result->parts[0].bytes));
		int64_t now = clock_monotonic_us(), none = 0;
		atomic_compare_exchange_strong(&b->env->news->first_us, &none, now);
		atomic_store(&b->env->news->last_us, now);
	}
}

/*
 * Makes one slot, whose frame is appended to k->bytes. True: it is kept in `made`. False: it is only in
 * k->bytes (a source was unavailable, or the local disk is full).
 */
static bool make_slot(struct merged_block *b, struct maker *k, struct made_slots *made,
	const struct mapped_slot *s, bool *incomplete)
{
	struct slot_result result;
	struct err e;
	size_t start = k->bytes.len;
	slot_merge(k->merger, &s->slot, source_reader_slots(k->reader), &k->bytes, &result);
	metric_add(slots_made, 1);
	metric_add(samples_decoded, result.input_samples);
	metric_add(samples_encoded, result.output_samples);
	if (result.no_data)
		metric_add(slots_without_data, 1);
	if (result.unavailable) {
		*incomplete = true;
		return false;
	}
	if (result.n_parts)
		learn_parts(b, &s->slot, &result);
	int r = made_slots_put(made, s->number, s->offset, k->bytes.data + start, k->bytes.len - start, &e);
	if (r < 0)
		log_warn("made slot can't be kept", KV("err", e.msg));
	return r == 0;
}

/* A made slot that isn't in the file. */
struct loose {
	uint64_t offset;
	size_t at, len; /* in the maker's bytes */
};

/* The range as bytes: what the file has, with the loose slots over it. */
static int compose(struct maker *k, struct made_slots *made, const struct loose *loose, size_t n_loose,
	uint64_t at, size_t n, struct buf *out)
{
	size_t start = out->len;
	int r = file_pread_all(made_slots_fd(made), buf_reserve(out, n), n, at);
	if (r < 0)
		return r;
	out->len += n;
	for (size_t i = 0; i < n_loose; i++) {
		uint64_t from = MAX_OF(loose[i].offset, at),
			 to = MIN_OF(loose[i].offset + loose[i].len, at + n);
		if (from < to)
			memcpy(out->data + start + (from - at),
				k->bytes.data + loose[i].at + (from - loose[i].offset), to - from);
	}
	return 0;
}

/* A slot map that its checksums disown: without block.json the next process merges the window again. */
static void give_up_map(struct merged_block *b, struct err *e)
{
	auto_free char *path = path_in(b, "block.json");
	log_error(
		"local slot map is damaged, its window is merged again at the next start", KV("err", e->msg));
	unlink(path);
}

static int read_synthetic(struct merged_block *b, struct holdings *h, uint32_t segment, uint64_t at, size_t n,
	struct buf *out, struct merged_range *range, struct err *e)
{
	struct made_slots *made = NULL;
	int r = made_of(b, h, segment, &made, e);
	if (r < 0)
		return r;
	struct maker *k = take_maker(b, h);
	VEC(struct loose) loose = { 0 };
	buf_reset(&k->bytes);
	made_slots_touch(made);
	for (r = slot_map_seek(h->map, &k->cursor, segment, at, e); r == 1;
		r = slot_map_next(h->map, &k->cursor, e)) {
		const struct mapped_slot *s = slot_cursor_get(&k->cursor);
		if (s->offset >= at + n)
			break;
		if (made_slots_has(made, s->number))
			continue;
		size_t start = k->bytes.len;
		if (make_slot(b, k, made, s, &range->incomplete))
			k->bytes.len = start;
		else
			vec_push(&loose, (struct loose){ s->offset, start, k->bytes.len - start });
	}
	r = MIN_OF(r, 0);
	if (r == -EBADMSG)
		give_up_map(b, e);
	if (r == 0 && loose.len == 0) {
		range->fd = made_slots_fd(made);
		range->fd_at = at;
		range->hold = made_slots_ref(made);
	} else if (r == 0) {
		r = compose(k, made, loose.data, loose.len, at, n, out);
		if (r < 0)
			err_errno(e, r, "reading made slots of %s", b->dir);
	}
	vec_fini(&loose);
	return_maker(b, h, k);
	made_slots_unref(made);
	return r;
}

/* A whole source segment, byte for byte. */
static int read_source(struct holdings *h, const struct merged_segment_ref *s, uint64_t at, size_t n,
	struct buf *out, struct merged_range *range, struct err *e)
{
	struct blob *blob;
	struct stat st;
	int r = source_chunks_segment(h->chunks, s->source, s->segment, &blob, e);
	if (r < 0)
		return r;
	int fd = blob_fd(blob);
	if (fd < 0) {
		r = blob_read(blob, buf_reserve(out, n), n, at, e);
		out->len += r < 0 ? 0 : n;
		return r;
	}
	/* A file that somebody cut short must not become a short read: the kernel would cut the mount's file
	 * too. */
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < at + n)
		return err_set(e, -EIO, "%s ends before byte %llu", blob->name, (unsigned long long)(at + n));
	range->fd = fd;
	range->fd_at = at;
	return 0;
}

static int read_file(struct merged_block *b, struct holdings *h, size_t file, uint64_t at, size_t n,
	struct buf *out, struct merged_range *range, struct err *e)
{
	if (file == FILE_META || file == FILE_TOMBSTONES) {
		auto_free char *path = path_in(b, b->files[file].name);
		auto_buf struct buf text = { 0 };
		int r = file_read(path, META_JSON_MAX_BYTES, &text, e);
		if (r == 0 && text.len < at + n)
			r = err_set(e, -EIO, "%s became shorter", path);
		if (r == 0)
			buf_add(out, text.data + at, n);
		return r;
	}
	if (file == FILE_INDEX) {
		range->fd = blob_fd(h->index);
		range->fd_at = at;
		return 0;
	}
	const struct merged_segment_ref *s = &b->state.merge.segments.data[file - FILE_SEGMENTS];
	return s->is_synthetic ? read_synthetic(b, h, s->segment, at, n, out, range, e)
			       : read_source(h, s, at, n, out, range, e);
}

void merged_block_read(struct merged_block *b, size_t file, uint64_t at, size_t n, struct buf *out,
	struct merged_range *range)
{
	struct holdings *h = NULL;
	struct err e = { "" };
	size_t start = out->len;
	*range = (struct merged_range){ .fd = -1 };
	int r = acquire(b, &h, &e);
	range->is_held = r == 0;
	if (r == 0) {
		if (file >= b->n_files || at >= b->files[file].size)
			return;
		n = MIN_OF(n, b->files[file].size - at);
		r = read_file(b, h, file, at, n, out, range, &e);
	}
	range->n = n;
	if (r < 0) {
		log_warn("read answered with zeros", KV("block", b->dir), KV("err", e.msg));
		out->len = start;
		buf_add_zeros(out, n);
		range->fd = -1;
		range->incomplete = true;
	}
	if (range->incomplete)
		metric_add(ranges_incomplete, 1);
}

void merged_block_range_done(struct merged_block *b, size_t file, struct merged_range *range)
{
	(void)file;
	made_slots_unref(range->hold);
	range->hold = NULL;
	if (range->is_held)
		give_back(b);
	range->is_held = false;
}

void merged_block_file_opened(struct merged_block *b, size_t file)
{
	struct holdings *h = NULL;
	struct err e;
	if (acquire(b, &h, &e) < 0) {
		log_error("merged block can't be opened", KV("err", e.msg));
		pthread_mutex_lock(&b->lock);
		b->opens++;
		pthread_mutex_unlock(&b->lock);
		return;
	}
	pthread_mutex_lock(&b->lock);
	b->opens++;
	pthread_mutex_unlock(&b->lock);
	if (file >= FILE_SEGMENTS && file < b->n_files) {
		const struct merged_segment_ref *s = &b->state.merge.segments.data[file - FILE_SEGMENTS];
		struct blob *blob;
		if (s->is_synthetic)
			source_chunks_pin(h->chunks);
		else if (source_chunks_segment(h->chunks, s->source, s->segment, &blob, &e) < 0)
			log_warn("source segment can't be opened", KV("err", e.msg));
	}
	give_back(b);
}

void merged_block_file_closed(struct merged_block *b, size_t file)
{
	(void)file;
	pthread_mutex_lock(&b->lock);
	if (b->opens)
		b->opens--;
	b->used_us = clock_monotonic_us();
	pthread_mutex_unlock(&b->lock);
}

bool merged_block_is_open(const struct merged_block *b)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&b->lock;
	pthread_mutex_lock(lock);
	bool open = b->opens || b->readers;
	pthread_mutex_unlock(lock);
	return open;
}

/* References to all made slots that are open now; returns how many. */
static uint32_t snapshot_made(struct merged_block *b, struct made_slots ***out)
{
	pthread_mutex_lock(&b->lock);
	uint32_t n = b->holdings ? b->holdings->n_made : 0;
	*out = xcalloc(n + 1, sizeof **out);
	for (uint32_t i = 0; i < n; i++)
		if (b->holdings->made[i])
			(*out)[i] = made_slots_ref(b->holdings->made[i]);
	pthread_mutex_unlock(&b->lock);
	return n;
}

void merged_block_rest(struct merged_block *b, int64_t before_us)
{
	struct err e;
	struct made_slots **made;
	uint32_t n = snapshot_made(b, &made);
	for (uint32_t i = 0; i < n; i++) {
		if (made[i] && made_slots_save(made[i], &e) < 0)
			log_warn("made slots can't be saved", KV("err", e.msg));
		made_slots_unref(made[i]);
	}
	free(made);
	struct holdings *h = NULL;
	pthread_mutex_lock(&b->lock);
	if (b->readers == 0 && b->opens == 0 && b->used_us < before_us) {
		h = b->holdings;
		b->holdings = NULL;
	}
	pthread_mutex_unlock(&b->lock);
	holdings_free(h);
}

void merged_block_each_made(struct merged_block *b,
	void (*fn)(void *arg, struct merged_block *b, uint32_t segment, uint64_t disk_bytes, int64_t used_us),
	void *arg)
{
	struct stat st;
	char name[32];
	for (uint32_t i = 0;; i++) {
		snprintf(name, sizeof name, "segment-%u", i);
		auto_free char *path = path_in(b, name);
		if (stat(path, &st) < 0)
			return;
		fn(arg, b, i, (uint64_t)st.st_blocks * 512, (int64_t)st.st_mtim.tv_sec * 1000000);
	}
}

void merged_block_discard_made(struct merged_block *b, uint32_t segment)
{
	struct made_slots *made = NULL;
	pthread_mutex_lock(&b->lock);
	if (b->holdings && segment < b->holdings->n_made) {
		made = b->holdings->made[segment];
		b->holdings->made[segment] = NULL;
	}
	pthread_mutex_unlock(&b->lock);
	if (made) {
		made_slots_discard(made);
		made_slots_unref(made);
		return;
	}
	char name[32];
	snprintf(name, sizeof name, "segment-%u", segment);
	auto_free char *path = path_in(b, name);
	made_slots_clear(path);
}
