/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A series is held back until the next one starts, because its index entry needs all its chunks; chunks go
 * straight to their segment.
 */
#include "lib/tsdb/block_write.h"

#include "lib/base/file.h"
#include "lib/base/vec.h"
#include "lib/tsdb/append_file.h"
#include "lib/tsdb/index_write.h"
#include "lib/tsdb/xor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_MAX_BYTES UINT32_MAX /* a chunk's offset has 32 bits */

struct block_writer {
	struct ulid ulid;
	uint32_t samples_per_chunk;
	uint64_t segment_bytes;
	char *parent, *dir, *done;
	bool is_relaxed, is_finished;
	struct index_writer *index;
	struct append_file segment;
	VEC(uint64_t) segment_sizes; /* of finished segments */
	VEC(char *) symbols;         /* from label sets */

	bool has_series;
	VEC(uint32_t) pairs;
	uint32_t n_labels;
	VEC(struct chunk_meta) chunks;
	int64_t mint, maxt; /* of the block */
	uint64_t series, n_chunks, float_samples, histogram_samples;
	struct buf data, frame;
};

int block_writer_open(const struct block_writer_options *o, struct block_writer **out, struct err *e)
{
	char name[ULID_CHARS + 1];
	ulid_format(&o->ulid, name);
	auto_of(block_writer) struct block_writer *w = xcalloc(1, sizeof *w);
	w->segment.fd = -1;
	w->ulid = o->ulid;
	w->is_relaxed = o->is_relaxed;
	w->samples_per_chunk = o->samples_per_chunk ? o->samples_per_chunk : BLOCK_SAMPLES_PER_CHUNK;
	w->segment_bytes = o->segment_bytes ? o->segment_bytes : BLOCK_SEGMENT_BYTES;
	w->parent = xstrdup(o->parent);
	w->done = xasprintf("%s/%s", o->parent, name);
	w->dir = xasprintf("%s.tmp", w->done);
	w->mint = INT64_MAX;
	w->maxt = INT64_MIN;
	if (w->segment_bytes > SEGMENT_MAX_BYTES || w->samples_per_chunk > XOR_CHUNK_MAX_SAMPLES)
		return err_set(e, -EINVAL, "%s: segments or chunks that large can't be", w->done);
	auto_free char *chunks = xasprintf("%s/chunks", w->dir), *index = xasprintf("%s/index", w->dir);
	int r = file_remove_tree(w->dir, e);
	if (r == 0)
		r = file_mkdirs(chunks, 0755, e);
	if (r == 0)
		r = index_writer_open(index, &w->index, e);
	if (r == 0 && w->is_relaxed)
		index_writer_relax(w->index);
	if (r == 0)
		*out = take(w);
	return r;
}

void block_writer_close(struct block_writer *w)
{
	if (!w)
		return;
	append_file_close(&w->segment);
	index_writer_close(w->index);
	if (!w->is_finished)
		file_remove_tree(w->dir, NULL);
	vec_each (s, &w->symbols)
		free(*s);
	vec_fini(&w->symbols);
	vec_fini(&w->segment_sizes);
	vec_fini(&w->pairs);
	vec_fini(&w->chunks);
	buf_fini(&w->data);
	buf_fini(&w->frame);
	free(w->parent);
	free(w->dir);
	free(w->done);
	free(w);
}

int block_writer_symbol(struct block_writer *w, const char *text, size_t len, struct err *e)
{
	return index_writer_symbol(w->index, text, len, e);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int block_writer_label_sets(struct block_writer *w, const struct labels *const *sets, size_t n, struct err *e)
{
	VEC(const char *) texts = { 0 };
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sets[i]->len; k++) {
			/* Neighbours share most of their labels. */
			const struct label *l = &sets[i]->data[k];
			const struct label *last = i && k < sets[i - 1]->len ? &sets[i - 1]->data[k] : NULL;
			if (!last || strcmp(last->name, l->name) != 0)
				vec_push(&texts, l->name);
			if (!last || strcmp(last->value, l->value) != 0)
				vec_push(&texts, l->value);
		}
	}
	vec_sort(&texts, compare);
	int r = 0;
	for (size_t i = 0; i < texts.len && r == 0; i++) {
		if (i && strcmp(texts.data[i - 1], texts.data[i]) == 0)
			continue;
		vec_push(&w->symbols, xstrdup(texts.data[i]));
		r = index_writer_symbol(w->index, texts.data[i], strlen(texts.data[i]), e);
	}
	vec_fini(&texts);
	return r;
}

