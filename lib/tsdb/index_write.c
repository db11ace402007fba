/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over sorted series. What a series shares with the one before it, nearly all of its labels, is
 * neither encoded nor noted again: the encoded labels are kept and only what differs is written over their
 * end, and the postings (lib/tsdb/postings_write.h) hear how many pairs stayed the same. Symbols are not kept
 * in memory: when the postings offset table needs their text, it is read from the file that is being written.
 */
#include "lib/tsdb/index_write.h"

#include "lib/base/crc32c.h"
#include "lib/base/file.h"
#include "lib/base/vec.h"
#include "lib/tsdb/append_file.h"
#include "lib/tsdb/postings_write.h"
#include "lib/tsdb/scratch_table.h"
#include "lib/tsdb/varint.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC                   0xbaaad700u
#define VERSION                 2
#define SYMBOLS_AT              5 /* behind magic and version */
#define SYMBOL_BYTES            (16u << 20)
#define SERIES_ALIGN            16
#define TOC_SECTIONS            6
#define CHUNK_MAX_BYTES_ENCODED 30 /* three uvarints */
#define LABEL_MAX_BYTES_ENCODED 10 /* two of 32 bits */
#define LABELS_MAX              (1u << 20)
#define CHUNKS_MAX              (2u << 20) /* keeps an entry below what a reader takes */

enum stage { SYMBOLS, SERIES, FINISHED };

struct index_writer {
	struct append_file out;
	char *path;
	enum stage stage;
	int failed;

	uint32_t n_symbols;
	struct buf last_symbol;
	struct scratch_table symbol_at; /* uint32_t: offset of each symbol's entry from SYMBOLS_AT */
	uint64_t symbols_end;

	struct postings_writer *postings;
	uint32_t n_last; /* pairs of the last series */
	VEC(uint32_t) last;
	struct buf labels;  /* its labels, encoded; cap leaves VARINT_SLACK */
	VEC(uint32_t) ends; /* of each pair in labels */
	struct buf chunks;
};

static void put_be32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof v);
}

int index_writer_open(const char *path, struct index_writer **out, struct err *e)
{
	auto_of(index_writer) struct index_writer *w = xcalloc(1, sizeof *w);
	uint8_t head[SYMBOLS_AT + 8] = { 0 }; /* the section's length and count follow later */
	put_be32(head, MAGIC);
	head[4] = VERSION;
	w->path = xstrdup(path);
	int r = append_file_open(&w->out, path, e);
	if (r == 0)
		r = scratch_table_open(&w->symbol_at, path, 0, e);
	if (r == 0)
		r = append_file_add(&w->out, head, sizeof head, e);
	if (r == 0)
		*out = take(w);
	return r;
}

void index_writer_relax(struct index_writer *w)
{
	append_file_relax(&w->out);
}

void index_writer_close(struct index_writer *w)
{
	if (!w)
		return;
	if (w->stage != FINISHED && w->out.path)
		unlink(w->path);
	append_file_close(&w->out);
	scratch_table_close(&w->symbol_at);
	postings_writer_close(w->postings);
	buf_fini(&w->last_symbol);
	buf_fini(&w->labels);
	buf_fini(&w->chunks);
	vec_fini(&w->last);
	vec_fini(&w->ends);
	free(w->path);
	free(w);
}

static int out_of_turn(const struct index_writer *w, const char *what, struct err *e)
{
	if (w->failed)
		return err_set(e, w->failed, "%s: writing it failed before", w->path);
	return err_set(e, -EINVAL, "%s: %s out of turn", w->path, what);
}

