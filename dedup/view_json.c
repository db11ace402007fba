/* SPDX-License-Identifier: Apache-2.0 */
/* What .thanosfs/blocks.json and status.json tell of a view. */
#include "dedup/block_state.h"
#include "dedup/view_private.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"

static void write_ulid(struct json_writer *w, const char *key, const struct ulid *u)
{
	char id[ULID_CHARS + 1];
	ulid_format(u, id);
	json_write_key_str(w, key, id);
}

static void write_source(struct json_writer *w, const struct catalogue_block *s)
{
	json_write_object(w);
	json_write_key_str(w, "ulid", s->ulid);
	json_write_key_i64(w, "min_time", s->meta->min_time);
	json_write_key_i64(w, "max_time", s->meta->max_time);
	json_write_key(w, "labels");
	json_write_object(w);
	for (size_t i = 0; i < s->meta->thanos.labels.len; i++)
		json_write_key_str(
			w, s->meta->thanos.labels.data[i].name, s->meta->thanos.labels.data[i].value);
	json_write_object_end(w);
	json_write_object_end(w);
}

static void write_block(struct json_writer *w, struct merged_block *b)
{
	struct err e;
	struct catalogue_block *const *sources;
	size_t n = merged_block_sources(b, &sources);
	const struct block_state *s = merged_block_state(b, &e);
	json_write_object(w);
	write_ulid(w, "ulid", merged_block_ulid(b));
	json_write_key_i64(w, "min_time", merged_block_min_time(b));
	json_write_key_i64(w, "max_time", merged_block_max_time(b));
	if (s) {
		json_write_key_u64(w, "series", s->merge.series);
		json_write_key_u64(w, "input_series", s->merge.input_series);
		json_write_key_u64(w, "merged_series", s->merge.merged_series);
		json_write_key_u64(w, "passed_series", s->merge.passed_series);
		json_write_key_u64(w, "chunks", s->merge.chunks);
		json_write_key_u64(w, "slots", s->merge.slots);
		json_write_key_u64(w, "segments", s->merge.segments.len);
		json_write_key_u64(w, "index_bytes", s->merge.index_bytes);
		json_write_key_u64(w, "overflows", s->overrides);
	} else {
		json_write_key_str(w, "error", e.msg);
	}
	json_write_key(w, "sources");
	json_write_array(w);
	for (size_t i = 0; i < n; i++)
		write_source(w, sources[i]);
	json_write_array_end(w);
	json_write_object_end(w);
}

void view_blocks_json(struct view *v, struct buf *out)
{
	struct json_writer w;
	struct view_snapshot *s = view_snapshot(v);
	json_writer_init(&w, out, JSON_INDENT);
	json_write_object(&w);
	json_write_key_u64(&w, "generation", s->generation);
	json_write_key(&w, "blocks");
	json_write_array(&w);
	for (size_t i = 0; i < s->n; i++)
		write_block(&w, s->blocks[i]);
	json_write_array_end(&w);
	json_write_object_end(&w);
	buf_add_u8(out, '\n');
	view_snapshot_unref(s);
}

static void write_skipped(void *arg, const struct ulid *block, const char *reason, const char *detail)
{
	struct json_writer *w = arg;
	json_write_object(w);
	write_ulid(w, "ulid", block);
	json_write_key_str(w, "reason", reason);
	json_write_key_str(w, "detail", detail ? detail : "");
	json_write_object_end(w);
}

void view_status_json(struct view *v, struct buf *out)
{
	struct json_writer w;
	struct view_snapshot *s = view_snapshot(v);
	json_writer_init(&w, out, 0);
	json_write_object(&w);
	json_write_key_str(&w, "bucket", v->bucket->name);
	json_write_key_str(&w, "deduplication_func", dedup_func_names[v->options.dedup.func]);
	json_write_key(&w, "replica_labels");
	json_write_array(&w);
	for (size_t i = 0; i < v->options.dedup.n_replica_labels; i++)
		json_write_str(&w, v->options.dedup.replica_labels[i]);
	json_write_array_end(&w);
	json_write_key_u64(&w, "generation", s->generation);
	json_write_key_u64(&w, "blocks", s->n);

	pthread_mutex_lock(&v->lock);
	json_write_key_u64(&w, "retired_blocks", v->retired.len);
	json_write_key(&w, "last_sync");
	json_write_object(&w);
	json_write_key_u64(&w, "number", v->syncs);
	json_write_key_i64(&w, "unix_ms", v->last_sync_ms);
	json_write_key(&w, "seconds");
	json_write_double(&w, (double)v->last_sync_us / 1e6);
	json_write_key_str(&w, "error", v->last_failed ? v->last_error.msg : "");
	json_write_object_end(&w);
	pthread_mutex_unlock(&v->lock);

	json_write_key(&w, "skipped");
	json_write_array(&w);
	catalogue_skipped(v->catalogue, write_skipped, &w);
	json_write_array_end(&w);
	json_write_object_end(&w);
	view_snapshot_unref(s);
}
