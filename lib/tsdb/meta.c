/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta.json, read strictly where a wrong value would mislead (times, ids, labels, sizes) and leniently in
 * what it may leave out: Prometheus itself only needs version, ulid and the times.
 */
#include "lib/tsdb/meta.h"

#include "lib/base/duration.h"
#include "lib/base/json.h"

#include <errno.h>
#include <limits.h>

void block_meta_free(struct block_meta *m)
{
	if (!m)
		return;
	vec_fini(&m->compaction.sources);
	vec_fini(&m->compaction.parents);
	vec_each (h, &m->compaction.hints)
		free(*h);
	vec_fini(&m->compaction.hints);
	labels_fini(&m->thanos.labels);
	free(m->thanos.source);
	vec_each (s, &m->thanos.segment_files)
		free(*s);
	vec_fini(&m->thanos.segment_files);
	vec_each (f, &m->thanos.files)
		free(f->rel_path);
	vec_fini(&m->thanos.files);
	free(m->thanos.extensions_json);
	free(m);
}

static int read_ulid(const struct json_at *at, struct ulid *out, struct err *e)
{
	const char *text;
	int r = json_read_str(at, &text, e);
	if (r < 0)
		return r;
	return ulid_parse(text, out) ? 0 : json_fail(at, e, -EBADMSG, "is no ULID: \"%.40s\"", text);
}

/* A member that must be there. */
static int need(const struct json_at *object, const char *key, struct json_at *out, struct err *e)
{
	int r = json_get(object, key, out, e);
	return r ? r : json_fail(object, e, -EBADMSG, "has no \"%s\"", key);
}

static int read_times(const struct json_at *object, int64_t *min, int64_t *max, struct err *e)
{
	int r = json_get_i64(object, "minTime", INT64_MIN, INT64_MAX, min, e);
	if (r >= 0)
		r = json_get_i64(object, "maxTime", INT64_MIN, INT64_MAX, max, e);
	if (r >= 0 && *min > *max)
		r = json_fail(object, e, -EBADMSG, "has minTime %lld behind maxTime %lld", (long long)*min,
			(long long)*max);
	return r < 0 ? r : 0;
}

static int read_version(const struct json_at *object, struct err *e)
{
	int64_t version = 1;
	int r = json_get_i64(object, "version", INT64_MIN, INT64_MAX, &version, e);
	if (r < 0)
		return r;
	return version == 1 ? 0
			    : json_fail(object, e, -EBADMSG, "has version %lld, only 1 is known",
				      (long long)version);
}

static int read_stats(struct block_meta *m, const struct json_at *root, struct err *e)
{
	struct json_at stats;
	const struct {
		const char *key;
		uint64_t *to;
	} fields[] = {
		{ "numSamples", &m->stats.samples },
		{ "numFloatSamples", &m->stats.float_samples },
		{ "numHistogramSamples", &m->stats.histogram_samples },
		{ "numSeries", &m->stats.series },
		{ "numChunks", &m->stats.chunks },
		{ "numTombstones", &m->stats.tombstones },
	};
	int r = json_get_object(root, "stats", &stats, e);
	for (size_t i = 0; r > 0 && i < ARRAY_LEN(fields); i++) {
		int64_t v = 0;
		int got = json_get_i64(&stats, fields[i].key, 0, INT64_MAX, &v, e);
		if (got < 0)
			return got;
		*fields[i].to = (uint64_t)v;
	}
	return r < 0 ? r : 0;
}

static int read_parents(struct block_meta *m, const struct json_at *compaction, struct err *e)
{
	struct json_at list;
	size_t n = 0;
	int r = json_get_array(compaction, "parents", &list, &n, e);
	for (size_t i = 0; r > 0 && i < n; i++) {
		struct json_at item = json_item(&list, i), ulid;
		struct meta_parent p = { 0 };
		int got = need(&item, "ulid", &ulid, e);
		if (got > 0)
			got = read_ulid(&ulid, &p.ulid, e);
		if (got >= 0)
			got = read_times(&item, &p.min_time, &p.max_time, e);
		if (got < 0)
			return got;
		vec_push(&m->compaction.parents, p);
	}
	return r < 0 ? r : 0;
}

