/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the logs of runs into postings lists. The counts say how long each list is, so as many whole lists as
 * fit are laid out in a window of memory, the logs of the names they belong to are replayed into it, and the
 * window is written. A list larger than the window is streamed: its refs come in order.
 */
#include "lib/tsdb/postings_write.h"

#include "lib/base/crc32c.h"
#include "lib/base/file.h"
#include "lib/tsdb/postings_gather.h"
#include "lib/tsdb/varint.h"

#include <endian.h>
#include <errno.h>
#include <sys/mman.h>

#define REF_BYTES     4
#define REFS_MAPPED   (4u << 20) /* refs read before their pages are given back */
#define LIST_EXTRA    12         /* bytes of a list beside its refs: length, count, checksum */
#define LIST_MAX_REFS ((UINT32_MAX - 4) / REF_BYTES)

struct finish {
	struct postings_writer *w;
	struct append_file *out;
	const uint8_t *refs; /* mapped */
	size_t refs_bytes;
	uint8_t *window;
	struct scratch_table order; /* uint32_t: handles by name, then value */
	uint32_t *ranked;           /* numbers of names in the order of their symbols */
	struct run *block;          /* RUNS_PER_BLOCK */
};

static void put_be32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof v);
}

static uint64_t list_bytes(uint32_t count)
{
	return LIST_EXTRA + (uint64_t)count * REF_BYTES;
}

static int by_symbol(const void *a, const void *b, void *arg)
{
	const struct postings_writer *w = arg;
	uint32_t x = w->names.data[*(const uint32_t *)a].symbol,
		 y = w->names.data[*(const uint32_t *)b].symbol;
	return (x > y) - (x < y);
}

static int by_value(const void *a, const void *b, void *arg)
{
	const struct postings_writer *w = arg;
	uint32_t x = posting_value(w, *(const uint32_t *)a), y = posting_value(w, *(const uint32_t *)b);
	return (x > y) - (x < y);
}

/* Puts the next pair of its name into the order; `at` is by number of name. */
static void place(struct finish *f, uint64_t *at, uint32_t handle)
{
	struct posting_pair *p = &posting_pairs(f->w)[handle];
	if (p->name) {
		((uint32_t *)f->order.data)[at[p->name - 1]++] = handle;
		p->name = 0;
	}
}

/* Sorts the pairs: values are met in order and dealt out to their names. */
static int sort_pairs(struct finish *f, const char *beside, struct err *e)
{
	struct postings_writer *w = f->w;
	size_t n_names = w->names.len;
	f->ranked = xcalloc(n_names + 1, sizeof *f->ranked);
	for (uint32_t i = 0; i < n_names; i++)
		f->ranked[i] = i;
	qsort_r(f->ranked, n_names, sizeof *f->ranked, by_symbol, w);
	auto_free uint64_t *at = xcalloc(n_names + 1, sizeof *at);
	uint64_t sum = 0;
	for (size_t i = 0; i < n_names; i++) {
		at[f->ranked[i]] = sum;
		sum += w->names.data[f->ranked[i]].n_pairs;
	}
	int r = scratch_table_open(&f->order, beside, w->n_pairs * sizeof(uint32_t), e);
	/* The hash is done with; its table takes the further pairs in the order of their values. */
	if (r == 0)
		r = scratch_table_grow(&w->more_slots, w->n_more * sizeof(uint32_t), e);
	if (r < 0)
		return r;
	uint32_t *more = w->more_slots.data, m = 0;
	for (uint32_t i = 0; i < w->n_more; i++)
		more[i] = w->n_symbols + i;
	qsort_r(more, w->n_more, sizeof *more, by_value, w);
	for (uint32_t v = 0; v < w->n_symbols; v++) {
		place(f, at, v);
		while (m < w->n_more && posting_value(w, more[m]) == v)
			place(f, at, more[m++]);
	}
	return 0;
}

