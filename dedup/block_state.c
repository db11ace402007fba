/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/block_state.h"

#include "lib/base/crc32c.h"
#include "lib/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define VERSION      2
#define MAX_SEGMENTS 1000000

static const struct {
	const char *key;
	size_t offset;
} counts[] = {
	{ "series", offsetof(struct block_state, merge.series) },
	{ "merged_series", offsetof(struct block_state, merge.merged_series) },
	{ "passed_series", offsetof(struct block_state, merge.passed_series) },
	{ "input_series", offsetof(struct block_state, merge.input_series) },
	{ "chunks", offsetof(struct block_state, merge.chunks) },
	{ "slots", offsetof(struct block_state, merge.slots) },
	{ "index_bytes", offsetof(struct block_state, merge.index_bytes) },
	{ "overrides", offsetof(struct block_state, overrides) },
};

/*
 * The file starts with the checksum of its text, in which the checksum itself counts as zeros: a number that a bad
 * disk changed would make other blocks' bytes out of it, and JSON would not notice.
 */
#define CHECKSUM_START  "{\n\t\"crc32c\": \""
#define CHECKSUM_ZEROS  "00000000"
#define CHECKSUM_AT     (sizeof CHECKSUM_START - 1)
#define CHECKSUM_DIGITS (sizeof CHECKSUM_ZEROS - 1)

static void format_checksum(const void *text, size_t n, char out[CHECKSUM_DIGITS + 1])
{
	const char *p = text;
	uint32_t crc = crc32c(0, p, CHECKSUM_AT);
	crc = crc32c(crc, CHECKSUM_ZEROS, CHECKSUM_DIGITS);
	crc = crc32c(crc, p + CHECKSUM_AT + CHECKSUM_DIGITS, n - CHECKSUM_AT - CHECKSUM_DIGITS);
	snprintf(out, CHECKSUM_DIGITS + 1, "%08" PRIx32, crc);
}

static int parse(const char *name, const void *text, size_t n, struct json_doc **out, struct err *e)
{
	char checksum[CHECKSUM_DIGITS + 1];
	if (n < CHECKSUM_AT + CHECKSUM_DIGITS || memcmp(text, CHECKSUM_START, CHECKSUM_AT) != 0)
		return err_set(e, -EBADMSG, "%s does not start with its checksum", name);
	format_checksum(text, n, checksum);
	if (memcmp((const char *)text + CHECKSUM_AT, checksum, CHECKSUM_DIGITS) != 0)
		return err_set(e, -EBADMSG, "%s is damaged: its checksum is %s", name, checksum);
	return json_doc_parse(name, text, n, out, e);
}

static void write_source(struct json_writer *w, const struct catalogue_block *b)
{
	json_write_object(w);
	json_write_key_str(w, "ulid", b->ulid);
	json_write_key_bool(w, "tombstones", b->has_tombstones);
	json_write_key(w, "segment_bytes");
	json_write_array(w);
	for (unsigned i = 0; i < b->n_segments; i++)
		json_write_u64(w, b->segment_bytes[i]);
	json_write_array_end(w);
	json_write_object_end(w);
}

void block_state_write(const struct block_state *s, struct catalogue_block *const *sources, size_t n_sources,
	struct buf *out)
{
	struct json_writer w;
	size_t start = out->len;
	char checksum[CHECKSUM_DIGITS + 1];
	json_writer_init(&w, out, JSON_INDENT);
	json_write_object(&w);
	json_write_key_str(&w, "crc32c", CHECKSUM_ZEROS);
	json_write_key_u64(&w, "version", VERSION);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		json_write_key_u64(
			&w, counts[i].key, *(const uint64_t *)((const char *)s + counts[i].offset));
	json_write_key(&w, "sources");
	json_write_array(&w);
	for (size_t i = 0; i < n_sources; i++)
		write_source(&w, sources[i]);
	json_write_array_end(&w);
	json_write_key(&w, "segments");
	json_write_array(&w);
	vec_each (seg, &s->merge.segments) {
		json_write_object(&w);
		if (!seg->is_synthetic)
			json_write_key_u64(&w, "source", seg->source);
		json_write_key_u64(&w, "segment", seg->segment);
		json_write_object_end(&w);
	}
	json_write_array_end(&w);
	json_write_object_end(&w);
	buf_add_u8(out, '\n');
	format_checksum(out->data + start, out->len - start, checksum);
	memcpy(out->data + start + CHECKSUM_AT, checksum, CHECKSUM_DIGITS);
}