/* Writes the series that was held back. */
static int end_series(struct block_writer *w, struct err *e)
{
	if (!w->has_series || !w->chunks.len)
		return 0;
	w->series++;
	w->n_chunks += w->chunks.len;
	w->mint = MIN_OF(w->mint, w->chunks.data[0].mint);
	w->maxt = MAX_OF(w->maxt, w->chunks.data[w->chunks.len - 1].maxt);
	int r = index_writer_series(
		w->index, w->pairs.data, w->n_labels, w->chunks.data, (uint32_t)w->chunks.len, NULL, e);
	w->has_series = false;
	w->chunks.len = 0;
	return r;
}

/* Holds a series back; its pairs are filled in by the caller. */
static int start_series(struct block_writer *w, size_t n_labels, struct err *e)
{
	int r = end_series(w, e);
	vec_reserve(&w->pairs, 2 * n_labels + 1);
	for (; w->pairs.len < 2 * n_labels; w->pairs.len++)
		w->pairs.data[w->pairs.len] = 0;
	w->n_labels = (uint32_t)n_labels;
	w->has_series = true;
	w->chunks.len = 0;
	return r;
}

int block_writer_series(struct block_writer *w, const uint32_t *pairs, uint32_t n_labels, struct err *e)
{
	int r = start_series(w, n_labels, e);
	if (n_labels)
		memcpy(w->pairs.data, pairs, 2 * (size_t)n_labels * sizeof *pairs);
	return r;
}

/* *number comes in as a guess: what stood there in the series before. */
static int symbol_number(const struct block_writer *w, const char *text, uint32_t *number, struct err *e)
{
	if (*number < w->symbols.len && strcmp(w->symbols.data[*number], text) == 0)
		return 0;
	char **at =
		w->symbols.len ? bsearch(&text, w->symbols.data, w->symbols.len, sizeof text, compare) : NULL;
	if (!at)
		return err_set(e, -EINVAL, "%s: \"%s\" is in none of the label sets", w->done, text);
	*number = (uint32_t)(at - w->symbols.data);
	return 0;
}

int block_writer_labels(struct block_writer *w, const struct labels *l, struct err *e)
{
	int r = start_series(w, l->len, e);
	for (size_t i = 0; i < l->len && r == 0; i++) {
		r = symbol_number(w, l->data[i].name, &w->pairs.data[2 * i], e);
		if (r == 0)
			r = symbol_number(w, l->data[i].value, &w->pairs.data[2 * i + 1], e);
	}
	return r;
}

static int end_segment(struct block_writer *w, struct err *e)
{
	if (w->segment.fd < 0)
		return 0;
	int r = append_file_sync(&w->segment, e);
	vec_push(&w->segment_sizes, append_file_at(&w->segment));
	append_file_close(&w->segment);
	return r;
}

static int start_segment(struct block_writer *w, struct err *e)
{
	auto_free char *path = xasprintf("%s/chunks/%06zu", w->dir, w->segment_sizes.len + 1);
	int r = append_file_open(&w->segment, path, e);
	struct buf head = { 0 };
	buf_add_be32(&head, SEGMENT_MAGIC);
	buf_add_u8(&head, SEGMENT_VERSION);
	buf_add_zeros(&head, 3);
	if (r == 0 && w->is_relaxed)
		append_file_relax(&w->segment);
	if (r == 0)
		r = append_file_add(&w->segment, head.data, head.len, e);
	buf_fini(&head);
	return r;
}

int block_writer_chunk(struct block_writer *w, const struct chunk *c, int64_t mint, int64_t maxt,
	uint64_t samples, struct err *e)
{
	if (!w->has_series)
		return err_set(e, -EINVAL, "%s: a chunk without a series", w->done);
	size_t bytes = chunk_frame_bytes(c->size);
	int r = 0;
	if (w->segment.fd >= 0 && append_file_at(&w->segment) + bytes > w->segment_bytes)
		r = end_segment(w, e);
	if (r == 0 && w->segment.fd < 0)
		r = start_segment(w, e);
	if (r < 0)
		return r;
	uint64_t ref = (uint64_t)w->segment_sizes.len << 32 | append_file_at(&w->segment);
	vec_push(&w->chunks, (struct chunk_meta){ .mint = mint, .maxt = maxt, .ref = ref });
	if (c->encoding == CHUNK_XOR || c->encoding == CHUNK_XOR2)
		w->float_samples += samples;
	else
		w->histogram_samples += samples;
	buf_reset(&w->frame);
	chunk_frame_write(&w->frame, c->encoding, c->data, c->size);
	return append_file_add(&w->segment, w->frame.data, w->frame.len, e);
}

static int add_data(
	struct block_writer *w, uint8_t encoding, int64_t mint, int64_t maxt, size_t n, struct err *e)
{
	struct chunk c = { .encoding = encoding, .data = w->data.data, .size = w->data.len };
	return block_writer_chunk(w, &c, mint, maxt, n, e);
}