static int map_refs(struct finish *f, struct err *e)
{
	int r = append_file_flush(&f->w->refs, e);
	if (r == 0)
		r = append_file_flush(&f->w->log, e);
	f->refs_bytes = (size_t)f->w->n_series * REF_BYTES;
	if (r < 0 || !f->refs_bytes)
		return r;
	void *p = mmap(NULL, f->refs_bytes, PROT_READ, MAP_SHARED, f->w->refs.fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, -errno, "mapping %s", f->w->refs.path);
	f->refs = p;
	madvise(p, f->refs_bytes, MADV_SEQUENTIAL);
	return 0;
}

/* Takes the refs' pages out of our memory; they stay in the page cache. */
static void release_refs(struct finish *f)
{
	if (f->refs)
		madvise((void *)(uintptr_t)f->refs, f->refs_bytes, MADV_DONTNEED);
}

/* A list too large for the window. */
struct stream {
	uint32_t handle;
	uint32_t crc;
};

static int stream_refs(struct finish *f, struct stream *s, uint32_t first, uint32_t end, struct err *e)
{
	const uint8_t *from = f->refs + (size_t)first * REF_BYTES;
	size_t n = (size_t)(end - first) * REF_BYTES;
	s->crc = crc32c(s->crc, from, n);
	return append_file_add(f->out, from, n, e);
}

static inline void window_refs(struct finish *f, uint32_t pair, uint32_t first, uint32_t end)
{
	uint32_t at = posting_pairs(f->w)[pair].name;
	if (!at)
		return;
	const uint8_t *from = f->refs + (size_t)first * REF_BYTES;
	uint8_t *to = f->window + at;
	uint32_t n = end - first;
	posting_pairs(f->w)[pair].name = at + n * REF_BYTES;
	if (n > 8) {
		memcpy(to, from, (size_t)n * REF_BYTES);
		return;
	}
	for (; n; n--, to += REF_BYTES, from += REF_BYTES)
		memcpy(to, from, REF_BYTES);
}

static inline int emit(
	struct finish *f, struct stream *s, uint32_t pair, uint32_t first, uint32_t end, struct err *e)
{
	if (!s)
		window_refs(f, pair, first, end);
	else if (pair == s->handle)
		return stream_refs(f, s, first, end, e);
	return 0;
}

/* Runs through the log of one name, into the window, or, where `s` is set, picking one list. */
static int replay(struct finish *f, const struct posting_name *n, struct stream *s, struct err *e)
{
	struct run last = { .pair = PAIR_NONE };
	uint32_t release_at = REFS_MAPPED;
	for (size_t b = 0; b <= n->blocks.len; b++) {
		const struct run *runs = n->runs;
		size_t count = n->n_runs;
		if (b < n->blocks.len) {
			runs = f->block;
			count = n->blocks.data[b].n;
			int r = file_pread_all(
				f->w->log.fd, f->block, count * sizeof *runs, n->blocks.data[b].at);
			if (r < 0)
				return err_errno(e, r, "reading %s", f->w->log.path);
		}
		for (size_t i = 0; i < count; i++) {
			int r = 0;
			if (last.pair != PAIR_NONE)
				r = emit(f, s, last.pair, last.first, runs[i].first, e);
			if (r < 0)
				return r;
			last = runs[i];
		}
		if (last.first > release_at) {
			release_refs(f);
			release_at = last.first + REFS_MAPPED;
		}
	}
	return last.pair == PAIR_NONE ? 0 : emit(f, s, last.pair, last.first, f->w->n_series, e);
}

/* Writes the head of a list of `count` refs. */
static int begin_list(struct finish *f, uint32_t count, uint32_t *crc, struct err *e)
{
	uint8_t head[8];
	if (count > LIST_MAX_REFS)
		return err_set(e, -EFBIG,
			"a postings list of %u series is longer than the 4 GiB an index allows", count);
	put_be32(head, 4 + count * REF_BYTES);
	put_be32(head + 4, count);
	*crc = crc32c(0, head + 4, 4);
	return append_file_add(f->out, head, sizeof head, e);
}

static int end_list(struct finish *f, uint32_t crc, struct err *e)
{
	uint8_t tail[4];
	put_be32(tail, crc);
	return append_file_add(f->out, tail, sizeof tail, e);
}

