/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/block_build.h"

#include "dedup/block_inputs.h"
#include "dedup/block_state.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/log.h"

#include <errno.h>
#include <stdio.h>

static void write_extensions(const struct window *w, const struct dedup_settings *settings, struct buf *out)
{
	struct json_writer j;
	json_writer_init(&j, out, 0);
	json_write_object(&j);
	json_write_key(&j, "thanosfs");
	json_write_object(&j);
	json_write_key_str(&j, "deduplication_func", dedup_func_names[settings->func]);
	json_write_key(&j, "replica_labels");
	json_write_array(&j);
	for (size_t i = 0; i < settings->n_replica_labels; i++)
		json_write_str(&j, settings->replica_labels[i]);
	json_write_array_end(&j);
	json_write_key(&j, "sources");
	json_write_array(&j);
	for (size_t i = 0; i < w->n; i++)
		json_write_str(&j, w->sources[i].block->ulid);
	json_write_array_end(&j);
	json_write_object_end(&j);
	json_write_object_end(&j);
	buf_add_u8(out, 0);
}

/* Labels that all sources agree on, the replica labels left out. */
static void shared_labels(const struct window *w, const struct dedup_settings *settings, struct labels *out)
{
	labels_copy(out, &w->sources[0].block->meta->thanos.labels);
	for (size_t i = 0; i < settings->n_replica_labels; i++)
		labels_remove(out, settings->replica_labels[i]);
	for (size_t i = 1; i < w->n; i++)
		for (size_t k = out->len; k-- > 0;) {
			const char *v =
				labels_get(&w->sources[i].block->meta->thanos.labels, out->data[k].name);
			if (!v || strcmp(v, out->data[k].value) != 0)
				labels_remove(out, out->data[k].name);
		}
}

/*
 * Samples are exact where nothing is merged. Where replicas are, no index says how many survive: the sources'
 * samples, shared out by series, are the estimate.
 */
static void fill_stats(const struct window *w, const struct index_merge_result *r, struct block_meta *m)
{
	uint64_t samples = 0, floats = 0, histograms = 0;
	for (size_t i = 0; i < w->n; i++) {
		samples += w->sources[i].block->meta->stats.samples;
		floats += w->sources[i].block->meta->stats.float_samples;
		histograms += w->sources[i].block->meta->stats.histogram_samples;
	}
	double share = r->input_series ? (double)r->series / (double)r->input_series : 1;
	m->stats.series = r->series;
	m->stats.chunks = r->chunks;
	m->stats.samples = (uint64_t)((double)samples * share);
	m->stats.float_samples = (uint64_t)((double)floats * share);
	m->stats.histogram_samples = (uint64_t)((double)histograms * share);
}

static int cmp_ulid(const void *a, const void *b)
{
	return ulid_cmp(a, b);
}

/*
 * Prometheus closes a block that is another's parent, and keeps one open for good that just disappears: so a new version
 * names all that it may have open.
 */
static void write_meta(const struct window *w, const struct dedup_settings *settings,
	const struct predecessors *before, const struct index_merge_result *r, struct buf *out)
{
	auto_of(block_meta) struct block_meta *m = xcalloc(1, sizeof *m);
	auto_buf struct buf extensions = { 0 };
	m->ulid = w->ulid;
	m->min_time = w->min_time;
	m->max_time = w->max_time;
	fill_stats(w, r, m);
	m->compaction.level = 1;
	for (size_t i = 0; i < w->n; i++) {
		const struct block_meta *s = w->sources[i].block->meta;
		m->compaction.level = MAX_OF(m->compaction.level, s->compaction.level);
		vec_each (u, &s->compaction.sources)
			vec_push(&m->compaction.sources, *u);
	}
	vec_sort(&m->compaction.sources, cmp_ulid);
	size_t kept = 0;
	for (size_t i = 0; i < m->compaction.sources.len; i++)
		if (kept == 0 ||
			ulid_cmp(&m->compaction.sources.data[kept - 1], &m->compaction.sources.data[i]) != 0)
			m->compaction.sources.data[kept++] = m->compaction.sources.data[i];
	m->compaction.sources.len = kept;
	for (size_t i = 0; i < before->list.len; i++)
		vec_push(&m->compaction.parents, before->list.data[i]);
	/* Keeps Prometheus from measuring its head against a block that ends in the future. */
	vec_push(&m->compaction.hints, xstrdup("from-out-of-order"));
	m->thanos.present = true;
	m->thanos.source = xstrdup("thanosfs");
	shared_labels(w, settings, &m->thanos.labels);
	write_extensions(w, settings, &extensions);
	m->thanos.extensions_json = xstrdup((const char *)extensions.data);
	block_meta_write(m, out);
}