static int add_symbol(struct index_writer *w, const char *text, size_t len, struct err *e)
{
	size_t common = MIN_OF(len, w->last_symbol.len);
	int order = common ? memcmp(text, w->last_symbol.data, common) : 0;
	if (w->n_symbols && (order < 0 || (order == 0 && len <= w->last_symbol.len)))
		return err_set(e, -EINVAL, "%s: symbol %u is not greater than the one before it", w->path,
			w->n_symbols);
	if (len > SYMBOL_BYTES)
		return err_set(e, -EINVAL, "%s: symbol %u has %zu bytes, at most %u are allowed", w->path,
			w->n_symbols, len, SYMBOL_BYTES);
	uint64_t at = append_file_at(&w->out) - SYMBOLS_AT;
	if (at + 10 + len > UINT32_MAX || w->n_symbols == UINT32_MAX - 1)
		return err_set(
			e, -EFBIG, "%s: its symbols need more than the 4 GiB an index allows", w->path);
	int r = scratch_table_grow(&w->symbol_at, ((size_t)w->n_symbols + 1) * sizeof(uint32_t), e);
	if (r < 0)
		return r;
	((uint32_t *)w->symbol_at.data)[w->n_symbols++] = (uint32_t)at;
	uint8_t head[VARINT_SLACK];
	r = append_file_add(&w->out, head, (size_t)(varint_put(head, len) - head), e);
	if (r == 0)
		r = append_file_add(&w->out, text, len, e);
	buf_reset(&w->last_symbol);
	buf_add(&w->last_symbol, text, len);
	return r;
}

int index_writer_symbol(struct index_writer *w, const char *text, size_t len, struct err *e)
{
	if (w->stage != SYMBOLS || w->failed)
		return out_of_turn(w, "a symbol", e);
	int r = add_symbol(w, text, len, e);
	if (r < 0)
		w->failed = r;
	return r;
}

/* The section starts with its length and count, which the checksum covers: it is read back for that. */
static int end_symbols(struct index_writer *w, struct err *e)
{
	uint8_t head[8], tail[4];
	w->symbols_end = append_file_at(&w->out);
	put_be32(head, (uint32_t)(w->symbols_end - SYMBOLS_AT - 4));
	put_be32(head + 4, w->n_symbols);
	int r = append_file_patch(&w->out, head, sizeof head, SYMBOLS_AT, e);
	if (r < 0)
		return r;
	uint32_t crc = 0;
	for (uint64_t at = SYMBOLS_AT + 4; at < w->symbols_end;) {
		size_t n = MIN_OF(APPEND_BUFFER_BYTES, w->symbols_end - at);
		r = file_pread_all(w->out.fd, w->out.buf, n, at); /* the buffer was flushed just now */
		if (r < 0)
			return err_errno(e, r, "reading %s", w->path);
		crc = crc32c(crc, w->out.buf, n);
		at += n;
	}
	put_be32(tail, crc);
	r = append_file_add(&w->out, tail, sizeof tail, e);
	if (r == 0)
		r = postings_writer_open(w->path, w->n_symbols, &w->postings, e);
	w->stage = SERIES;
	return r;
}

/* How many pairs at the front are those of the last series; -EINVAL where the series doesn't come behind it.
 */
static int common_pairs(
	struct index_writer *w, const uint32_t *pairs, uint32_t n, uint32_t *same, struct err *e)
{
	const uint32_t *last = w->last.data;
	uint32_t k = 0, common = MIN_OF(n, w->n_last);
	while (k < common && pairs[2 * k] == last[2 * k] && pairs[2 * k + 1] == last[2 * k + 1])
		k++;
	bool rises = k == common ? n > w->n_last
				 : pairs[2 * k] > last[2 * k] || (pairs[2 * k] == last[2 * k] &&
									 pairs[2 * k + 1] > last[2 * k + 1]);
	*same = k;
	return rises ? 0 : err_set(e, -EINVAL, "%s: a series is not greater than the one before it", w->path);
}

