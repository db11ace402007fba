/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/index_tables.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"
#include "lib/tsdb/varint.h"

#include <errno.h>

#define MAGIC          0xbaaad700u
#define TOC_BYTES      52
#define STRIDE         32
#define NAMES_MAX      (1u << 20)
#define ENTRY_MIN_SIZE 4 /* bytes: count of keys, two lengths, the list's offset */

enum section { SYMBOLS, SERIES, LABEL_INDICES, LABEL_TABLE, POSTINGS, POSTINGS_TABLE, N_SECTIONS };

bool index_tables_section(const struct index_tables *t, uint64_t at, const uint8_t **p, size_t *n)
{
	if (at < INDEX_HEADER_BYTES || at >= t->end || t->end - at < 4 + INDEX_CRC_BYTES)
		return false;
	*n = index_be32(t->p + at);
	*p = t->p + at + 4;
	return *n <= t->end - at - 4 - INDEX_CRC_BYTES;
}

/* The section of a table that begins with a count: the bytes behind that. */
static int open_table(const struct index_tables *t, uint64_t at, const char *what, uint32_t *count,
	const uint8_t **p, const uint8_t **end, struct err *e)
{
	size_t n;
	if (!index_tables_section(t, at, p, &n) || n < 4)
		return err_set(e, -EBADMSG, "%s: the %s at offset %llu leaves the file", t->name, what,
			(unsigned long long)at);
	if (crc32c(0, *p, n) != index_be32(*p + n))
		return err_set(e, -EBADMSG, "%s: the checksum of the %s is wrong", t->name, what);
	*count = index_be32(*p);
	*end = *p + n;
	*p += 4;
	return 0;
}

static bool read_text(const uint8_t **p, const uint8_t *end, struct text *out)
{
	uint64_t len;
	const uint8_t *at = varint_get(*p, end, &len);
	if (at > end || len > (size_t)(end - at))
		return false;
	*out = (struct text){ (const char *)at, (uint32_t)len };
	*p = at + len;
	return true;
}

static int open_symbols(struct index_tables *t, uint64_t at, struct err *e)
{
	int r = open_table(t, at, "symbol table", &t->n_symbols, &t->symbols, &t->symbols_end, e);
	if (r < 0)
		return r;
	const uint8_t *p = t->symbols;
	if (t->n_symbols > (size_t)(t->symbols_end - p))
		return err_set(e, -EBADMSG, "%s: the symbol table claims %u entries", t->name, t->n_symbols);
	struct text before = { 0 }, next;
	t->symbol_stride = t->version == 1 ? 1 : STRIDE;
	for (uint32_t i = 0; i < t->n_symbols; i++, before = next) {
		if (i % t->symbol_stride == 0)
			vec_push(&t->symbol_at, (uint32_t)(p - t->symbols));
		if (!read_text(&p, t->symbols_end, &next))
			return err_set(e, -EBADMSG, "%s: symbol %u leaves the symbol table", t->name, i);
		if (i && text_cmp(before, next) >= 0)
			return err_set(e, -EBADMSG, "%s: symbol %u is not greater than the one before it",
				t->name, i);
	}
	return 0;
}

int index_tables_symbol(const struct index_tables *t, uint32_t number, struct text *out, struct err *e)
{
	const uint8_t *p = t->symbols + t->symbol_at.data[number / t->symbol_stride];
	for (uint32_t i = number % t->symbol_stride + 1; i; i--)
		if (!read_text(&p, t->symbols_end, out))
			return err_set(e, -EBADMSG, "%s: the symbol table has changed", t->name);
	return 0;
}

uint32_t index_tables_symbol_at(const struct index_tables *t, uint64_t offset)
{
	uint64_t first = (uint64_t)(t->symbols - t->p);
	size_t low = 0, high = t->symbol_at.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (first + t->symbol_at.data[mid] < offset)
			low = mid + 1;
		else
			high = mid;
	}
	bool is_there = low < t->symbol_at.len && first + t->symbol_at.data[low] == offset;
	return is_there ? (uint32_t)low : UINT32_MAX;
}

bool index_tables_entry(const struct index_tables *t, const uint8_t *at, struct table_entry *out)
{
	uint64_t keys;
	const uint8_t *p = varint_get(at, t->entries_end, &keys);
	if (p > t->entries_end || keys != 2 || !read_text(&p, t->entries_end, &out->name) ||
		!read_text(&p, t->entries_end, &out->value))
		return false;
	out->end = varint_get(p, t->entries_end, &out->list);
	return out->end <= t->entries_end;
}

static int by_key(const void *a, const void *b, void *arg)
{
	struct table_entry x, y;
	const struct index_tables *t = arg;
	if (!index_tables_entry(t, t->entries + *(const uint32_t *)a, &x) ||
		!index_tables_entry(t, t->entries + *(const uint32_t *)b, &y))
		return 0; /* they were read before: whoever reads them again will see */
	int order = text_cmp(x.name, y.name);
	return order ? order : text_cmp(x.value, y.value);
}

