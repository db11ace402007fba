/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening goes through the symbol table and the table of postings once and keeps the place of every 32nd entry of each (in the latter
 * of every 32nd of a name, its first one among them), so that a lookup is a binary search in these and a walk. A table of postings that
 * isn't sorted, as version 1 may have it, is kept whole, sorted.
 *
 * Symbols are copied when they are first asked for, to an arena that grows to the size of the symbol table at most. Their texts are
 * published by their pointers, so that the way to one that is there takes no lock.
 *
 * All sections end before the table of contents, whose 52 bytes are what varint_get may read past an end.
 */
#include "lib/tsdb/index_read.h"

#include "lib/base/arena.h"
#include "lib/base/crc32c.h"
#include "lib/tsdb/index_tables.h"
#include "lib/tsdb/varint.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define SERIES_ALIGN 16

struct symbol {
	const char *_Atomic p; /* NULL: not copied yet */
	uint32_t len;
};

struct index_read {
	char *name;
	struct index_tables tables;
	uint64_t align; /* of series: what a ref counts */
	struct symbol *symbols;

	pthread_mutex_t lock;
	/* under lock */
	struct arena *texts;
};

int index_read_open(const char *name, const uint8_t *bytes, size_t n, struct index_read **out, struct err *e)
{
	struct index_read *r = xcalloc(1, sizeof *r);
	*out = r; /* at once: a fault leaves it to the caller */
	r->name = xstrdup(name);
	pthread_mutex_init(&r->lock, NULL);
	r->texts = arena_new(NULL);
	int x = index_tables_open(&r->tables, name, bytes, n, e);
	if (x < 0) {
		index_read_close(take(*out));
		return x;
	}
	r->align = r->tables.version == 1 ? 1 : SERIES_ALIGN;
	r->symbols = xcalloc((size_t)r->tables.n_symbols + 1, sizeof *r->symbols);
	return 0;
}

void index_read_close(struct index_read *r)
{
	if (!r)
		return;
	index_tables_fini(&r->tables);
	arena_free(r->texts);
	pthread_mutex_destroy(&r->lock);
	free(r->symbols);
	free(r->name);
	free(r);
}

const char *index_read_file(const struct index_read *r)
{
	return r->name;
}

size_t index_read_max_postings(const struct index_read *r)
{
	return r->tables.end / POSTING_BYTES;
}

uint32_t index_read_symbols(const struct index_read *r)
{
	return r->tables.n_symbols;
}

static int copy_symbol(struct index_read *r, uint32_t number, struct text *out, struct err *e)
{
	struct symbol *s = &r->symbols[number];
	struct text there;
	int x = index_tables_symbol(&r->tables, number, &there, e);
	if (x < 0)
		return x;
	/* The mapping isn't touched with the lock held: a fault would leave it locked. */
	char few[256], *copy = there.len <= sizeof few ? few : xmalloc(there.len);
	if (there.len)
		memcpy(copy, there.p, there.len);
	pthread_mutex_lock(&r->lock);
	if (!atomic_load_explicit(&s->p, memory_order_relaxed)) {
		s->len = there.len;
		atomic_store_explicit(&s->p, arena_strndup(r->texts, copy, there.len), memory_order_release);
	}
	pthread_mutex_unlock(&r->lock);
	if (copy != few)
		free(copy);
	*out = (struct text){ atomic_load_explicit(&s->p, memory_order_relaxed), s->len };
	return 0;
}

int index_read_symbol(struct index_read *r, uint32_t number, struct text *out, struct err *e)
{
	struct symbol *s = &r->symbols[number];
	const char *p = atomic_load_explicit(&s->p, memory_order_acquire);
	if (__builtin_expect(!p, 0))
		return copy_symbol(r, number, out, e);
	*out = (struct text){ p, s->len };
	return 0;
}

const struct index_name *index_read_names(const struct index_read *r, size_t *n)
{
	*n = r->tables.names.len;
	return r->tables.names.data;
}

