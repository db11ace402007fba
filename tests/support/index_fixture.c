/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/index_fixture.h"

#include "lib/tsdb/index_stream.h"
#include "lib/tsdb/index_write.h"
#include "tests/support/test.h"

#include <stdio.h>

#define SEGMENT_BYTES (512ull << 20)

void index_fixture_init(struct index_fixture *f, unsigned number, unsigned n_segments)
{
	*f = (struct index_fixture){ 0 };
	f->meta.ulid.bytes[15] = (uint8_t)number;
	f->meta.ulid.bytes[14] = (uint8_t)(number >> 8);
	f->block.meta = &f->meta;
	ulid_format(&f->meta.ulid, f->block.ulid);
	f->block.n_segments = n_segments;
	f->block.segment_bytes = xcalloc(n_segments, sizeof *f->block.segment_bytes);
	for (unsigned i = 0; i < n_segments; i++)
		f->block.segment_bytes[i] = SEGMENT_BYTES;
}

static void series_fini(struct fixture_series *s)
{
	labels_fini(&s->labels);
	vec_fini(&s->chunks);
}

void index_fixture_fini(struct index_fixture *f)
{
	vec_each (s, &f->series)
		series_fini(s);
	vec_fini(&f->series);
	vec_fini(&f->tombstoned);
	labels_fini(&f->meta.thanos.labels);
	free(f->block.segment_bytes);
	blob_close(f->index);
}

void fixture_labels(struct labels *l, const char *words)
{
	auto_free char *copy = xstrdup(words);
	char *rest = copy;
	for (char *pair; (pair = strsep(&rest, ",")) && *pair;) {
		char *value = strchr(pair, '=');
		*value++ = 0;
		labels_set(l, pair, value);
	}
}

const char *fixture_words(const struct labels *l)
{
	static struct buf texts[8];
	static unsigned next;
	struct buf *b = &texts[next++ % ARRAY_LEN(texts)];
	buf_reset(b);
	buf_add_u8(b, '{');
	for (size_t i = 0; i < l->len; i++)
		buf_printf(b, "%s%s=%s", i ? "," : "", l->data[i].name, l->data[i].value);
	buf_add_u8(b, '}');
	return buf_str(b);
}

struct fixture_series *index_fixture_add(struct index_fixture *f, const char *words)
{
	struct fixture_series *s = vec_push_slot(&f->series);
	*s = (struct fixture_series){ 0 };
	fixture_labels(&s->labels, words);
	return s;
}

void fixture_chunk(struct fixture_series *s, int64_t mint, int64_t maxt, uint64_t ref)
{
	vec_push(&s->chunks, (struct chunk_meta){ .mint = mint, .maxt = maxt, .ref = ref });
}

static int cmp_series(const void *a, const void *b)
{
	return labels_cmp(
		&((const struct fixture_series *)a)->labels, &((const struct fixture_series *)b)->labels);
}

static int cmp_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct texts {
	char **data;
	size_t len, cap;
};

static void collect_symbols(const struct index_fixture *f, struct texts *out)
{
	for (size_t i = 0; i < f->series.len; i++) {
		const struct labels *l = &f->series.data[i].labels;
		for (size_t k = 0; k < l->len; k++) {
			vec_push(out, l->data[k].name);
			vec_push(out, l->data[k].value);
		}
	}
	vec_sort(out, cmp_text);
	size_t kept = 0;
	for (size_t i = 0; i < out->len; i++) {
		if (!kept || strcmp(out->data[kept - 1], out->data[i]) != 0)
			out->data[kept++] = out->data[i];
	}
	out->len = kept;
}

static uint32_t number_of(const struct texts *symbols, char *text)
{
	char **found = bsearch(&text, symbols->data, symbols->len, sizeof text, cmp_text);
	return (uint32_t)(found - symbols->data);
}

void index_fixture_write(struct index_fixture *f, const char *path)
{
	struct err e;
	struct texts symbols = { 0 };
	auto_of(index_writer) struct index_writer *w = NULL;
	vec_sort(&f->series, cmp_series);
	collect_symbols(f, &symbols);
	CHECK_OK(index_writer_open(path, &w, &e), &e);
	for (size_t i = 0; i < symbols.len; i++)
		CHECK_OK(index_writer_symbol(w, symbols.data[i], strlen(symbols.data[i]), &e), &e);
	VEC(uint32_t) pairs = { 0 };
	vec_each (s, &f->series) {
		pairs.len = 0;
		for (size_t k = 0; k < s->labels.len; k++) {
			vec_push(&pairs, number_of(&symbols, s->labels.data[k].name));
			vec_push(&pairs, number_of(&symbols, s->labels.data[k].value));
		}
		CHECK_OK(index_writer_series(w, pairs.data, (uint32_t)s->labels.len, s->chunks.data,
				 (uint32_t)s->chunks.len, &s->ref, &e),
			&e);
	}
	CHECK_OK(index_writer_finish(w, &f->block.index_bytes, &e), &e);
	CHECK_OK(blob_open_file(path, &f->index, &e), &e);
	f->tombstones = (struct tombstones){ .data = f->tombstoned.data, .len = f->tombstoned.len };
	vec_fini(&pairs);
	vec_fini(&symbols);
}

void index_contents_read(struct index_contents *c, const char *path)
{
	struct err e;
	auto_of(blob) struct blob *b = NULL;
	auto_of(index_stream) struct index_stream *s = NULL;
	struct texts symbols = { 0 };
	*c = (struct index_contents){ 0 };
	CHECK_OK(blob_open_file(path, &b, &e), &e);
	CHECK_OK(index_stream_open(b, &s, &e), &e);
	const char *text;
	size_t len;
	int r;
	while ((r = index_stream_symbol(s, &text, &len, &e)) > 0)
		vec_push(&symbols, xstrndup(text, len));
	CHECK_OK(r, &e);
	struct index_series in;
	while ((r = index_stream_series(s, &in, &e)) > 0) {
		struct fixture_series *out = vec_push_slot(&c->series);
		*out = (struct fixture_series){ .ref = in.ref };
		for (uint32_t i = 0; i < in.n_labels; i++)
			labels_set(&out->labels, symbols.data[in.pairs[2 * i]],
				symbols.data[in.pairs[2 * i + 1]]);
		for (uint32_t i = 0; i < in.n_chunks; i++)
			vec_push(&out->chunks, in.chunks[i]);
	}
	CHECK_OK(r, &e);
	vec_each (symbol, &symbols)
		free(*symbol);
	vec_fini(&symbols);
}

void index_contents_fini(struct index_contents *c)
{
	vec_each (s, &c->series)
		series_fini(s);
	vec_fini(&c->series);
}
