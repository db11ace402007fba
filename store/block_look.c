/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at one block. Its files never change once meta.json, which is uploaded last, is there; so a
 * complete block is only asked for what can still happen to it: a mark, or its removal.
 */
#include "store/block_look.h"

#include "lib/base/log.h"
#include "store/marks.h"

#include <errno.h>
#include <stdio.h>

void block_meta_slim(struct block_meta *m)
{
	vec_each (name, &m->thanos.segment_files)
		free(*name);
	vec_fini(&m->thanos.segment_files);
	vec_each (file, &m->thanos.files)
		free(file->rel_path);
	vec_fini(&m->thanos.files);
	free(m->thanos.extensions_json);
	m->thanos.extensions_json = NULL;
}

void block_look_fini(struct block_look *look)
{
	block_scan_fini(&look->scan);
	free(look->detail);
}

static void leave_out(struct block_look *look, enum block_skip skip, const char *detail)
{
	free(look->detail);
	look->skip = skip;
	look->detail = xstrdup(detail);
}

struct scan_listing {
	struct block_scan *scan;
	size_t dir_len; /* of "ULID/" */
};

static int scan_object(void *arg, const struct object_info *o)
{
	struct scan_listing *l = arg;
	block_scan_add(l->scan, o->name + l->dir_len, o->size);
	return 0;
}

/* Lists the block's directory, and for a block that isn't known its segments too, with their sizes. */
static int list_files(
	struct bucket *bucket, const char *id, bool is_known, struct block_scan *scan, struct err *e)
{
	struct scan_listing l = { .scan = scan, .dir_len = ULID_CHARS + 1 };
	char dir[ULID_CHARS + sizeof "//chunks"];
	snprintf(dir, sizeof dir, "%s/", id);
	int r = bucket_list(bucket, dir, false, !is_known, scan_object, &l, e);
	if (r < 0 || is_known || !scan->has_meta)
		return r;
	snprintf(dir, sizeof dir, "%s/chunks/", id);
	return bucket_list(bucket, dir, false, true, scan_object, &l, e);
}

/* `bytes`: as listed; 0: the listing has no sizes. */
static int get_file(struct bucket *bucket, const char *id, const char *file, uint64_t bytes, size_t max_bytes,
	struct buf *out, struct err *e)
{
	char name[ULID_CHARS + 64];
	snprintf(name, sizeof name, "%s/%s", id, file);
	return bucket_get_sized(bucket, name, bytes ? bytes : BUCKET_SIZE_UNKNOWN, max_bytes, out, e);
}

/* A file that meta.json lists must be there, and not cut short. */
static int check_listed_file(const struct block_scan *scan, const char *path, uint64_t bytes, struct err *e)
{
	uint64_t real;
	if (strcmp(path, "index") != 0 && strncmp(path, "chunks/", 7) != 0)
		return 0;
	if (!block_scan_size(scan, path, &real))
		return err_set(e, -EBADMSG, "%.64s is missing, though meta.json lists it", path);
	if (real < bytes)
		return err_set(e, -EBADMSG, "%.64s has %llu bytes, meta.json says %llu", path,
			(unsigned long long)real, (unsigned long long)bytes);
	return 0;
}

static enum block_skip check_files(struct block_scan *scan, const struct block_meta *m, struct err *e)
{
	if (!scan->has_index) {
		err_set(e, -EBADMSG, "index is missing");
		return BLOCK_MISSING_INDEX;
	}
	if (block_scan_check_segments(scan, e) < 0)
		return BLOCK_MISSING_SEGMENT;
	if (scan->segments.len == 0 && m->stats.chunks > 0) {
		err_set(e, -EBADMSG, "there are no segments, though meta.json counts %llu chunks",
			(unsigned long long)m->stats.chunks);
		return BLOCK_MISSING_SEGMENT;
	}
	vec_each (file, &m->thanos.files)
		if (check_listed_file(scan, file->rel_path, file->size_bytes, e) < 0)
			return strcmp(file->rel_path, "index") ? BLOCK_MISSING_SEGMENT : BLOCK_MISSING_INDEX;
	vec_each (name, &m->thanos.segment_files) {
		char path[sizeof "chunks/" + 64];
		snprintf(path, sizeof path, "chunks/%.64s", *name);
		if (check_listed_file(scan, path, 0, e) < 0)
			return BLOCK_MISSING_SEGMENT;
	}
	return BLOCK_KEPT;
}

