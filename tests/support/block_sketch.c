/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/block_sketch.h"

#include "lib/base/file.h"
#include "lib/tsdb/block_write.h"
#include "lib/tsdb/index_stream.h"
#include "tests/support/hex.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>

#define ULID_TIME_MS 1700000000000

/* Samples of one call. */
struct run {
	struct sample_list floats;
	struct histogram_chunk *histograms;
	struct buf data; /* of a chunk */
	uint8_t encoding;
	int64_t first, last;
	size_t n;
};

struct series {
	struct labels labels;
	VEC(struct run) runs;
	VEC(struct interval) deleted;
};

struct block_sketch {
	struct ulid ulid;
	struct block_meta *meta;
	bool has_times;
	int64_t first, last;
	VEC(struct series) series;
};

uint64_t bits_of(double v)
{
	uint64_t b;
	memcpy(&b, &v, sizeof b);
	return b;
}

double value_of(uint64_t bits)
{
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

struct block_sketch *block_sketch_new(unsigned number, const char *external)
{
	struct block_sketch *s = xcalloc(1, sizeof *s);
	uint8_t rest[10] = { [9] = (uint8_t)number };
	s->ulid = ulid_make(ULID_TIME_MS, rest);
	s->meta = xcalloc(1, sizeof *s->meta);
	s->meta->thanos.present = true;
	s->meta->thanos.source = xstrdup("sidecar");
	fixture_labels(&s->meta->thanos.labels, external);
	s->first = INT64_MAX;
	s->last = INT64_MIN;
	return s;
}

static struct series *last_series(struct block_sketch *s)
{
	CHECK(s->series.len);
	return &s->series.data[s->series.len - 1];
}

void sketch_series(struct block_sketch *s, const char *words)
{
	struct series *series = vec_push_slot(&s->series);
	*series = (struct series){ 0 };
	fixture_labels(&series->labels, words);
}

static void note_times(struct block_sketch *s, int64_t first, int64_t last)
{
	s->first = MIN_OF(s->first, first);
	s->last = MAX_OF(s->last, last);
}

void sketch_list(struct block_sketch *s, const struct sample *samples, size_t n)
{
	struct run run = { 0 };
	for (size_t i = 0; i < n; i++)
		vec_push(&run.floats.list, samples[i]);
	note_times(s, samples[0].t, samples[n - 1].t);
	vec_push(&last_series(s)->runs, run);
}

void sketch_floats(struct block_sketch *s, int64_t t, int64_t step, size_t n, double offset)
{
	struct sample *list = xcalloc(n, sizeof *list);
	for (size_t i = 0; i < n; i++, t += step)
		list[i] = (struct sample){ t, bits_of((double)t / 1000 + offset) };
	sketch_list(s, list, n);
	free(list);
}

struct histogram_chunk *sketch_histogram_chunk(bool is_float, uint8_t header, int64_t t, int64_t step,
	size_t n, uint64_t first, uint64_t each, double offset)
{
	struct histogram_chunk *c = xcalloc(1, sizeof *c);
	c->is_float = is_float;
	c->header = header;
	c->layout = (struct histogram_layout){
		.positive = xcalloc(1, sizeof(struct histogram_span)), .n_positive = 1, .positive_buckets = 1
	};
	c->layout.positive[0] = (struct histogram_span){ .offset = 0, .length = 1 };
	c->n = n;
	uint64_t *cells = xcalloc(5 * n, sizeof *cells); /* all columns, as histogram_chunk_free wants them */
	c->t = (int64_t *)cells;
	c->sum = cells + n;
	c->count = cells + 2 * n;
	c->zero_count = cells + 3 * n;
	c->buckets = cells + 4 * n;
	for (size_t i = 0; i < n; i++, t += step) {
		uint64_t count = first + i * each;
		c->t[i] = t;
		c->sum[i] = bits_of((double)t / 1000 + offset);
		c->count[i] = c->buckets[i] = is_float ? bits_of((double)count) : count;
		c->zero_count[i] = is_float ? bits_of(0) : 0;
	}
	return c;
}

void sketch_histograms(struct block_sketch *s, bool is_float, uint8_t header, int64_t t, int64_t step,
	size_t n, uint64_t first, uint64_t each, double offset)
{
	struct run run = { .histograms = sketch_histogram_chunk(
				   is_float, header, t, step, n, first, each, offset) };
	note_times(s, t, t + (int64_t)(n - 1) * step);
	vec_push(&last_series(s)->runs, run);
}

void sketch_chunk(
	struct block_sketch *s, uint8_t encoding, const char *hex, int64_t first, int64_t last, size_t n)
{
	struct run run = { .encoding = encoding, .first = first, .last = last, .n = n };
	hex_add(&run.data, hex);
	note_times(s, first, last);
	vec_push(&last_series(s)->runs, run);
}

void sketch_delete(struct block_sketch *s, int64_t mint, int64_t maxt)
{
	vec_push(&last_series(s)->deleted, (struct interval){ mint, maxt });
}

void sketch_times(struct block_sketch *s, int64_t min_time, int64_t max_time)
{
	s->has_times = true;
	s->meta->min_time = min_time;
	s->meta->max_time = max_time;
}

static int by_labels(const void *a, const void *b)
{
	return labels_cmp(&((const struct series *)a)->labels, &((const struct series *)b)->labels);
}

static void write_run(struct block_writer *w, const struct run *run)
{
	struct err e;
	if (run->histograms) {
		const struct histogram_chunk *c = run->histograms;
		struct histogram_pick *picks = xcalloc(c->n, sizeof *picks);
		for (size_t i = 0; i < c->n; i++)
			picks[i] = (struct histogram_pick){ c, (uint32_t)i };
		CHECK_OK(block_writer_histograms(w, picks, c->n, c->header, &e), &e);
		free(picks);
		return;
	}
	if (run->data.len) {
		struct chunk c = { run->encoding, run->data.data, run->data.len };
		CHECK_OK(block_writer_chunk(w, &c, run->first, run->last, run->n, &e), &e);
		return;
	}
	size_t n = run->floats.list.len;
	int64_t *t = xcalloc(n, sizeof *t);
	uint64_t *v = xcalloc(n, sizeof *v);
	for (size_t i = 0; i < n; i++) {
		t[i] = run->floats.list.data[i].t;
		v[i] = run->floats.list.data[i].v;
	}
	CHECK_OK(block_writer_floats(w, t, v, n, &e), &e);
	free(t);
	free(v);
}

/* Tombstones name a series by its place in the index, which is known once that is written. */
static void write_tombstones(const struct block_sketch *s, const char *dir)
{
	struct err e;
	VEC(struct tombstone) list = { 0 };
	auto_free char *index = xasprintf("%s/index", dir), *path = xasprintf("%s/tombstones", dir);
	struct index_contents contents;
	index_contents_read(&contents, index);
	for (size_t i = 0; i < s->series.len; i++)
		vec_each (d, &s->series.data[i].deleted)
			vec_push(&list, (struct tombstone){ contents.series.data[i].ref, *d });
	index_contents_fini(&contents);
	if (list.len) {
		auto_buf struct buf b = { 0 };
		tombstones_write(&(struct tombstones){ list.data, list.len }, &b);
		CHECK_OK(file_replace(path, b.data, b.len, &e), &e);
	}
	vec_fini(&list);
}

static void sketch_free(struct block_sketch *s)
{
	vec_each (series, &s->series) {
		vec_each (run, &series->runs) {
			vec_fini(&run->floats.list);
			buf_fini(&run->data);
			histogram_chunk_free(run->histograms);
		}
		labels_fini(&series->labels);
		vec_fini(&series->runs);
		vec_fini(&series->deleted);
	}
	vec_fini(&s->series);
	block_meta_free(s->meta);
	free(s);
}

const char *block_sketch_write(struct block_sketch *s, const char *dir)
{
	static char name[ULID_CHARS + 1];
	struct err e;
	auto_of(block_writer) struct block_writer *w = NULL;
	const struct block_writer_options o = { .is_relaxed = true, .parent = dir, .ulid = s->ulid };
	VEC(const struct labels *) sets = { 0 };
	vec_sort(&s->series, by_labels);
	vec_each (series, &s->series)
		vec_push(&sets, &series->labels);
	if (!s->has_times) {
		s->meta->min_time = s->first;
		s->meta->max_time = s->last + 1;
	}
	CHECK_OK(file_mkdirs(dir, 0755, &e), &e);
	CHECK_OK(block_writer_open(&o, &w, &e), &e);
	CHECK_OK(block_writer_label_sets(w, sets.data, sets.len, &e), &e);
	vec_each (series, &s->series) {
		CHECK_OK(block_writer_labels(w, &series->labels, &e), &e);
		vec_each (run, &series->runs)
			write_run(w, run);
	}
	CHECK_OK(block_writer_finish(w, s->meta, &e), &e);
	vec_fini(&sets);
	ulid_format(&s->ulid, name);
	auto_free char *block = xasprintf("%s/%s", dir, name);
	write_tombstones(s, block);
	sketch_free(s);
	return name;
}