const struct index_name *index_read_name(const struct index_read *r, struct text name)
{
	size_t low = 0, high = r->tables.names.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = text_cmp(r->tables.names.data[mid].name, name);
		if (order == 0)
			return &r->tables.names.data[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static int read_entry(const struct index_values *v, struct table_entry *out, struct err *e)
{
	if (index_tables_entry(&v->r->tables, v->at, out))
		return 0;
	return err_set(e, -EBADMSG, "%s: the table of postings has changed", v->r->name);
}

/* To the k-th value of the name. */
static void place(struct index_values *v, const struct index_name *name, uint32_t k)
{
	const struct index_tables *t = &v->r->tables;
	v->sample = name->first + k / t->stride;
	v->within = 0;
	v->left = name->n_values - k;
	v->at = v->left ? index_tables_at(t, v->sample) : NULL;
}

static void step(struct index_values *v, const struct table_entry *from)
{
	const struct index_tables *t = &v->r->tables;
	if (--v->left == 0)
		return;
	if (++v->within < t->stride) {
		v->at = from->end;
	} else {
		v->within = 0;
		v->at = index_tables_at(t, ++v->sample);
	}
}

int index_values_begin(const struct index_read *r, const struct index_name *name, struct text from,
	struct index_values *out, struct err *e)
{
	*out = (struct index_values){ .r = r };
	struct table_entry entry;
	uint32_t stride = r->tables.stride, low = 0, high = (name->n_values + stride - 1) / stride;
	place(out, name, 0);
	if (!from.len)
		return 0;
	/* The last sample that isn't greater, or the first. */
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		place(out, name, mid * stride);
		if (read_entry(out, &entry, e) < 0)
			return -EBADMSG;
		if (text_cmp(entry.value, from) <= 0)
			low = mid;
		else
			high = mid;
	}
	place(out, name, low * stride);
	for (;; step(out, &entry)) {
		if (!out->left)
			return 0;
		if (read_entry(out, &entry, e) < 0)
			return -EBADMSG;
		if (text_cmp(entry.value, from) >= 0)
			return 0;
	}
}

int index_values_next(struct index_values *v, struct text *value, uint64_t *list, struct err *e)
{
	struct table_entry entry;
	if (!v->left)
		return 0;
	if (read_entry(v, &entry, e) < 0)
		return -EBADMSG;
	*value = entry.value;
	*list = entry.list;
	step(v, &entry);
	return 1;
}

int index_read_list(const struct index_read *r, uint64_t list, struct postings *out, struct err *e)
{
	const uint8_t *p;
	size_t n;
	*out = (struct postings){ 0 };
	if (!index_tables_section(&r->tables, list, &p, &n) || n < 4)
		return err_set(e, -EBADMSG, "%s: the postings list at offset %llu leaves the file", r->name,
			(unsigned long long)list);
	uint32_t count = index_be32(p);
	if ((n - 4) / POSTING_BYTES != count || (n - 4) % POSTING_BYTES)
		return err_set(e, -EBADMSG,
			"%s: the postings list at offset %llu claims %u series in %zu bytes", r->name,
			(unsigned long long)list, count, n);
	if (crc32c(0, p, n) != index_be32(p + n))
		return err_set(e, -EBADMSG, "%s: the checksum of the postings list at offset %llu is wrong",
			r->name, (unsigned long long)list);
	*out = (struct postings){ p + 4, count };
	return 0;
}

static int find_list(const struct index_read *r, const struct index_name *name, struct text value,
	struct postings *out, struct err *e)
{
	struct index_values v;
	struct text found = { 0 };
	uint64_t list = 0;
	*out = (struct postings){ 0 };
	int x = index_values_begin(r, name, value, &v, e);
	if (x == 0)
		x = index_values_next(&v, &found, &list, e);
	if (x <= 0 || !text_is(found, value))
		return x < 0 ? x : 0;
	return index_read_list(r, list, out, e);
}

int index_read_all(const struct index_read *r, struct postings *out, struct err *e)
{
	*out = (struct postings){ 0 };
	if (!r->tables.has_all)
		return 0;
	return index_read_list(r, r->tables.all, out, e);
}

int index_read_postings(
	const struct index_read *r, struct text name, struct text value, struct postings *out, struct err *e)
{
	const struct index_name *n = index_read_name(r, name);
	*out = (struct postings){ 0 };
	return n ? find_list(r, n, value, out, e) : 0;
}

void index_entry_fini(struct index_entry *s)
{
	vec_fini(&s->pairs);
	vec_fini(&s->chunks);
}

static int bad(const struct index_read *r, uint32_t ref, struct err *e, const char *what)
{
	return err_set(e, -EBADMSG, "%s: the series at offset %llu %s", r->name,
		(unsigned long long)ref * r->align, what);
}

int index_read_labels(const struct index_read *r, uint32_t ref, struct index_entry *s, struct err *e)
{
	const struct index_tables *t = &r->tables;
	uint64_t at = ref * r->align, len, count;
	if (at < INDEX_HEADER_BYTES || at >= t->end)
		return bad(r, ref, e, "isn't within the file");
	const uint8_t *limit = t->p + t->end, *p = varint_get(t->p + at, limit, &len);
	if (p > limit || (size_t)(limit - p) < INDEX_CRC_BYTES || len > (size_t)(limit - p) - INDEX_CRC_BYTES)
		return bad(r, ref, e, "has a length that leaves the file");
	const uint8_t *end = p + len;
	if (crc32c(0, p, (size_t)len) != index_be32(end))
		return bad(r, ref, e, "has a wrong checksum");
	p = varint_get(p, end, &count);
	if (p > end || count > (size_t)(end - p) / 2)
		return bad(r, ref, e, "claims more labels than fit");
	s->pairs.len = 0;
	vec_reserve(&s->pairs, 2 * (size_t)count + 1);
	uint32_t *pair = s->pairs.data;
	uint64_t least = 0;
	for (uint64_t i = 0; i < count; i++, pair += 2) {
		uint64_t name, value;
		p = varint_get(p, end, &name);
		if (__builtin_expect(p > end, 0))
			return bad(r, ref, e, "ends within its labels");
		p = varint_get(p, end, &value);
		if (__builtin_expect(p > end, 0))
			return bad(r, ref, e, "ends within its labels");
		if (__builtin_expect(t->version == 1, 0)) {
			name = index_tables_symbol_at(t, name);
			value = index_tables_symbol_at(t, value);
		}
		if (__builtin_expect(name >= t->n_symbols || value >= t->n_symbols, 0))
			return bad(r, ref, e, "names a symbol that isn't there");
		if (__builtin_expect(name < least, 0))
			return bad(r, ref, e, "has label names that don't rise");
		least = name + 1;
		pair[0] = (uint32_t)name;
		pair[1] = (uint32_t)value;
	}
	s->pairs.len = 2 * (size_t)count;
	s->p = p;
	s->end = end;
	return 0;
}

/* Goes through chunks: the first one's time is a varint and its ref a uvarint, later ones the other way round. */
struct chunk_walk {
	const uint8_t *p, *end;
	uint64_t left, t, ref;
	bool is_later;
};

static const char *walk_begin(struct chunk_walk *w, const uint8_t *p, const uint8_t *end)
{
	*w = (struct chunk_walk){ .end = end };
	w->p = varint_get(p, end, &w->left);
	return w->p > end || w->left > (size_t)(end - w->p) / 3 ? "claims more chunks than fit" : NULL;
}

static inline const char *walk_next(struct chunk_walk *w, struct chunk_meta *out)
{
	uint64_t gap, span, move;
	const uint8_t *p = varint_get(w->p, w->end, &gap);
	if (p <= w->end)
		p = varint_get(p, w->end, &span);
	if (p <= w->end)
		p = varint_get(p, w->end, &move);
	if (__builtin_expect(p > w->end, 0))
		return "ends within its chunks";
	int64_t before = (int64_t)w->t;
	w->t += w->is_later ? gap : (uint64_t)unzigzag(gap);
	w->ref += w->is_later ? (uint64_t)unzigzag(move) : move;
	out->mint = (int64_t)w->t;
	w->t += span;
	out->maxt = (int64_t)w->t;
	out->ref = w->ref;
	w->p = p;
	w->left--;
	if (__builtin_expect(out->maxt < out->mint || (w->is_later && out->mint < before), 0))
		return "has chunks that don't rise by time";
	w->is_later = true;
	return NULL;
}

int index_read_chunks(const struct index_read *r, uint32_t ref, struct index_entry *s, struct err *e)
{
	struct chunk_walk w;
	const char *wrong = walk_begin(&w, s->p, s->end);
	s->chunks.len = 0;
	if (!wrong)
		vec_reserve(&s->chunks, w.left);
	while (!wrong && w.left)
		wrong = walk_next(&w, vec_push_slot(&s->chunks));
	return wrong ? bad(r, ref, e, wrong) : 0;
}

int index_read_touches(const struct index_read *r, uint32_t ref, const struct index_entry *s, int64_t mint,
	int64_t maxt, struct err *e)
{
	struct chunk_walk w;
	const char *wrong = walk_begin(&w, s->p, s->end);
	while (!wrong && w.left) {
		struct chunk_meta c;
		wrong = walk_next(&w, &c);
		if (!wrong && c.mint > maxt)
			return 0;
		if (!wrong && c.maxt >= mint)
			return 1;
	}
	return wrong ? bad(r, ref, e, wrong) : 0;
}