int block_writer_floats(struct block_writer *w, const int64_t *t, const uint64_t *v, size_t n, struct err *e)
{
	for (size_t from = 0; from < n;) {
		size_t count = MIN_OF(n - from, (size_t)w->samples_per_chunk);
		struct xor_encoder x;
		buf_reset(&w->data);
		xor_encoder_init(&x, &w->data);
		for (size_t i = from; i < from + count; i++) {
			if (i && t[i] <= t[i - 1])
				return err_set(e, -EINVAL, "%s: samples that don't rise by time", w->done);
			xor_encoder_add(&x, t[i], v[i]);
		}
		xor_encoder_finish(&x);
		int r = add_data(w, CHUNK_XOR, t[from], t[from + count - 1], count, e);
		if (r < 0)
			return r;
		from += count;
	}
	return 0;
}

int block_writer_histograms(
	struct block_writer *w, const struct histogram_pick *picks, size_t n, uint8_t header, struct err *e)
{
	for (size_t from = 0; from < n;) {
		const struct histogram_pick *p = &picks[from];
		size_t count = MIN_OF(n - from, (size_t)w->samples_per_chunk);
		buf_reset(&w->data);
		count = histogram_chunk_encode(p, count, header, &w->data);
		int64_t mint = p->from->t[p->index], maxt = p[count - 1].from->t[p[count - 1].index];
		int r = add_data(
			w, p->from->is_float ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM, mint, maxt, count, e);
		if (r < 0)
			return r;
		from += count;
		header = header == HISTOGRAM_GAUGE ? HISTOGRAM_GAUGE : HISTOGRAM_UNKNOWN_RESET;
	}
	return 0;
}

/* Sorted by path, as Thanos lists them; meta.json without a size. */
static void list_files(const struct block_writer *w, struct block_meta *m, uint64_t index_bytes)
{
	for (size_t i = 0; i < w->segment_sizes.len; i++) {
		vec_push(&m->thanos.files, (struct meta_file){ .rel_path = xasprintf("chunks/%06zu", i + 1),
						   .size_bytes = w->segment_sizes.data[i] });
		vec_push(&m->thanos.segment_files, xasprintf("%06zu", i + 1));
	}
	vec_push(&m->thanos.files,
		(struct meta_file){ .rel_path = xstrdup("index"), .size_bytes = index_bytes });
	vec_push(&m->thanos.files, (struct meta_file){ .rel_path = xstrdup("meta.json") });
}

static void complete_meta(const struct block_writer *w, struct block_meta *m, uint64_t index_bytes)
{
	m->ulid = w->ulid;
	m->stats.series = w->series;
	m->stats.chunks = w->n_chunks;
	m->stats.samples = w->float_samples + w->histogram_samples;
	m->stats.float_samples = w->float_samples;
	m->stats.histogram_samples = w->histogram_samples;
	if (!m->min_time && !m->max_time && w->series) {
		m->min_time = w->mint;
		m->max_time = w->maxt == INT64_MAX ? w->maxt : w->maxt + 1;
	}
	if (!m->compaction.level)
		m->compaction.level = 1;
	if (!m->compaction.sources.len)
		vec_push(&m->compaction.sources, w->ulid);
	if (m->thanos.present && !m->thanos.files.len)
		list_files(w, m, index_bytes);
}

static int sync_dir(const struct block_writer *w, const char *path, struct err *e)
{
	return w->is_relaxed ? 0 : file_fsync_dir(path, e);
}

static int write_meta(const struct block_writer *w, const struct block_meta *m, struct err *e)
{
	auto_free char *path = xasprintf("%s/meta.json", w->dir), *chunks = xasprintf("%s/chunks", w->dir);
	auto_buf struct buf text = { 0 };
	struct append_file f;
	block_meta_write(m, &text);
	int r = sync_dir(w, chunks, e);
	if (r < 0)
		return r;
	r = append_file_open(&f, path, e);
	if (w->is_relaxed)
		append_file_relax(&f);
	if (r == 0)
		r = append_file_add(&f, text.data, text.len, e);
	if (r == 0)
		r = append_file_sync(&f, e);
	append_file_close(&f);
	return r < 0 ? r : sync_dir(w, w->dir, e);
}

int block_writer_finish(struct block_writer *w, struct block_meta *meta, struct err *e)
{
	uint64_t index_bytes = 0;
	int r = end_series(w, e);
	if (r == 0)
		r = end_segment(w, e);
	if (r == 0)
		r = index_writer_finish(w->index, &index_bytes, e);
	if (r < 0)
		return r;
	complete_meta(w, meta, index_bytes);
	r = write_meta(w, meta, e);
	if (r < 0)
		return r;
	if (rename(w->dir, w->done) < 0)
		return err_errno(e, -errno, "renaming %s to %s", w->dir, w->done);
	w->is_finished = true;
	return sync_dir(w, w->parent, e);
}