static int encode_labels(
	struct index_writer *w, const uint32_t *pairs, uint32_t n, uint32_t same, struct err *e)
{
	vec_reserve(&w->last, 2 * (size_t)n);
	vec_reserve(&w->ends, n);
	w->labels.len = same ? w->ends.data[same - 1] : 0;
	uint8_t *p = buf_reserve(&w->labels, (size_t)(n - same) * LABEL_MAX_BYTES_ENCODED + VARINT_SLACK);
	uint64_t least = same ? (uint64_t)pairs[2 * same - 2] + 1 : 0;
	for (uint32_t i = same; i < n; i++) {
		uint32_t name = pairs[2 * i], value = pairs[2 * i + 1];
		if (name < least || name >= w->n_symbols || value >= w->n_symbols)
			return err_set(e, -EINVAL,
				"%s: a series has label names out of order or unknown symbols", w->path);
		least = (uint64_t)name + 1;
		w->last.data[2 * i] = name;
		w->last.data[2 * i + 1] = value;
		p = varint_put(varint_put(p, name), value);
		w->ends.data[i] = (uint32_t)(p - w->labels.data);
	}
	w->labels.len = (size_t)(p - w->labels.data);
	w->n_last = n;
	return 0;
}

static int encode_chunks(struct index_writer *w, const struct chunk_meta *c, uint32_t n, struct err *e)
{
	w->chunks.len = 0;
	uint8_t *p = buf_reserve(&w->chunks, (size_t)n * CHUNK_MAX_BYTES_ENCODED + 2 * VARINT_SLACK);
	p = varint_put(p, n);
	for (uint32_t i = 0; i < n; i++, c++) {
		if (c->maxt < c->mint || (i && c->mint <= c[-1].maxt))
			return err_set(
				e, -EINVAL, "%s: a series has chunks that overlap or don't rise", w->path);
		p = varint_put(p, i ? (uint64_t)c->mint - (uint64_t)c[-1].maxt : zigzag(c->mint));
		p = varint_put(p, (uint64_t)c->maxt - (uint64_t)c->mint);
		p = varint_put(p, i ? zigzag((int64_t)(c->ref - c[-1].ref)) : c->ref);
	}
	w->chunks.len = (size_t)(p - w->chunks.data);
	return 0;
}

/* An entry that doesn't fit the buffer. */
static int add_large(
	struct index_writer *w, const uint8_t *head, size_t head_len, uint32_t crc, struct err *e)
{
	uint8_t tail[4];
	put_be32(tail, crc);
	int r = append_file_add(&w->out, head, head_len, e);
	if (r == 0)
		r = append_file_add(&w->out, w->labels.data, w->labels.len, e);
	if (r == 0)
		r = append_file_add(&w->out, w->chunks.data, w->chunks.len, e);
	return r < 0 ? r : append_file_add(&w->out, tail, sizeof tail, e);
}

/* Puts the entry together: length, number of labels, labels, chunks, checksum. */
static int add_entry(struct index_writer *w, uint32_t n_labels, struct err *e)
{
	uint8_t count[VARINT_SLACK];
	size_t count_len = (size_t)(varint_put(count, n_labels) - count);
	size_t body = count_len + w->labels.len + w->chunks.len;
	if (body + 64 > APPEND_BUFFER_BYTES) {
		uint8_t head[2 * VARINT_SLACK];
		size_t len = (size_t)(varint_put(head, body) - head);
		memcpy(head + len, count, count_len);
		uint32_t crc = crc32c(crc32c(0, count, count_len), w->labels.data, w->labels.len);
		return add_large(w, head, len + count_len, crc32c(crc, w->chunks.data, w->chunks.len), e);
	}
	uint8_t *p = append_file_reserve(&w->out, body + 64, e), *start = p;
	if (!p)
		return w->out.failed;
	p = varint_put(p, body);
	uint8_t *from = p;
	p = varint_put(p, n_labels);
	memcpy(p, w->labels.data, w->labels.len);
	memcpy(p + w->labels.len, w->chunks.data, w->chunks.len);
	put_be32(from + body, crc32c(0, from, body));
	w->out.len += (size_t)(from + body + 4 - start);
	return 0;
}

