/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/index_by_hand.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"
#include "lib/base/vec.h"
#include "lib/tsdb/labels.h"
#include "tests/support/index_fixture.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define TOC_BYTES 52
#define CRC_BYTES 4

struct list {
	const char *name, *value;
	VEC(uint32_t) refs;
	uint64_t at;
};

struct maker {
	struct index_by_hand *h;
	uint8_t version;
	struct labels sets[16];
	size_t n;
	VEC(const char *) symbols;
	VEC(uint32_t) symbol_at;
	VEC(struct list) lists;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Length, content, checksum. */
static void add_section(struct buf *out, struct buf *content)
{
	buf_add_be32(out, (uint32_t)content->len);
	buf_add(out, content->data, content->len);
	buf_add_be32(out, crc32c(0, content->data, content->len));
	buf_reset(content);
}

static void add_symbols(struct maker *m)
{
	auto_buf struct buf b = { 0 };
	for (size_t i = 0; i < m->n; i++) {
		for (size_t k = 0; k < m->sets[i].len; k++) {
			vec_push(&m->symbols, m->sets[i].data[k].name);
			vec_push(&m->symbols, m->sets[i].data[k].value);
		}
	}
	vec_sort(&m->symbols, by_text);
	size_t kept = 0;
	for (size_t i = 0; i < m->symbols.len; i++)
		if (!kept || strcmp(m->symbols.data[kept - 1], m->symbols.data[i]) != 0)
			m->symbols.data[kept++] = m->symbols.data[i];
	m->symbols.len = kept;
	m->h->symbols_at = m->h->bytes.len;
	buf_add_be32(&b, (uint32_t)kept);
	for (size_t i = 0; i < kept; i++) {
		vec_push(&m->symbol_at, (uint32_t)(m->h->bytes.len + 4 + b.len));
		buf_add_uvarint(&b, strlen(m->symbols.data[i]));
		buf_add_str(&b, m->symbols.data[i]);
	}
	add_section(&m->h->bytes, &b);
}

static uint32_t symbol(const struct maker *m, const char *text)
{
	const char **at = bsearch(&text, m->symbols.data, m->symbols.len, sizeof *m->symbols.data, by_text);
	size_t i = (size_t)(at - m->symbols.data);
	return m->version == 1 ? m->symbol_at.data[i] : (uint32_t)i;
}

static void note(struct maker *m, const char *name, const char *value, uint32_t ref)
{
	struct list *l = m->lists.data;
	for (; l && l < m->lists.data + m->lists.len; l++) {
		if (!strcmp(l->name, name) && !strcmp(l->value, value)) {
			vec_push(&l->refs, ref);
			return;
		}
	}
	l = vec_push_slot(&m->lists);
	*l = (struct list){ .name = name, .value = value };
	vec_push(&l->refs, ref);
}

static void add_series(struct maker *m)
{
	struct buf *out = &m->h->bytes;
	auto_buf struct buf b = { 0 };
	m->h->series_at = out->len;
	for (size_t i = 0; i < m->n; i++) {
		while (m->version > 1 && out->len % 16)
			buf_add_u8(out, 0);
		uint32_t ref = (uint32_t)(m->version == 1 ? out->len : out->len / 16);
		m->h->refs[i] = ref;
		note(m, "", "", ref);
		buf_add_uvarint(&b, m->sets[i].len);
		for (size_t k = 0; k < m->sets[i].len; k++) {
			const struct label *l = &m->sets[i].data[k];
			note(m, l->name, l->value, ref);
			buf_add_uvarint(&b, symbol(m, l->name));
			buf_add_uvarint(&b, symbol(m, l->value));
		}
		buf_add_uvarint(&b, 1);
		buf_add_varint(&b, (int64_t)i * 100);
		buf_add_uvarint(&b, 50);
		buf_add_uvarint(&b, 8);
		buf_add_uvarint(out, b.len);
		buf_add(out, b.data, b.len);
		buf_add_be32(out, crc32c(0, b.data, b.len));
		buf_reset(&b);
	}
}

static int by_key(const void *a, const void *b)
{
	const struct list *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->value, y->value);
}