static int write_files(const char *dir, const struct window *w, const struct dedup_settings *settings,
	const struct slot_overrides *overrides, const struct predecessors *before, struct block_state *state,
	struct err *e)
{
	auto_buf struct buf text = { 0 }, meta = { 0 };
	auto_free char *state_path = xasprintf("%s/block.json", dir),
		       *meta_path = xasprintf("%s/meta.json", dir);
	auto_free char *tombstones_path = xasprintf("%s/tombstones", dir);
	auto_buf struct buf tombstones = { 0 };
	VEC(struct ulid) ulids = { 0 };
	VEC(struct catalogue_block *) sources = { 0 };
	uint64_t hash;
	for (size_t i = 0; i < w->n; i++) {
		vec_push(&ulids, w->sources[i].block->meta->ulid);
		vec_push(&sources, w->sources[i].block);
	}
	state->overrides = slot_overrides_of_sources(overrides, ulids.data, ulids.len, &hash);
	vec_fini(&ulids);
	block_state_write(state, sources.data, sources.len, &text);
	vec_fini(&sources);
	tombstones_write(&(struct tombstones){ 0 }, &tombstones); /* Prometheus' snapshots want one */
	int r = file_replace(state_path, text.data, text.len, e);
	if (r == 0)
		r = file_replace(tombstones_path, tombstones.data, tombstones.len, e);
	if (r < 0)
		return r;
	write_meta(w, settings, before, &state->merge, &meta);
	return file_replace(meta_path, meta.data, meta.len, e);
}

static int merge_indexes(const struct block_builder *by, const char *dir, struct block_inputs *in,
	struct index_merge_result *out, int *bad_source, struct err *e)
{
	if (by->merging)
		while (sem_wait(by->merging) < 0)
			;
	int r = index_merge(dir, in->data, in->n, by->settings, by->overrides, out, bad_source, e);
	if (by->merging)
		sem_post(by->merging);
	return r;
}

int block_build(const struct block_builder *by, const struct window *w, const struct predecessors *before,
	int *bad_source, const char **reason, struct err *e)
{
	char id[ULID_CHARS + 1];
	ulid_format(&w->ulid, id);
	auto_free char *dir = xasprintf("%s/%s", by->parent, id),
		       *tmp = xasprintf("%s/%s.tmp", by->parent, id);
	struct block_inputs in = { 0 };
	struct block_state state = { 0 };

	*bad_source = -1;
	*reason = "";
	int r = file_remove_tree(tmp, e);
	if (r == 0)
		r = file_mkdirs(tmp, 0755, e);
	if (r == 0)
		r = block_inputs_open(by->bucket, w, by->ahead_bytes, &in, bad_source, reason, e);
	if (r == 0) {
		*reason = "corrupt-index";
		r = merge_indexes(by, tmp, &in, &state.merge, bad_source, e);
	}
	if (r == 0)
		r = write_files(tmp, w, by->settings, by->overrides, before, &state, e);
	if (r == 0)
		r = file_fsync_dir(tmp, e);
	if (r == 0) /* what is left of one that was damaged, or only half removed */
		r = file_remove_tree(dir, e);
	if (r == 0 && rename(tmp, dir) < 0)
		r = err_errno(e, -errno, "renaming %s", tmp);
	if (r == 0)
		r = file_fsync_dir(by->parent, e);
	if (r < 0)
		file_remove_tree(tmp, NULL);
	block_inputs_fini(&in);
	block_state_fini(&state);
	return r;
}

static void add_predecessor(struct predecessors *p, const struct meta_parent *one)
{
	for (size_t i = 0; i < p->list.len; i++)
		if (ulid_cmp(&p->list.data[i].ulid, &one->ulid) == 0)
			return;
	if (p->list.len < PREDECESSORS_MAX)
		vec_push(&p->list, *one);
}

void predecessors_add(struct predecessors *p, const char *dir)
{
	auto_free char *path = xasprintf("%s/meta.json", dir);
	auto_buf struct buf text = { 0 };
	auto_of(block_meta) struct block_meta *m = NULL;
	struct err e;
	int r = file_read(path, META_JSON_MAX_BYTES, &text, &e);
	if (r == 0)
		r = block_meta_parse(text.data, text.len, &m, &e);
	if (r < 0) {
		log_warn("a block's predecessors can't be read", KV("file", path), KV("err", e.msg));
		return;
	}
	add_predecessor(p, &(struct meta_parent){ m->ulid, m->min_time, m->max_time });
	vec_each (parent, &m->compaction.parents)
		add_predecessor(p, parent);
}
