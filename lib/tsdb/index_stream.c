/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index is read through one window of a few hundred KiB that slides over the symbol table and then over
 * the series. Entries are decoded in place, with their checksum verified first, so that a decoder error
 * always means a writer's mistake and never a flipped bit. Nothing is kept but the counts (and, for version
 * 1, whose series name symbols by offset, the offsets).
 *
 * What holds: window[from..to) are the file's bytes at `at`...; VARINT_SLACK readable bytes follow them. The
 * window never reaches past `limit`, the end of the section that is being read.
 */
#include "lib/tsdb/index_stream.h"

#include "lib/base/crc32c.h"
#include "lib/base/sorted.h"
#include "lib/base/vec.h"
#include "lib/tsdb/varint.h"

#include <errno.h>

#define MAGIC            0xbaaad700u
#define HEADER_BYTES     5
#define TOC_BYTES        52
#define WINDOW_BYTES     (512u << 10)
#define SYMBOL_MAX_BYTES (16u << 20)
#define SERIES_MAX_BYTES (64u << 20)
#define CRC_BYTES        4

struct index_stream {
	struct blob *index; /* borrowed */
	unsigned align;     /* of series: 1 in version 1, else 16 */
	int failed;         /* -errno: the stream stands still */
	uint64_t series_at, series_end;

	uint8_t *window;
	size_t from, to, cap;
	uint64_t at; /* file offset of window[from] */
	uint64_t limit;

	uint32_t n_symbols, symbols_read;
	bool symbols_done;
	uint64_t symbols_end; /* where their checksum stands */
	uint32_t crc;
	struct buf previous;   /* symbol */
	VEC(uint32_t) offsets; /* of symbols, version 1 only */

	VEC(uint32_t) pairs;
	VEC(struct chunk_meta) chunks;
};