static int read_segment(const struct json_at *at, struct catalogue_block *const *sources, size_t n_sources,
	struct merged_segment_ref *out, struct err *e)
{
	int64_t source = 0, segment = 0;
	int has_source = json_get_i64(at, "source", 0, (int64_t)n_sources - 1, &source, e);
	int r = has_source < 0 ? has_source : json_get_i64(at, "segment", 0, MAX_SEGMENTS, &segment, e);
	if (r < 0)
		return r;
	if (has_source && segment >= sources[source]->n_segments)
		return json_fail(at, e, -EBADMSG, "names segment %lld of a block with %u", (long long)segment,
			sources[source]->n_segments);
	*out = (struct merged_segment_ref){
		.is_synthetic = !has_source, .source = (uint16_t)source, .segment = (uint32_t)segment
	};
	return 0;
}

int block_state_parse(const char *name, const void *text, size_t n, struct catalogue_block *const *sources,
	size_t n_sources, struct block_state *out, struct err *e)
{
	auto_of(json_doc) struct json_doc *doc = NULL;
	struct block_state s = { 0 };
	int64_t version = 0;
	size_t len = 0;
	int r = parse(name, text, n, &doc, e);
	if (r < 0)
		return r;
	struct json_at root = json_root(doc), list;
	if ((r = json_get_i64(&root, "version", VERSION, VERSION, &version, e)) < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		int64_t v = 0;
		if ((r = json_get_i64(&root, counts[i].key, 0, INT64_MAX, &v, e)) < 0)
			return r;
		*(uint64_t *)((char *)&s + counts[i].offset) = (uint64_t)v;
	}
	if ((r = json_get_array(&root, "segments", &list, &len, e)) < 0)
		return r;
	if (len > MAX_SEGMENTS)
		return json_fail(&list, e, -EBADMSG, "has %zu elements", len);
	for (size_t i = 0; i < len && r >= 0; i++) {
		struct json_at item = json_item(&list, i);
		r = read_segment(&item, sources, n_sources, vec_push_slot(&s.merge.segments), e);
	}
	if (r < 0) {
		block_state_fini(&s);
		return r;
	}
	*out = s;
	return 0;
}

void block_state_fini(struct block_state *s)
{
	index_merge_result_fini(&s->merge);
}

static int read_source(const struct json_at *at, struct catalogue_block **out, struct err *e)
{
	const char *id = "";
	bool tombstones = false;
	size_t n = 0;
	struct json_at list;
	struct ulid ulid;
	int r = json_get_str(at, "ulid", &id, e);
	if (r >= 0 && !ulid_parse(id, &ulid))
		return json_fail(at, e, -EBADMSG, "has no ULID");
	if (r < 0 || (r = json_get_bool(at, "tombstones", &tombstones, e)) < 0 ||
		(r = json_get_array(at, "segment_bytes", &list, &n, e)) < 0)
		return r;
	if (n > MAX_SEGMENTS)
		return json_fail(at, e, -EBADMSG, "has %zu segments", n);
	uint64_t *bytes = xcalloc(n + 1, sizeof *bytes);
	for (size_t i = 0; i < n; i++) {
		struct json_at item = json_item(&list, i);
		int64_t v = 0;
		if ((r = json_read_i64(&item, 0, INT64_MAX, &v, e)) < 0) {
			free(bytes);
			return r;
		}
		bytes[i] = (uint64_t)v;
	}
	struct block_meta *meta = xcalloc(1, sizeof *meta);
	meta->ulid = ulid;
	*out = catalogue_block_new(meta, 0, bytes, (unsigned)n, tombstones);
	return 0;
}

int block_state_sources(const char *name, const void *text, size_t n, struct source_list *out, struct err *e)
{
	auto_of(json_doc) struct json_doc *doc = NULL;
	struct json_at list;
	size_t len = 0;
	int r = parse(name, text, n, &doc, e);
	if (r < 0)
		return r;
	struct json_at root = json_root(doc);
	if ((r = json_get_array(&root, "sources", &list, &len, e)) < 0)
		return r;
	if (len > DEDUP_MAX_SOURCES)
		return json_fail(&list, e, -EBADMSG, "has %zu elements", len);
	for (size_t i = 0; i < len && r >= 0; i++) {
		struct json_at item = json_item(&list, i);
		struct catalogue_block *b = NULL;
		if ((r = read_source(&item, &b, e)) >= 0)
			vec_push(&out->blocks, b);
	}
	if (r < 0)
		source_list_fini(out);
	return r < 0 ? r : 0;
}

void source_list_fini(struct source_list *l)
{
	for (size_t i = 0; i < l->blocks.len; i++)
		catalogue_block_unref(l->blocks.data[i]);
	vec_fini(&l->blocks);
}