static void add_postings(struct maker *m)
{
	struct buf *out = &m->h->bytes;
	auto_buf struct buf b = { 0 };
	m->h->postings_at = out->len;
	if (m->version > 1)
		vec_sort(&m->lists, by_key);
	vec_each (l, &m->lists) {
		l->at = out->len;
		buf_add_be32(&b, (uint32_t)l->refs.len);
		vec_each (ref, &l->refs)
			buf_add_be32(&b, *ref);
		add_section(out, &b);
	}
	m->h->table_at = out->len;
	buf_add_be32(&b, (uint32_t)m->lists.len);
	vec_each (l, &m->lists) {
		buf_add_u8(&b, 2);
		buf_add_uvarint(&b, strlen(l->name));
		buf_add_str(&b, l->name);
		buf_add_uvarint(&b, strlen(l->value));
		buf_add_str(&b, l->value);
		buf_add_uvarint(&b, l->at);
	}
	add_section(out, &b);
}

void index_by_hand(struct index_by_hand *h, uint8_t version, const char *const *series)
{
	struct maker m = { .h = h, .version = version };
	*h = (struct index_by_hand){ 0 };
	for (; series[m.n]; m.n++)
		fixture_labels(&m.sets[m.n], series[m.n]);
	buf_add_be32(&h->bytes, 0xbaaad700);
	buf_add_u8(&h->bytes, version);
	add_symbols(&m);
	add_series(&m);
	add_postings(&m);
	size_t toc = h->bytes.len;
	const uint64_t at[6] = { h->symbols_at, h->series_at, 0, 0, h->postings_at, h->table_at };
	for (int i = 0; i < 6; i++)
		buf_add_be64(&h->bytes, at[i]);
	buf_add_be32(&h->bytes, crc32c(0, h->bytes.data + toc, TOC_BYTES - CRC_BYTES));
	vec_each (l, &m.lists)
		vec_fini(&l->refs);
	vec_fini(&m.lists);
	vec_fini(&m.symbols);
	vec_fini(&m.symbol_at);
	for (size_t i = 0; i < m.n; i++)
		labels_fini(&m.sets[i]);
}

static void put_crc(uint8_t *p, const uint8_t *from, size_t n)
{
	uint32_t crc = htobe32(crc32c(0, from, n));
	memcpy(p, &crc, sizeof crc);
}

static void right_series(uint8_t *p, size_t n, size_t at, size_t align)
{
	for (;;) {
		at = (at + align - 1) & ~(align - 1);
		if (at >= n)
			return;
		struct dec d = dec_over(p + at, n - at);
		uint64_t len = dec_uvarint(&d);
		if (d.err || !len || dec_left(&d) < CRC_BYTES || len > dec_left(&d) - CRC_BYTES)
			return;
		put_crc(p + (d.p - p) + len, d.p, (size_t)len);
		at = (size_t)(d.p - p) + (size_t)len + CRC_BYTES;
	}
}

/* A section behind a length; where the next one begins, or 0. */
static size_t right_section(uint8_t *p, size_t n, uint64_t at)
{
	if (at > n || n - at < 4 + CRC_BYTES)
		return 0;
	struct dec d = dec_over(p + at, 4);
	uint32_t len = dec_be32(&d);
	if (len > n - at - 4 - CRC_BYTES)
		return 0;
	put_crc(p + at + 4 + len, p + at + 4, len);
	return (size_t)at + 4 + len + CRC_BYTES;
}

void index_right_checksums(uint8_t *p, size_t n)
{
	if (n < 5 + TOC_BYTES)
		return;
	size_t toc = n - TOC_BYTES;
	put_crc(p + n - CRC_BYTES, p + toc, TOC_BYTES - CRC_BYTES);
	struct dec d = dec_over(p + toc, TOC_BYTES);
	uint64_t at[6];
	for (int i = 0; i < 6; i++)
		at[i] = dec_be64(&d);
	if (at[1] < toc)
		right_series(p, toc, (size_t)at[1], p[4] == 1 ? 1 : 16);
	right_section(p, toc, at[0]);
	for (uint64_t next = at[4]; next && next < at[5];)
		next = right_section(p, toc, next);
	right_section(p, toc, at[5]);
}