static uint32_t be32_at(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

/* Moves the window to file offset `at`; nothing beyond `limit` is read. */
static void seek(struct index_stream *s, uint64_t at, uint64_t limit)
{
	s->from = s->to = 0;
	s->at = at;
	s->limit = limit;
}

static inline size_t have(const struct index_stream *s)
{
	return s->to - s->from;
}

static inline void skip(struct index_stream *s, size_t n)
{
	s->from += n;
	s->at += n;
}

/* Makes the window hold the next n bytes, or all up to the limit where there are fewer. */
static int fill(struct index_stream *s, size_t n, struct err *e)
{
	uint64_t left = s->limit - s->at - have(s);
	if (have(s) >= n || !left)
		return 0;
	if (s->from) {
		memmove(s->window, s->window + s->from, have(s));
		s->to -= s->from;
		s->from = 0;
	}
	if (n > s->cap) {
		s->cap = n + n / 2;
		s->window = xrealloc(s->window, s->cap + VARINT_SLACK);
	}
	size_t want = MIN_OF(s->cap - s->to, left);
	int r = blob_read(s->index, s->window + s->to, want, s->at + s->to, e);
	if (r == 0) {
		s->to += want;
		memset(s->window + s->to, 0, VARINT_SLACK);
	}
	return r;
}

static int open_symbols(struct index_stream *s, uint64_t at, uint64_t end, struct err *e)
{
	uint8_t head[8];
	if (end < at || end - at < sizeof head + CRC_BYTES)
		return err_set(e, -EBADMSG, "%s: no room for a symbol table at offset %llu", s->index->name,
			(unsigned long long)at);
	int r = blob_read(s->index, head, sizeof head, at, e);
	if (r < 0)
		return r;
	uint32_t bytes = be32_at(head);
	s->n_symbols = be32_at(head + 4);
	if (bytes < 4 || bytes > end - at - 4 - CRC_BYTES)
		return err_set(e, -EBADMSG, "%s: symbol table claims %u bytes", s->index->name, bytes);
	if (s->n_symbols > bytes - 4)
		return err_set(e, -EBADMSG, "%s: symbol table of %u bytes claims %u entries", s->index->name,
			bytes, s->n_symbols);
	s->symbols_end = at + 4 + bytes;
	s->crc = crc32c(0, head + 4, 4);
	seek(s, at + sizeof head, s->symbols_end + CRC_BYTES);
	return 0;
}

static int open_toc(struct index_stream *s, struct err *e)
{
	uint8_t head[HEADER_BYTES], raw[TOC_BYTES];
	uint64_t size = s->index->size, toc = size - TOC_BYTES, section[6];
	if (size < HEADER_BYTES + TOC_BYTES)
		return err_set(e, -EBADMSG, "%s is too short for an index: %llu bytes", s->index->name,
			(unsigned long long)size);
	int r = blob_read(s->index, head, sizeof head, 0, e);
	if (r == 0)
		r = blob_read(s->index, raw, sizeof raw, toc, e);
	if (r < 0)
		return r;
	if (be32_at(head) != MAGIC)
		return err_set(e, -EBADMSG, "%s is not an index: its first bytes are %08x", s->index->name,
			be32_at(head));
	if (head[4] < 1 || head[4] > 3)
		return err_set(
			e, -EBADMSG, "%s has index version %u, known are 1 to 3", s->index->name, head[4]);
	s->align = head[4] == 1 ? 1 : 16;
	if (crc32c(0, raw, TOC_BYTES - CRC_BYTES) != be32_at(raw + TOC_BYTES - CRC_BYTES))
		return err_set(
			e, -EBADMSG, "%s: the checksum of the table of contents is wrong", s->index->name);

	struct dec d = dec_over(raw, sizeof raw);
	for (int i = 0; i < 6; i++) {
		section[i] = dec_be64(&d);
		if (section[i] > toc || (section[i] && section[i] < HEADER_BYTES))
			return err_set(e, -EBADMSG,
				"%s: the table of contents names offset %llu of %llu bytes", s->index->name,
				(unsigned long long)section[i], (unsigned long long)size);
	}
	/* A section ends where the next one starts; sections that aren't there have offset 0. */
	uint64_t symbols_end = toc;
	s->series_at = section[1];
	s->series_end = section[1] ? toc : 0;
	for (int i = 0; i < 6; i++) {
		if (section[i] > section[0])
			symbols_end = MIN_OF(symbols_end, section[i]);
		if (i != 1 && section[1] && section[i] >= section[1])
			s->series_end = MIN_OF(s->series_end, section[i]);
	}
	if (!section[0])
		return err_set(e, -EBADMSG, "%s has no symbol table", s->index->name);
	return open_symbols(s, section[0], symbols_end, e);
}

int index_stream_open(struct blob *index, struct index_stream **out, struct err *e)
{
	auto_of(index_stream) struct index_stream *s = xcalloc(1, sizeof *s);
	s->index = index;
	s->cap = (size_t)MIN_OF((uint64_t)WINDOW_BYTES, index->size);
	s->window = xmalloc(s->cap + VARINT_SLACK);
	int r = open_toc(s, e);
	if (r == 0)
		*out = take(s);
	return r;
}

void index_stream_close(struct index_stream *s)
{
	if (!s)
		return;
	free(s->window);
	buf_fini(&s->previous);
	vec_fini(&s->offsets);
	vec_fini(&s->pairs);
	vec_fini(&s->chunks);
	free(s);
}

uint32_t index_stream_symbol_count(const struct index_stream *s)
{
	return s->n_symbols;
}

static int end_symbols(struct index_stream *s, struct err *e)
{
	if (s->symbols_done)
		return 0;
	if (s->at != s->symbols_end)
		return err_set(e, -EBADMSG, "%s: %llu bytes follow the last symbol", s->index->name,
			(unsigned long long)(s->symbols_end - s->at));
	int r = fill(s, CRC_BYTES, e);
	if (r < 0)
		return r;
	if (be32_at(s->window + s->from) != s->crc)
		return err_set(e, -EBADMSG, "%s: the checksum of the symbol table is wrong", s->index->name);
	s->symbols_done = true;
	uint64_t first = (s->series_at + s->align - 1) & ~(uint64_t)(s->align - 1);
	seek(s, first, MAX_OF(first, s->series_end));
	return 0;
}

/* The symbol at the cursor; returns the bytes it takes, its text at the end of them. */
static int next_symbol(struct index_stream *s, uint64_t *len, struct err *e)
{
	int r = fill(s, 10, e);
	if (r < 0)
		return r;
	const uint8_t *p = s->window + s->from, *end = p + MIN_OF(have(s), s->symbols_end - s->at);
	const uint8_t *text = varint_get(p, end, len);
	if (text > end || *len > s->symbols_end - s->at - (uint64_t)(text - p))
		return err_set(e, -EBADMSG, "%s: symbol %u leaves the symbol table", s->index->name,
			s->symbols_read);
	if (*len > SYMBOL_MAX_BYTES)
		return err_set(e, -EBADMSG, "%s: symbol %u has %llu bytes, at most %u are allowed",
			s->index->name, s->symbols_read, (unsigned long long)*len, SYMBOL_MAX_BYTES);
	size_t whole = (size_t)(text - p) + (size_t)*len;
	r = fill(s, whole, e);
	return r < 0 ? r : (int)whole;
}

static int symbol(struct index_stream *s, const char **out, size_t *out_len, struct err *e)
{
	if (s->symbols_read == s->n_symbols)
		return end_symbols(s, e);
	uint64_t len;
	int whole = next_symbol(s, &len, e);
	if (whole < 0)
		return whole;
	const uint8_t *text = s->window + s->from + (size_t)whole - len;
	size_t common = MIN_OF((size_t)len, s->previous.len);
	int order = common ? memcmp(text, s->previous.data, common) : 0;
	if (s->symbols_read && (order < 0 || (order == 0 && len <= s->previous.len)))
		return err_set(e, -EBADMSG, "%s: symbol %u is not greater than the one before it",
			s->index->name, s->symbols_read);
	if (s->align == 1)
		vec_push(&s->offsets, (uint32_t)s->at);
	s->crc = crc32c(s->crc, s->window + s->from, (size_t)whole);
	buf_reset(&s->previous);
	buf_add(&s->previous, text, (size_t)len);
	skip(s, (size_t)whole);
	s->symbols_read++;
	*out = buf_str(&s->previous);
	*out_len = (size_t)len;
	return 1;
}

int index_stream_symbol(struct index_stream *s, const char **text, size_t *len, struct err *e)
{
	if (s->failed)
		return err_set(e, s->failed, "%s: reading it failed before", s->index->name);
	int r = symbol(s, text, len, e);
	if (r < 0)
		s->failed = r;
	return r;
}

/* Version 1: offset to number; UINT32_MAX where no symbol starts there. */
static uint32_t symbol_of_offset(const struct index_stream *s, uint64_t offset)
{
	size_t at = lower_bound(i, s->offsets.len, s->offsets.data[i] < offset);
	return at < s->offsets.len && s->offsets.data[at] == offset ? (uint32_t)at : UINT32_MAX;
}

static int bad_series(const struct index_stream *s, struct err *e, const char *what)
{
	return err_set(e, -EBADMSG, "%s: the series at offset %llu %s", s->index->name,
		(unsigned long long)s->at, what);
}

static int decode_labels(
	struct index_stream *s, const uint8_t **at, const uint8_t *end, uint32_t *n, struct err *e)
{
	uint64_t count;
	const uint8_t *p = varint_get(*at, end, &count);
	if (p > end || count > (size_t)(end - p) / 2)
		return bad_series(s, e, "claims more labels than fit");
	if (count == 0)
		return bad_series(s, e, "has no labels");
	vec_reserve(&s->pairs, 2 * count);
	uint32_t *pair = s->pairs.data, limit = s->n_symbols;
	uint64_t least = 0;
	for (uint64_t i = 0; i < count; i++, pair += 2) {
		uint64_t name, value;
		p = varint_get(p, end, &name);
		if (__builtin_expect(p > end, 0))
			return bad_series(s, e, "ends within its labels");
		p = varint_get(p, end, &value);
		if (__builtin_expect(p > end, 0))
			return bad_series(s, e, "ends within its labels");
		if (s->align == 1) {
			name = symbol_of_offset(s, name);
			value = symbol_of_offset(s, value);
		}
		if (__builtin_expect(name >= limit || value >= limit, 0))
			return bad_series(s, e, "names a symbol that isn't there");
		if (__builtin_expect(name < least, 0))
			return bad_series(s, e, "has label names that don't rise");
		least = name + 1;
		pair[0] = (uint32_t)name;
		pair[1] = (uint32_t)value;
	}
	*n = (uint32_t)count;
	*at = p;
	return 0;
}

static int decode_chunks(
	struct index_stream *s, const uint8_t **at, const uint8_t *end, uint32_t *n, struct err *e)
{
	uint64_t count;
	const uint8_t *p = varint_get(*at, end, &count);
	if (p > end || count > (size_t)(end - p) / 3)
		return bad_series(s, e, "claims more chunks than fit");
	vec_reserve(&s->chunks, count);
	struct chunk_meta *c = s->chunks.data;
	uint64_t t = 0, ref = 0;
	for (uint64_t i = 0; i < count; i++, c++) {
		uint64_t gap, span, step;
		p = varint_get(p, end, &gap);
		if (__builtin_expect(p > end, 0))
			return bad_series(s, e, "ends within its chunks");
		p = varint_get(p, end, &span);
		if (__builtin_expect(p > end, 0))
			return bad_series(s, e, "ends within its chunks");
		p = varint_get(p, end, &step);
		if (__builtin_expect(p > end, 0))
			return bad_series(s, e, "ends within its chunks");
		/* The first chunk's time is a varint and its ref a uvarint; later ones the other way round.
		 */
		t += i ? gap : (uint64_t)unzigzag(gap);
		ref += i ? (uint64_t)unzigzag(step) : step;
		c->mint = (int64_t)t;
		t += span;
		c->maxt = (int64_t)t;
		c->ref = ref;
		if (__builtin_expect(c->maxt < c->mint, 0))
			return bad_series(s, e, "has a chunk that ends before it starts");
		if (__builtin_expect(i && c->mint < c[-1].mint, 0))
			return bad_series(s, e, "has chunks that don't rise by time");
	}
	*n = (uint32_t)count;
	*at = p;
	return 0;
}

/* Steps over padding to the next entry; 1, or 0 at the section's end. */
static int find_entry(struct index_stream *s, struct err *e)
{
	static const uint8_t zeros[16];
	for (;;) {
		if (have(s) < 16) {
			int r = fill(s, 16, e);
			if (r < 0)
				return r;
		}
		const uint8_t *p = s->window + s->from;
		size_t n = MIN_OF(have(s), (size_t)s->align);
		if (n == 0)
			return 0;
		if (*p)
			return 1;
		if (memcmp(p, zeros, n) != 0)
			return bad_series(s, e, "has length 0");
		skip(s, n);
	}
}

static int series(struct index_stream *s, struct index_series *out, struct err *e)
{
	int r = find_entry(s, e);
	if (r <= 0)
		return r;
	const uint8_t *p = s->window + s->from;
	uint64_t len, left = s->limit - s->at;
	const uint8_t *body = varint_get(p, p + have(s), &len);
	size_t head = (size_t)(body - p);
	if (head > have(s) || len > SERIES_MAX_BYTES || head + len + CRC_BYTES > left)
		return bad_series(s, e, "has a length that leaves the series section");
	size_t whole = head + (size_t)len + CRC_BYTES;
	if (__builtin_expect(have(s) < whole, 0)) {
		r = fill(s, whole, e);
		if (r < 0)
			return r;
		body = s->window + s->from + head;
	}
	const uint8_t *end = body + len;
	if (__builtin_expect(crc32c(0, body, (size_t)len) != be32_at(end), 0))
		return bad_series(s, e, "has a wrong checksum");
	r = decode_labels(s, &body, end, &out->n_labels, e);
	if (r == 0)
		r = decode_chunks(s, &body, end, &out->n_chunks, e);
	if (r < 0)
		return r;
	out->ref = s->at / s->align;
	out->pairs = s->pairs.data;
	out->chunks = s->chunks.data;
	size_t padded = (whole + s->align - 1) & ~(size_t)(s->align - 1);
	skip(s, MIN_OF(padded, have(s)));
	if (__builtin_expect(padded > whole && s->at & (s->align - 1), 0))
		seek(s, MIN_OF((s->at + s->align - 1) & ~(uint64_t)(s->align - 1), s->limit), s->limit);
	return 1;
}

int index_stream_series(struct index_stream *s, struct index_series *out, struct err *e)
{
	if (s->failed)
		return err_set(e, s->failed, "%s: reading it failed before", s->index->name);
	if (!s->symbols_done) {
		if (s->symbols_read < s->n_symbols)
			return err_set(e, -EINVAL, "%s: series asked for before all symbols were read",
				s->index->name);
		int r = end_symbols(s, e);
		if (r < 0)
			return s->failed = r;
	}
	int r = series(s, out, e);
	if (r < 0)
		s->failed = r;
	return r;
}