static struct catalogue_block *block_of(const struct block_scan *scan, struct block_meta *m)
{
	unsigned n = (unsigned)scan->segments.len;
	uint64_t *segment_bytes = xmalloc((n + 1) * sizeof *segment_bytes);
	for (unsigned i = 0; i < n; i++)
		segment_bytes[i] = scan->segments.data[i].bytes;
	block_meta_slim(m);
	return catalogue_block_new(m, scan->index_bytes, segment_bytes, n, scan->has_tombstones);
}

/* Fetches meta.json and holds it against the files that are there. */
static void meet(struct bucket *bucket, const char *id, struct block_known *known, struct block_look *look)
{
	struct err e = { .msg = "" };
	auto_buf struct buf json = { 0 };
	auto_of(block_meta) struct block_meta *m = NULL;
	int r = get_file(bucket, id, "meta.json", look->scan.meta_bytes, META_JSON_MAX_BYTES, &json, &e);
	if (r == -ENOENT) {
		leave_out(look, BLOCK_PARTIAL, "meta.json is missing");
		return;
	}
	if (r < 0 && r != -EFBIG) {
		leave_out(look, BLOCK_UNREADABLE, e.msg);
		return;
	}
	if (r == 0)
		r = block_meta_parse(buf_str(&json), json.len, &m, &e);
	if (r == 0 && ulid_cmp(&m->ulid, &look->scan.ulid) != 0) {
		char other[ULID_CHARS + 1];
		ulid_format(&m->ulid, other);
		r = err_set(&e, -EBADMSG, "meta.json is of the block %s", other);
	}
	if (r < 0) {
		leave_out(look, BLOCK_CORRUPT_META, e.msg);
		return;
	}
	enum block_skip skip = check_files(&look->scan, m, &e);
	if (skip != BLOCK_KEPT)
		leave_out(look, skip, e.msg);
	else
		known->block = block_of(&look->scan, take(m));
}

/* Marks are never overwritten: one that was read isn't read again. One that can't be read counts as none. */
static void read_mark(
	struct bucket *bucket, const char *id, struct block_known *known, const struct block_scan *scan)
{
	const char *file = mark_file_name(MARK_DELETION);
	if (!scan->has_deletion_mark) {
		known->has_mark = known->has_bad_mark = false;
		return;
	}
	if (known->has_mark)
		return;
	struct err e;
	auto_buf struct buf json = { 0 };
	auto_of(mark) struct mark *m = NULL;
	int r = get_file(bucket, id, file, scan->mark_bytes, MARK_MAX_BYTES, &json, &e);
	if (r == -ENOENT)
		return;
	if (r == 0)
		r = mark_parse(file, MARK_DELETION, buf_str(&json), json.len, &m, &e);
	if (r < 0) {
		if (!known->has_bad_mark)
			log_warn("mark can't be read, going on as if it weren't there", KV("block", id),
				KV("file", file), KV("error", e.msg));
		known->has_bad_mark = true;
		return;
	}
	known->has_mark = true;
	known->has_bad_mark = false;
	if (__builtin_mul_overflow(m->time_s, 1000, &known->mark_time_ms))
		known->mark_time_ms = m->time_s < 0 ? INT64_MIN : INT64_MAX;
}

void block_look(struct bucket *bucket, struct block_known *known, struct block_look *look)
{
	struct err e;
	char id[ULID_CHARS + 1];
	ulid_format(&look->scan.ulid, id);
	look->skip = BLOCK_KEPT;
	if (!bucket->flat_listing && list_files(bucket, id, known->block != NULL, &look->scan, &e) < 0) {
		if (!known->block) /* a known one is as it was, for all we can tell */
			leave_out(look, BLOCK_UNREADABLE, e.msg);
		return;
	}
	if (!look->scan.has_any) {
		look->is_absent = true;
		return;
	}
	if (!look->scan.has_meta) {
		leave_out(look, BLOCK_PARTIAL, "meta.json is missing");
		return;
	}
	if (!known->block)
		meet(bucket, id, known, look);
	else if (!look->scan.has_index)
		leave_out(look, BLOCK_MISSING_INDEX, "index is missing");
	read_mark(bucket, id, known, &look->scan);
}