static int add_series(struct index_writer *w, const uint32_t *pairs, uint32_t n_labels,
	const struct chunk_meta *chunks, uint32_t n_chunks, uint64_t *ref, struct err *e)
{
	uint32_t same;
	if (n_labels == 0 || n_labels > LABELS_MAX || n_chunks > CHUNKS_MAX)
		return err_set(
			e, -EINVAL, "%s: a series with %u labels and %u chunks", w->path, n_labels, n_chunks);
	int r = common_pairs(w, pairs, n_labels, &same, e);
	if (r == 0)
		r = encode_labels(w, pairs, n_labels, same, e);
	if (r == 0)
		r = encode_chunks(w, chunks, n_chunks, e);
	if (r == 0)
		r = append_file_align(&w->out, SERIES_ALIGN, e);
	if (r < 0)
		return r;
	uint64_t number = append_file_at(&w->out) / SERIES_ALIGN;
	if (number > UINT32_MAX)
		return err_set(
			e, -EFBIG, "%s: its series need more than the 64 GiB an index allows", w->path);
	r = add_entry(w, n_labels, e);
	if (r == 0)
		r = postings_writer_series(w->postings, pairs, n_labels, same, (uint32_t)number, e);
	if (ref)
		*ref = number;
	return r;
}

int index_writer_series(struct index_writer *w, const uint32_t *pairs, uint32_t n_labels,
	const struct chunk_meta *chunks, uint32_t n_chunks, uint64_t *ref, struct err *e)
{
	if (w->stage == FINISHED || w->failed)
		return out_of_turn(w, "a series", e);
	int r = w->stage == SYMBOLS ? end_symbols(w, e) : 0;
	if (r == 0)
		r = add_series(w, pairs, n_labels, chunks, n_chunks, ref, e);
	if (r < 0)
		w->failed = r;
	return r;
}

/* Text of symbols, from the mapped file. */
struct mapped_symbols {
	struct symbol_lookup base;
	const uint8_t *file;
	const uint32_t *at;
};

static const uint8_t *mapped_text(const struct symbol_lookup *l, uint32_t number, size_t *len)
{
	const struct mapped_symbols *m = (const struct mapped_symbols *)l;
	struct dec d = dec_over(m->file + SYMBOLS_AT + m->at[number], 10);
	*len = (size_t)dec_uvarint(&d);
	return d.p;
}

static int add_toc(struct index_writer *w, const uint64_t section[TOC_SECTIONS], struct err *e)
{
	struct buf b = { 0 };
	for (int i = 0; i < TOC_SECTIONS; i++)
		buf_add_be64(&b, section[i]);
	buf_add_be32(&b, crc32c(0, b.data, b.len));
	int r = append_file_add(&w->out, b.data, b.len, e);
	buf_fini(&b);
	return r;
}

static int finish(struct index_writer *w, uint64_t *bytes, struct err *e)
{
	uint64_t series_at = w->symbols_end + 4, series_end = append_file_at(&w->out), lists, table;
	int r = append_file_flush(&w->out, e);
	if (r < 0)
		return r;
	size_t mapped =
		(size_t)w->symbols_end + 4; /* a length is at most 5 bytes: the checksum is behind it */
	void *file = mmap(NULL, mapped + 10, PROT_READ, MAP_SHARED, w->out.fd, 0);
	if (file == MAP_FAILED)
		return err_errno(e, -errno, "mapping %s", w->path);
	struct mapped_symbols symbols = { { mapped_text }, file, w->symbol_at.data };
	r = postings_writer_finish(w->postings, &w->out, &symbols.base, &lists, &table, e);
	munmap(file, mapped + 10);
	/* There are no label indexes. Like Prometheus 3 we give the place where they would be: some readers
	   find the postings' end by it. */
	const uint64_t section[TOC_SECTIONS] = { SYMBOLS_AT, series_at, series_end, table, lists, table };
	if (r == 0)
		r = add_toc(w, section, e);
	*bytes = append_file_at(&w->out);
	return r < 0 ? r : append_file_sync(&w->out, e);
}

int index_writer_finish(struct index_writer *w, uint64_t *bytes, struct err *e)
{
	if (w->stage == FINISHED || w->failed)
		return out_of_turn(w, "the end", e);
	int r = w->stage == SYMBOLS ? end_symbols(w, e) : 0;
	if (r == 0)
		r = finish(w, bytes, e);
	if (r < 0)
		w->failed = r;
	else
		w->stage = FINISHED;
	return r;
}
