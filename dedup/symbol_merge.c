/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A k-way merge of sorted texts. Only one text a source is in memory; what is kept is a number a symbol, in a
 * mapped scratch file. The strings from outside are one more sorted source.
 */
#include "dedup/symbol_merge.h"

#include "dedup/kway.h"
#include "dedup/scratch_file.h"
#include "lib/base/sorted.h"
#include "lib/tsdb/index_stream.h"
#include "lib/tsdb/index_write.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct symbol_maps {
	uint32_t *numbers; /* of all sources, one after the other */
	size_t bytes, n;
	struct symbol_map maps[];
};

struct text {
	const char *p;
	size_t len;
};

struct merging {
	struct index_stream *const *streams;
	size_t n; /* streams; number n is the strings from outside */
	struct text *current;
	uint32_t *read;                        /* symbols read before the current one */
	struct symbol_name **names;            /* sorted */
	size_t n_names, next_name, after_name; /* names[next_name..after_name) are the current text */
	struct kway kway;
	struct symbol_maps *maps;
};

static void merging_fini(struct merging *m)
{
	free(m->current);
	free(m->read);
	free(m->names);
	kway_fini(&m->kway);
	symbol_maps_free(m->maps);
}

static int cmp_current(const void *arg, unsigned a, unsigned b)
{
	const struct text *x = (const struct text *)arg + a, *y = (const struct text *)arg + b;
	size_t n = MIN_OF(x->len, y->len);
	int c = n ? memcmp(x->p, y->p, n) : 0;
	return c ? c : (x->len > y->len) - (x->len < y->len);
}

static int cmp_names(const void *a, const void *b)
{
	return strcmp((*(struct symbol_name *const *)a)->text, (*(struct symbol_name *const *)b)->text);
}

static int maps_new(const char *dir, struct index_stream *const *streams, size_t n, struct symbol_maps **out,
	struct err *e)
{
	auto_of(symbol_maps) struct symbol_maps *m = xcalloc(1, sizeof *m + n * sizeof m->maps[0]);
	uint64_t total = 0;
	m->n = n;
	for (size_t i = 0; i < n; i++)
		total += m->maps[i].n = index_stream_symbol_count(streams[i]);
	if (total) {
		void *p = NULL;
		int r = scratch_file_map(dir, total * sizeof *m->numbers, &p, e);
		if (r < 0)
			return r;
		m->numbers = p;
		m->bytes = total * sizeof *m->numbers;
	}
	for (size_t i = 0, at = 0; total && i < n; at += m->maps[i++].n)
		m->maps[i].merged = m->numbers + at;
	*out = take(m);
	return 0;
}

/* Puts the source's next symbol, if there is one, into the race. */
static int advance_stream(struct merging *m, unsigned i, struct err *e)
{
	struct text *t = &m->current[i];
	int r = index_stream_symbol(m->streams[i], &t->p, &t->len, e);
	if (r < 0)
		return r;
	if ((r > 0) != (m->read[i] < m->maps->maps[i].n))
		return err_set(e, -EBADMSG, "symbol table claims %u entries and has %s", m->maps->maps[i].n,
			r > 0 ? "more" : "fewer");
	if (r > 0)
		kway_put(&m->kway, i, cmp_current, m->current);
	return 0;
}

static void advance_names(struct merging *m)
{
	size_t i = m->next_name = m->after_name;
	if (i == m->n_names)
		return;
	while (m->after_name < m->n_names && cmp_names(&m->names[i], &m->names[m->after_name]) == 0)
		m->after_name++;
	m->current[m->n] = (struct text){ .p = m->names[i]->text, .len = strlen(m->names[i]->text) };
	kway_put(&m->kway, (unsigned)m->n, cmp_current, m->current);
}

static bool is_in_merged_table(const struct merging *m)
{
	for (size_t i = 0; i < m->kway.n_group; i++) {
		if (m->kway.group[i] < m->n)
			return true;
	}
	for (size_t i = m->next_name; i < m->after_name; i++) {
		if (m->names[i]->add)
			return true;
	}
	return false;
}

/* Gives the texts of the group their number and moves its sources on. */
static int number_group(struct merging *m, uint32_t number, int *bad_source, struct err *e)
{
	for (size_t g = 0; g < m->kway.n_group; g++) {
		unsigned i = m->kway.group[g];
		if (i == m->n) {
			for (size_t k = m->next_name; k < m->after_name; k++)
				m->names[k]->number = number;
			advance_names(m);
			continue;
		}
		m->maps->numbers[(size_t)(m->maps->maps[i].merged - m->maps->numbers) + m->read[i]++] =
			number;
		int r = advance_stream(m, i, e);
		if (r < 0) {
			*bad_source = (int)i;
			return r;
		}
	}
	return 0;
}

static int merge(struct merging *m, struct index_writer *w, int *bad_source, struct err *e)
{
	for (unsigned i = 0; i < m->n; i++) {
		int r = advance_stream(m, i, e);
		if (r < 0) {
			*bad_source = (int)i;
			return r;
		}
	}
	advance_names(m);
	uint32_t total = 0;
	while (kway_take(&m->kway, cmp_current, m->current)) {
		uint32_t number = SYMBOL_NONE;
		if (is_in_merged_table(m)) {
			if (total >= SYMBOL_NONE - 1)
				return err_set(e, -EFBIG, "more than %u symbols in all sources", total);
			const struct text *t = &m->current[m->kway.group[0]];
			int r = index_writer_symbol(w, t->p, t->len, e);
			if (r < 0)
				return r;
			number = total++;
		}
		int r = number_group(m, number, bad_source, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int symbol_merge(const char *dir, struct index_stream *const *streams, size_t n, struct symbol_name *names,
	size_t n_names, struct index_writer *w, struct symbol_maps **out, int *bad_source, struct err *e)
{
	*bad_source = -1;
	__attribute__((cleanup(merging_fini))) struct merging m = {
		.streams = streams,
		.n = n,
		.current = xcalloc(n + 1, sizeof *m.current),
		.read = xcalloc(n + 1, sizeof *m.read),
		.names = xcalloc(n_names + 1, sizeof(struct symbol_name *)),
		.n_names = n_names,
	};
	kway_init(&m.kway, n + 1);
	for (size_t i = 0; i < n_names; i++)
		m.names[i] = &names[i];
	qsort(m.names, n_names, sizeof m.names[0], cmp_names);
	int r = maps_new(dir, streams, n, &m.maps, e);
	if (r == 0)
		r = merge(&m, w, bad_source, e);
	if (r < 0)
		return r;
	*out = take(m.maps);
	return 0;
}

uint32_t symbol_map_before(const struct symbol_map *m, uint32_t merged)
{
	return (uint32_t)lower_bound(i, m->n, m->merged[i] < merged);
}

uint32_t symbol_map_find(const struct symbol_map *m, uint32_t merged)
{
	uint32_t at = symbol_map_before(m, merged);
	return at < m->n && m->merged[at] == merged ? at : SYMBOL_NONE;
}

struct symbol_map symbol_maps_of(const struct symbol_maps *m, size_t source)
{
	return m->maps[source];
}

void symbol_maps_free(struct symbol_maps *m)
{
	if (m && m->numbers)
		munmap(m->numbers, m->bytes);
	free(m);
}