static int read_compaction(struct block_meta *m, const struct json_at *root, struct err *e)
{
	struct json_at c, list;
	int64_t level = 0;
	size_t n = 0;
	int r = json_get_object(root, "compaction", &c, e);
	if (r <= 0)
		return r;
	if ((r = json_get_i64(&c, "level", 0, INT_MAX, &level, e)) < 0 ||
		(r = json_get_bool(&c, "deletable", &m->compaction.deletable, e)) < 0 ||
		(r = json_get_bool(&c, "failed", &m->compaction.failed, e)) < 0)
		return r;
	m->compaction.level = (int)level;
	r = json_get_array(&c, "sources", &list, &n, e);
	for (size_t i = 0; r > 0 && i < n; i++) {
		struct json_at item = json_item(&list, i);
		struct ulid u;
		int got = read_ulid(&item, &u, e);
		if (got < 0)
			return got;
		vec_push(&m->compaction.sources, u);
	}
	if (r >= 0)
		r = json_get_array(&c, "hints", &list, &n, e);
	for (size_t i = 0; r > 0 && i < n; i++) {
		struct json_at item = json_item(&list, i);
		const char *hint;
		int got = json_read_str(&item, &hint, e);
		if (got < 0)
			return got;
		vec_push(&m->compaction.hints, xstrdup(hint));
	}
	return r < 0 ? r : read_parents(m, &c, e);
}

static int read_labels(struct block_meta *m, const struct json_at *thanos, struct err *e)
{
	struct json_at object, member;
	void *iter = NULL;
	int r = json_get_object(thanos, "labels", &object, e);
	while (r > 0 && json_each(&object, &iter, &member)) {
		const char *value;
		int got = json_read_str(&member, &value, e);
		if (got < 0)
			return got;
		if (!*member.key)
			return json_fail(&object, e, -EBADMSG, "has a label without a name");
		labels_set(&m->thanos.labels, member.key, value);
	}
	return r < 0 ? r : 0;
}

static int read_files(struct block_meta *m, const struct json_at *thanos, struct err *e)
{
	struct json_at list;
	size_t n = 0;
	int r = json_get_array(thanos, "segment_files", &list, &n, e);
	for (size_t i = 0; r > 0 && i < n; i++) {
		struct json_at item = json_item(&list, i);
		const char *name;
		int got = json_read_str(&item, &name, e);
		if (got < 0)
			return got;
		vec_push(&m->thanos.segment_files, xstrdup(name));
	}
	if (r >= 0)
		r = json_get_array(thanos, "files", &list, &n, e);
	for (size_t i = 0; r > 0 && i < n; i++) {
		struct json_at item = json_item(&list, i), at;
		const char *path;
		int64_t size = 0;
		int got = need(&item, "rel_path", &at, e);
		if (got > 0)
			got = json_read_str(&at, &path, e);
		if (got >= 0)
			got = json_get_i64(&item, "size_bytes", 0, INT64_MAX, &size, e);
		if (got < 0)
			return got;
		vec_push(&m->thanos.files,
			(struct meta_file){ .rel_path = xstrdup(path), .size_bytes = (uint64_t)size });
	}
	return r < 0 ? r : 0;
}

static int read_upload_time(struct block_meta *m, const struct json_at *thanos, struct err *e)
{
	struct json_at at;
	const char *text;
	struct err why;
	int r = json_get(thanos, "upload_time", &at, e);
	if (r > 0)
		r = json_read_str(&at, &text, e);
	else
		return r;
	if (r == 0 && time_parse(text, &m->thanos.upload_time_ms, &why) < 0)
		return json_fail(&at, e, -EBADMSG, "is no time: %s", why.msg);
	if (m->thanos.upload_time_ms < 0)
		m->thanos.upload_time_ms = 0; /* Go's zero time is in the year 1 */
	return r;
}