static int write_streamed(struct finish *f, uint32_t name, uint32_t handle, struct err *e)
{
	struct stream s = { .handle = handle };
	int r = begin_list(f, posting_pairs(f->w)[handle].count, &s.crc, e);
	if (r == 0)
		r = replay(f, &f->w->names.data[name], &s, e);
	return r < 0 ? r : end_list(f, s.crc, e);
}

/* The list of all series, in steps so that its pages can go again. */
static int write_all_list(struct finish *f, struct err *e)
{
	struct stream s = { .handle = 0 };
	int r = begin_list(f, f->w->n_series, &s.crc, e);
	for (uint32_t at = 0; r == 0 && at < f->w->n_series;) {
		uint32_t n = MIN_OF(REFS_MAPPED, f->w->n_series - at);
		r = stream_refs(f, &s, at, at + n, e);
		at += n;
		release_refs(f);
	}
	return r < 0 ? r : end_list(f, s.crc, e);
}

/* Lays out lists [from, to) of the order in the window; returns how many fit and the bytes they take. */
static uint64_t lay_out(struct finish *f, uint64_t from, uint64_t to, size_t *used)
{
	const uint32_t *order = f->order.data;
	for (; from < to; from++) {
		struct posting_pair *p = &posting_pairs(f->w)[order[from]];
		if (list_bytes(p->count) > f->w->window_bytes - *used)
			break;
		put_be32(f->window + *used, 4 + p->count * REF_BYTES);
		put_be32(f->window + *used + 4, p->count);
		p->name = (uint32_t)*used + 8;
		*used += list_bytes(p->count);
	}
	return from;
}

static int write_window(struct finish *f, uint64_t from, uint64_t to, size_t used, struct err *e)
{
	const uint32_t *order = f->order.data;
	uint8_t *p = f->window;
	for (uint64_t i = from; i < to; i++) {
		struct posting_pair *pair = &posting_pairs(f->w)[order[i]];
		size_t body = 4 + (size_t)pair->count * REF_BYTES;
		put_be32(p + 4 + body, crc32c(0, p + 4, body));
		p += 4 + body + 4;
		pair->name = 0;
	}
	return append_file_add(f->out, f->window, used, e);
}

/*
 * Lists that are laid out wait in the window until it is full, so that many small names share a write.
 * `first` is the rank of the first name in it.
 */
static int write_lists(struct finish *f, struct err *e)
{
	struct postings_writer *w = f->w;
	const uint32_t *order = f->order.data;
	uint64_t from = 0, at = 0, name_end = 0;
	size_t used = 0, first = 0;
	for (size_t rank = 0; rank < w->names.len; rank++) {
		name_end += w->names.data[f->ranked[rank]].n_pairs;
		while (at < name_end) {
			at = lay_out(f, at, name_end, &used);
			if (at == name_end && rank + 1 < w->names.len)
				break; /* more may fit */
			int r = 0;
			for (size_t k = first; used && k <= rank && r == 0; k++) {
				r = replay(f, &w->names.data[f->ranked[k]], NULL, e);
				release_refs(f);
			}
			if (r == 0)
				r = write_window(f, from, at, used, e);
			if (r == 0 && at < name_end &&
				list_bytes(posting_pairs(w)[order[at]].count) > w->window_bytes)
				r = write_streamed(f, f->ranked[rank], order[at++], e);
			if (r < 0)
				return r;
			from = at;
			used = 0;
			first = at < name_end ? rank : rank + 1;
		}
	}
	return 0;
}

struct table {
	struct append_file *out;
	uint32_t crc;
	uint64_t list; /* where the next entry's list starts */
};