/* Takes the entry into account that comes next in order; its texts are copied once all are there. */
static int add_entry(
	struct index_tables *t, const struct table_entry *entry, uint32_t offset, bool is_new, struct err *e)
{
	if (!entry->name.len) {
		if (!entry->value.len) {
			t->has_all = true;
			t->all = entry->list;
		}
		return 0;
	}
	if (is_new) {
		if (t->names.len == NAMES_MAX)
			return err_set(e, -EBADMSG, "%s has more than %u label names", t->name, NAMES_MAX);
		vec_push(&t->names,
			(struct index_name){ .name = entry->name, .first = (uint32_t)t->entry_at.len });
	}
	struct index_name *name = &t->names.data[t->names.len - 1];
	if (t->stride == 1 || name->n_values % t->stride == 0)
		vec_push(&t->entry_at, offset);
	name->n_values++;
	return 0;
}

/* Goes through the table as it stands. *is_sorted false: it isn't, and what was gathered is of no use. */
static int walk_entries(struct index_tables *t, uint32_t count, bool *is_sorted, struct err *e)
{
	struct table_entry before = { 0 }, next;
	const uint8_t *at = t->entries;
	*is_sorted = true;
	for (uint32_t i = 0; i < count; i++, at = next.end, before = next) {
		if (!index_tables_entry(t, at, &next))
			return err_set(e, -EBADMSG, "%s: entry %u of the table of postings is malformed",
				t->name, i);
		int order = text_cmp(before.name, next.name);
		if (i && (order > 0 || (order == 0 && text_cmp(before.value, next.value) >= 0)))
			*is_sorted = false;
		int r = *is_sorted ? add_entry(t, &next, (uint32_t)(at - t->entries), i == 0 || order != 0, e)
				   : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int sort_entries(struct index_tables *t, uint32_t count, struct err *e)
{
	struct table_entry before = { 0 }, next;
	VEC(uint32_t) all = { 0 };
	const uint8_t *at = t->entries;
	t->stride = 1;
	t->names.len = t->entry_at.len = 0;
	t->has_all = false;
	vec_reserve(&t->entry_at, count);
	vec_reserve(&all, count);
	int r = 0;
	for (uint32_t i = 0; i < count && index_tables_entry(t, at, &next); i++, at = next.end)
		vec_push(&all, (uint32_t)(at - t->entries));
	qsort_r(all.data, all.len, sizeof *all.data, by_key, t);
	for (size_t i = 0; i < all.len && r == 0; i++, before = next) {
		if (!index_tables_entry(t, t->entries + all.data[i], &next))
			r = err_set(e, -EBADMSG, "%s: the table of postings has changed", t->name);
		else
			r = add_entry(t, &next, all.data[i], i == 0 || !text_is(before.name, next.name), e);
	}
	vec_fini(&all);
	return r;
}

static void copy_names(struct index_tables *t)
{
	vec_each (n, &t->names)
		buf_add(&t->name_texts, n->name.p, n->name.len);
	const char *p = (const char *)t->name_texts.data;
	vec_each (n, &t->names) {
		n->name.p = p;
		p += n->name.len;
	}
}

static int open_entries(struct index_tables *t, uint64_t at, struct err *e)
{
	uint32_t count;
	bool is_sorted;
	int r = open_table(t, at, "table of postings", &count, &t->entries, &t->entries_end, e);
	if (r < 0)
		return r;
	if (count > (size_t)(t->entries_end - t->entries) / ENTRY_MIN_SIZE)
		return err_set(e, -EBADMSG, "%s: the table of postings claims %u entries", t->name, count);
	t->stride = STRIDE;
	r = walk_entries(t, count, &is_sorted, e);
	if (r == 0 && !is_sorted)
		r = sort_entries(t, count, e);
	if (r == 0)
		copy_names(t);
	return r;
}

int index_tables_open(struct index_tables *t, const char *name, const uint8_t *p, size_t n, struct err *e)
{
	*t = (struct index_tables){ .name = name, .p = p };
	if (n < INDEX_HEADER_BYTES + TOC_BYTES)
		return err_set(e, -EBADMSG, "%s is too short for an index: %zu bytes", name, n);
	if (index_be32(p) != MAGIC)
		return err_set(
			e, -EBADMSG, "%s is not an index: its first bytes are %08x", name, index_be32(p));
	t->version = p[4];
	if (t->version < 1 || t->version > 3)
		return err_set(e, -EBADMSG, "%s has index version %u, known are 1 to 3", name, t->version);
	t->end = n - TOC_BYTES;
	const uint8_t *toc = p + t->end;
	if (crc32c(0, toc, TOC_BYTES - INDEX_CRC_BYTES) != index_be32(toc + TOC_BYTES - INDEX_CRC_BYTES))
		return err_set(e, -EBADMSG, "%s: the checksum of the table of contents is wrong", name);
	struct dec d = dec_over(toc, TOC_BYTES);
	uint64_t at[N_SECTIONS];
	for (int i = 0; i < N_SECTIONS; i++)
		at[i] = dec_be64(&d);
	int r = open_symbols(t, at[SYMBOLS], e);
	return r < 0 ? r : open_entries(t, at[POSTINGS_TABLE], e);
}

void index_tables_fini(struct index_tables *t)
{
	vec_fini(&t->symbol_at);
	vec_fini(&t->names);
	vec_fini(&t->entry_at);
	buf_fini(&t->name_texts);
}