static int read_thanos(struct block_meta *m, const struct json_at *root, struct err *e)
{
	struct json_at t, downsample, extensions;
	const char *source = NULL;
	int r = json_get_object(root, "thanos", &t, e);
	if (r <= 0)
		return r;
	m->thanos.present = true;
	if ((r = read_version(&t, e)) < 0 || (r = read_labels(m, &t, e)) < 0 ||
		(r = read_files(m, &t, e)) < 0 || (r = read_upload_time(m, &t, e)) < 0 ||
		(r = json_get_str(&t, "source", &source, e)) < 0)
		return r;
	if (source)
		m->thanos.source = xstrdup(source);
	r = json_get_object(&t, "downsample", &downsample, e);
	if (r > 0)
		r = json_get_i64(&downsample, "resolution", 0, INT64_MAX, &m->thanos.resolution_ms, e);
	if (r >= 0)
		r = json_get(&t, "extensions", &extensions, e);
	if (r > 0) {
		auto_buf struct buf text = { 0 };
		json_text(&extensions, &text);
		m->thanos.extensions_json = xstrdup(buf_str(&text));
	}
	return r < 0 ? r : 0;
}

static int read_meta(struct block_meta *m, const struct json_at *root, struct err *e)
{
	struct json_at ulid;
	if (!json_at_is_object(root))
		return json_fail(root, e, -EBADMSG, "is no JSON object");
	int r = read_version(root, e);
	if (r == 0)
		r = need(root, "ulid", &ulid, e);
	if (r > 0)
		r = read_ulid(&ulid, &m->ulid, e);
	if (r == 0)
		r = read_times(root, &m->min_time, &m->max_time, e);
	if (r == 0)
		r = read_stats(m, root, e);
	if (r == 0)
		r = read_compaction(m, root, e);
	return r < 0 ? r : read_thanos(m, root, e);
}

int block_meta_parse(const void *json, size_t n, struct block_meta **out, struct err *e)
{
	if (n > META_JSON_MAX_BYTES)
		return err_set(e, -EBADMSG, "meta.json has %zu bytes, at most %u are allowed", n,
			META_JSON_MAX_BYTES);
	auto_of(json_doc) struct json_doc *doc = NULL;
	int r = json_doc_parse("meta.json", json, n, &doc, e);
	if (r < 0)
		return r;
	auto_of(block_meta) struct block_meta *m = xcalloc(1, sizeof *m);
	struct json_at root = json_root(doc);
	r = read_meta(m, &root, e);
	if (r < 0)
		return r;
	*out = take(m);
	return 0;
}

static void write_ulid(struct json_writer *w, const struct ulid *u)
{
	char text[ULID_CHARS + 1];
	ulid_format(u, text);
	json_write_str(w, text);
}

/* Go's omitempty */
static void write_count(struct json_writer *w, const char *key, uint64_t v)
{
	if (v)
		json_write_key_u64(w, key, v);
}

static void write_head(struct json_writer *w, const struct block_meta *m)
{
	json_write_key(w, "ulid");
	write_ulid(w, &m->ulid);
	json_write_key_i64(w, "minTime", m->min_time);
	json_write_key_i64(w, "maxTime", m->max_time);
	json_write_key(w, "stats");
	json_write_object(w);
	write_count(w, "numSamples", m->stats.samples);
	write_count(w, "numFloatSamples", m->stats.float_samples);
	write_count(w, "numHistogramSamples", m->stats.histogram_samples);
	write_count(w, "numSeries", m->stats.series);
	write_count(w, "numChunks", m->stats.chunks);
	write_count(w, "numTombstones", m->stats.tombstones);
	json_write_object_end(w);
}