static int write_entry(struct table *t, const uint8_t *name, size_t name_len, const uint8_t *value,
	size_t value_len, uint32_t count, struct err *e)
{
	uint8_t a[1 + VARINT_SLACK], b[VARINT_SLACK], c[VARINT_SLACK];
	a[0] = 2; /* parts of the key */
	size_t a_len = (size_t)(varint_put(a + 1, name_len) - a);
	size_t b_len = (size_t)(varint_put(b, value_len) - b);
	size_t c_len = (size_t)(varint_put(c, t->list) - c);
	const struct {
		const uint8_t *p;
		size_t n;
	} parts[] = { { a, a_len }, { name, name_len }, { b, b_len }, { value, value_len }, { c, c_len } };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		int r = append_file_add(t->out, parts[i].p, parts[i].n, e);
		if (r < 0)
			return r;
		t->crc = crc32c(t->crc, parts[i].p, parts[i].n);
	}
	t->list += list_bytes(count);
	return 0;
}

static int write_table(struct finish *f, const struct symbol_lookup *symbols, uint64_t lists, struct err *e)
{
	struct postings_writer *w = f->w;
	struct table t = { .out = f->out, .list = lists };
	uint64_t start = append_file_at(f->out), i = 0;
	uint8_t head[8] = { 0 };
	if (w->n_pairs + 1 > UINT32_MAX)
		return err_set(e, -EFBIG, "more than %u label pairs", UINT32_MAX - 1);
	put_be32(head + 4, (uint32_t)w->n_pairs + 1);
	t.crc = crc32c(0, head + 4, 4);
	int r = append_file_add(f->out, head, sizeof head, e);
	if (r == 0)
		r = write_entry(&t, (const uint8_t *)"", 0, (const uint8_t *)"", 0, w->n_series, e);
	struct buf name = { 0 };
	for (size_t rank = 0; r == 0 && rank < w->names.len; rank++) {
		const struct posting_name *n = &w->names.data[f->ranked[rank]];
		size_t len;
		const uint8_t *text = symbols->text(symbols, n->symbol, &len);
		buf_reset(&name);
		buf_add(&name, text, len);
		for (uint32_t k = 0; r == 0 && k < n->n_pairs; k++, i++) {
			uint32_t handle = ((const uint32_t *)f->order.data)[i];
			text = symbols->text(symbols, posting_value(w, handle), &len);
			r = write_entry(
				&t, name.data, name.len, text, len, posting_pairs(w)[handle].count, e);
		}
	}
	buf_fini(&name);
	uint64_t bytes = append_file_at(f->out) - start - 4;
	if (r == 0 && bytes > UINT32_MAX)
		r = err_set(e, -EFBIG,
			"the postings offset table has %llu bytes, 4 GiB is the most an index allows",
			(unsigned long long)bytes);
	if (r == 0)
		r = end_list(f, t.crc, e);
	put_be32(head, (uint32_t)bytes);
	return r < 0 ? r : append_file_patch(f->out, head, 4, start, e);
}

int postings_writer_finish(struct postings_writer *w, struct append_file *out,
	const struct symbol_lookup *symbols, uint64_t *lists, uint64_t *table, struct err *e)
{
	struct finish f = { .w = w, .out = out };
	f.order.file.fd = -1;
	postings_gather_end(w);
	int r = sort_pairs(&f, out->path, e);
	if (r == 0)
		r = map_refs(&f, e);
	if (r == 0)
		r = append_file_align(out, REF_BYTES, e);
	*lists = append_file_at(out);
	if (r == 0)
		r = write_all_list(&f, e);
	if (r == 0) {
		f.block = xcalloc(RUNS_PER_BLOCK, sizeof *f.block);
		f.window = mmap(
			NULL, w->window_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (f.window == MAP_FAILED) {
			f.window = NULL;
			r = err_errno(e, -errno, "mapping %zu bytes", w->window_bytes);
		}
	}
	if (r == 0)
		r = write_lists(&f, e);
	*table = append_file_at(out);
	if (f.window)
		munmap(f.window, w->window_bytes);
	if (r == 0)
		r = write_table(&f, symbols, *lists, e);
	if (f.refs)
		munmap((void *)(uintptr_t)f.refs, f.refs_bytes);
	scratch_table_close(&f.order);
	free(f.ranked);
	free(f.block);
	return r;
}
