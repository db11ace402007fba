/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A merged block's life. Its list of files is read once and stays; what costs descriptors and memory (the index'
 * descriptor, the slot map, the source segments, the made slots) is the block's "holdings", acquired by each read
 * (merged_read.c) and let go of when nobody has used the block for a while.
 *
 *	holdings		readers	opens
 *	none			0	any
 *	there			any	any
 *	there -> none		0	0	only in merged_block_rest and at the end
 */
#include "dedup/merged_private.h"

#include "lib/base/clock.h"
#include "lib/base/complaint.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct merged_block *merged_block_of_disk(const struct merged_block_env *env, const char *dir,
	const struct ulid *ulid, int64_t min_time, int64_t max_time)
{
	struct merged_block *b = xcalloc(1, sizeof *b);
	b->refs = 1;
	b->env = env;
	b->dir = xstrdup(dir);
	b->ulid = *ulid;
	b->min_time = min_time;
	b->max_time = max_time;
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

static struct source_set *source_set_new(struct catalogue_block *const *sources, size_t n)
{
	struct source_set *s = xcalloc(1, sizeof *s + n * sizeof *s->blocks);
	s->n = n;
	for (size_t i = 0; i < n; i++)
		s->blocks[i] = catalogue_block_ref(sources[i]);
	return s;
}

struct merged_block *merged_block_new(const struct merged_block_env *env, const char *dir,
	const struct ulid *ulid, int64_t min_time, int64_t max_time, struct catalogue_block *const *sources,
	size_t n)
{
	struct merged_block *b = merged_block_of_disk(env, dir, ulid, min_time, max_time);
	b->sources = source_set_new(sources, n);
	b->sources->is_listed = true;
	return b;
}

void merged_block_learn_sources(struct merged_block *b, struct catalogue_block *const *sources, size_t n)
{
	pthread_mutex_lock(&b->lock);
	if (!b->sources || !b->sources->is_listed) {
		struct source_set *s = source_set_new(sources, n);
		s->is_listed = true;
		s->before = b->sources;
		b->sources = s;
	}
	pthread_mutex_unlock(&b->lock);
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
	vec_fini(&k->loose);
	vec_fini(&k->todo);
	vec_fini(&k->late);
	vec_fini(&k->announced);
	vec_fini(&k->later);
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
	metric_runs_close(h->runs);
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
	while (b->sources) {
		struct source_set *s = b->sources;
		b->sources = s->before;
		for (size_t i = 0; i < s->n; i++)
			catalogue_block_unref(s->blocks[i]);
		free(s);
	}
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

static int read_block_json(const struct merged_block *b, struct buf *out, struct err *e)
{
	auto_free char *path = merged_block_path(b, "block.json");
	return file_read(path, JSON_STATE_MAX_BYTES, out, e);
}

/* `text`: of block.json, where it was read already; else NULL. */
static int load_sources_locked(struct merged_block *b, const struct buf *text, struct err *e)
{
	auto_buf struct buf own = { 0 };
	struct source_list list = { 0 };
	int r = 0;
	if (b->sources)
		return 0;
	if (!text) {
		r = read_block_json(b, &own, e);
		text = &own;
	}
	if (r == 0)
		r = block_state_sources("block.json", text->data, text->len, &list, e);
	if (r == 0)
		b->sources = source_set_new(list.blocks.data, list.blocks.len);
	source_list_fini(&list);
	return r;
}

size_t merged_block_sources(struct merged_block *b, struct catalogue_block *const **sources)
{
	struct err e;
	pthread_mutex_lock(&b->lock);
	int r = load_sources_locked(b, NULL, &e);
	const struct source_set *s = b->sources;
	pthread_mutex_unlock(&b->lock);
	if (r < 0)
		log_warn(
			"the sources of a merged block are not known", KV("block", b->dir), KV("err", e.msg));
	*sources = s ? s->blocks : NULL;
	return s ? s->n : 0;
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
	struct catalogue_block *const *list;
	size_t n = merged_block_sources(b, &list);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_u8(out, sources ? ',' : '\n');
		if (sources)
			buf_add_str(out, list[i]->ulid);
		else
			add_labels_text(&list[i]->meta->thanos.labels, out);
	}
	return 0;
}

char *merged_block_path(const struct merged_block *b, const char *name)
{
	return xasprintf("%s/%s", b->dir, name);
}

static int size_of(const struct merged_block *b, const char *name, uint64_t *out, struct err *e)
{
	auto_free char *path = merged_block_path(b, name);
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
			       : b->sources->blocks[s->source]->segment_bytes[s->segment];
}

/* Prometheus refuses a whole directory of blocks over one bad meta.json. */
static int check_meta(const struct merged_block *b, struct err *e)
{
	auto_buf struct buf text = { 0 };
	auto_of(block_meta) struct block_meta *m = NULL;
	auto_free char *path = merged_block_path(b, "meta.json");
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
	auto_free char *map_path = merged_block_path(b, "slots");
	auto_of(slot_map) struct slot_map *map = NULL;
	uint64_t meta_bytes = 0, index_bytes = 0, tombstones_bytes = 0;
	int r = read_block_json(b, &text, e);
	if (r < 0 || (r = load_sources_locked(b, &text, e)) < 0 ||
		(r = size_of(b, "meta.json", &meta_bytes, e)) < 0 ||
		(r = size_of(b, "index", &index_bytes, e)) < 0 ||
		(r = size_of(b, "tombstones", &tombstones_bytes, e)) < 0)
		return r;
	if ((r = block_state_parse(
		     "block.json", text.data, text.len, b->sources->blocks, b->sources->n, &b->state, e)) < 0)
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
	auto_free char *map_path = merged_block_path(b, "slots"), *index_path = merged_block_path(b, "index");
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
	h->chunks = source_chunks_new(b->env->bucket, b->sources->blocks, b->sources->n);
	h->n_made = h->map ? slot_map_segments(h->map) : 0;
	h->made = xcalloc(h->n_made + 1, sizeof *h->made);
	b->holdings = h;
	return 0;
}

/* The holdings, which stay until given back. */
int merged_block_acquire(struct merged_block *b, struct holdings **out, struct err *e)
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

void merged_block_give_back(struct merged_block *b)
{
	pthread_mutex_lock(&b->lock);
	b->readers--;
	pthread_mutex_unlock(&b->lock);
}

struct metric_runs *merged_block_runs(struct merged_block *b, struct holdings *h)
{
	struct metric_runs *runs = h->runs, *none = NULL;
	if (runs || h->runs_missing)
		return runs;
	auto_free char *path = merged_block_path(b, "runs");
	struct err e;
	int r = file_exists(path) ? metric_runs_open(path, &runs, &e) : -ENOENT;
	if (r < 0) {
		h->runs_missing = true;
		if (r != -ENOENT)
			log_warn("chunks of this block are not read ahead", KV("err", e.msg));
		return NULL;
	}
	if (atomic_compare_exchange_strong(&h->runs, &none, runs))
		return runs;
	metric_runs_close(runs); /* another thread was faster */
	return none;
}

void merged_block_file_opened(struct merged_block *b, size_t file)
{
	struct holdings *h = NULL;
	struct err e;
	if (merged_block_acquire(b, &h, &e) < 0) {
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
	merged_block_give_back(b);
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
	static struct complaint unsaved = COMPLAINT_INIT;
	struct err e;
	struct made_slots **made;
	uint32_t n = snapshot_made(b, &made);
	for (uint32_t i = 0; i < n; i++) {
		int r = made[i] ? made_slots_save(made[i], &e) : 0;
		if (r < 0)
			complain(&unsaved, LOG_LEVEL_WARN, "made slots can't be saved", -r, KV("err", e.msg));
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
		auto_free char *path = merged_block_path(b, name);
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
	auto_free char *path = merged_block_path(b, name);
	made_slots_clear(path);
}