static void write_compaction(struct json_writer *w, const struct block_meta *m)
{
	json_write_key(w, "compaction");
	json_write_object(w);
	json_write_key_i64(w, "level", m->compaction.level);
	if (m->compaction.sources.len) {
		json_write_key(w, "sources");
		json_write_array(w);
		vec_each (u, &m->compaction.sources)
			write_ulid(w, u);
		json_write_array_end(w);
	}
	if (m->compaction.deletable)
		json_write_key_bool(w, "deletable", true);
	if (m->compaction.parents.len) {
		json_write_key(w, "parents");
		json_write_array(w);
		vec_each (p, &m->compaction.parents) {
			json_write_object(w);
			json_write_key(w, "ulid");
			write_ulid(w, &p->ulid);
			json_write_key_i64(w, "minTime", p->min_time);
			json_write_key_i64(w, "maxTime", p->max_time);
			json_write_object_end(w);
		}
		json_write_array_end(w);
	}
	if (m->compaction.failed)
		json_write_key_bool(w, "failed", true);
	if (m->compaction.hints.len) {
		json_write_key(w, "hints");
		json_write_array(w);
		vec_each (h, &m->compaction.hints)
			json_write_str(w, *h);
		json_write_array_end(w);
	}
	json_write_object_end(w);
}

static void write_files(struct json_writer *w, const struct block_meta *m)
{
	if (m->thanos.segment_files.len) {
		json_write_key(w, "segment_files");
		json_write_array(w);
		vec_each (s, &m->thanos.segment_files)
			json_write_str(w, *s);
		json_write_array_end(w);
	}
	if (m->thanos.files.len) {
		json_write_key(w, "files");
		json_write_array(w);
		vec_each (f, &m->thanos.files) {
			json_write_object(w);
			json_write_key_str(w, "rel_path", f->rel_path);
			write_count(w, "size_bytes", f->size_bytes);
			json_write_object_end(w);
		}
		json_write_array_end(w);
	}
}

/* The value at `at` again, so that it is indented like the rest. */
static void write_value(struct json_writer *w, const struct json_at *at)
{
	if (json_at_is_object(at)) {
		struct json_at member;
		void *iter = NULL;
		json_write_object(w);
		while (json_each(at, &iter, &member)) {
			json_write_key(w, member.key);
			write_value(w, &member);
		}
		json_write_object_end(w);
	} else if (json_at_is_array(at)) {
		json_write_array(w);
		for (size_t i = 0; json_item(at, i).node; i++) {
			struct json_at item = json_item(at, i);
			write_value(w, &item);
		}
		json_write_array_end(w);
	} else {
		auto_buf struct buf text = { 0 };
		json_text(at, &text);
		json_write_raw(w, (const char *)text.data, text.len);
	}
}

static void write_extensions(struct json_writer *w, const char *text)
{
	auto_of(json_doc) struct json_doc *doc = NULL;
	if (json_doc_parse("extensions", text, strlen(text), &doc, NULL) < 0)
		return;
	struct json_at root = json_root(doc);
	json_write_key(w, "extensions");
	write_value(w, &root);
}

static void write_thanos(struct json_writer *w, const struct block_meta *m)
{
	char time[DURATION_CHARS];
	json_write_key(w, "thanos");
	json_write_object(w);
	json_write_key_i64(w, "version", 1);
	json_write_key(w, "labels");
	json_write_object(w);
	vec_each (l, &m->thanos.labels)
		json_write_key_str(w, l->name, l->value);
	json_write_object_end(w);
	json_write_key(w, "downsample");
	json_write_object(w);
	json_write_key_i64(w, "resolution", m->thanos.resolution_ms);
	json_write_object_end(w);
	json_write_key_str(w, "source", m->thanos.source ? m->thanos.source : "");
	write_files(w, m);
	json_write_key(w, "index_stats");
	json_write_object(w);
	json_write_object_end(w);
	if (m->thanos.extensions_json)
		write_extensions(w, m->thanos.extensions_json);
	json_write_key_str(w, "upload_time",
		m->thanos.upload_time_ms ? time_format(m->thanos.upload_time_ms, time)
					 : "0001-01-01T00:00:00Z");
	json_write_object_end(w);
}

void block_meta_write(const struct block_meta *m, struct buf *out)
{
	struct json_writer w;
	json_writer_init(&w, out, JSON_INDENT | JSON_HTML);
	json_write_object(&w);
	write_head(&w, m);
	write_compaction(&w, m);
	json_write_key_i64(&w, "version", 1);
	if (m->thanos.present)
		write_thanos(&w, m);
	json_write_object_end(&w);
	buf_add_u8(out, '\n');
}
