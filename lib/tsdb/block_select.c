/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series stand in the index in the order of their labels, so neighbours share most of these: a label that is the same symbols as in the
 * series before is taken from there. That the order holds is seen by the same comparison, since symbols are numbered in order, too;
 * where it doesn't, the series are sorted.
 */
#include "lib/tsdb/block_select.h"

#include "lib/base/fault_guard.h"
#include "lib/base/interrupt.h"

#include <errno.h>

#define SERIES_WORK 200u /* that one is: see interrupt_after */

struct job {
	struct block_read *block;
	const struct condition *conditions;
	size_t n;
	int64_t mint, maxt;
	const struct text *name;
	size_t limit;
	struct arena *arena;
	struct block_selection *series;
	struct texts *texts;

	struct chosen chosen;
	struct index_entry entry;
	VEC(uint32_t) before; /* the pairs of the last series */
	bool is_unsorted;
	uint64_t *marks; /* a bit a symbol */
};

static void job_fini(struct job *j)
{
	chosen_fini(&j->chosen);
	index_entry_fini(&j->entry);
	vec_fini(&j->before);
	free(j->marks);
}

/* Whether something of the range is left of the series' chunks; 1, 0 or -errno. */
static int has_samples(struct job *j, uint32_t ref, struct err *e)
{
	const struct tombstone *t;
	size_t n = tombstones_of(&j->block->tombstones, ref, &t);
	if (!n)
		return index_read_touches(j->block->index, ref, &j->entry, j->mint, j->maxt, e);
	int r = index_read_chunks(j->block->index, ref, &j->entry, e);
	if (r < 0)
		return r;
	vec_each (c, &j->entry.chunks) {
		bool is_deleted = false;
		for (size_t i = 0; i < n; i++)
			is_deleted |= t[i].range.mint <= c->mint && c->maxt <= t[i].range.maxt;
		if (!is_deleted && c->maxt >= j->mint && c->mint <= j->maxt)
			return 1;
	}
	return 0;
}

static int compare_pairs(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
	size_t n = MIN_OF(n_a, n_b);
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return (n_a > n_b) - (n_a < n_b);
}

static int add_series(struct job *j, uint32_t ref, struct err *e)
{
	const uint32_t *now = j->entry.pairs.data, *before = j->before.data;
	size_t n = j->entry.pairs.len, n_before = j->before.len;
	const struct block_series *last =
		j->series->list.len ? &j->series->list.data[j->series->list.len - 1] : NULL;
	struct label_pair *pairs = arena_alloc(j->arena, n / 2 * sizeof *pairs);
	for (size_t i = 0; i < n; i += 2) {
		struct label_pair *p = &pairs[i / 2];
		if (last && i < n_before && now[i] == before[i] && now[i + 1] == before[i + 1]) {
			*p = last->labels.pairs[i / 2];
			continue;
		}
		int r = index_read_symbol(j->block->index, now[i], &p->name, e);
		if (r == 0)
			r = index_read_symbol(j->block->index, now[i + 1], &p->value, e);
		if (r < 0)
			return r;
	}
	if (last && compare_pairs(before, n_before, now, n) >= 0)
		j->is_unsorted = true;
	vec_push(&j->series->list, (struct block_series){ { pairs, n / 2 }, ref });
	vec_reserve(&j->before, n);
	memcpy(j->before.data, now, n * sizeof *now);
	j->before.len = n;
	return 0;
}

static int by_labels(const void *a, const void *b)
{
	return label_set_cmp(
		&((const struct block_series *)a)->labels, &((const struct block_series *)b)->labels);
}

static int choose_series(struct job *j, struct err *e)
{
	return choose(j->block->index, j->conditions, j->n, &j->chosen, e);
}

static int fits(struct job *j, uint32_t ref, struct err *e)
{
	int r = index_read_labels(j->block->index, ref, &j->entry, e);
	return r < 0 ? r : chosen_fits(&j->chosen, j->block->index, &j->entry, e);
}

static int go_on(struct err *e)
{
	return interrupt_after(SERIES_WORK) < 0 ? err_set(e, -ECANCELED, "nobody wants the rest") : 0;
}

static int select_series(void *arg, struct err *e)
{
	struct job *j = arg;
	int r = choose_series(j, e);
	for (size_t i = 0; i < j->chosen.list.n && r >= 0; i++) {
		uint32_t ref = postings_at(j->chosen.list, i);
		r = fits(j, ref, e);
		if (r > 0)
			r = has_samples(j, ref, e);
		if (r > 0 && j->entry.pairs.len)
			r = add_series(j, ref, e);
		if (r >= 0)
			r = go_on(e);
	}
	return r < 0 ? r : 0;
}

static int run(struct job *j, int (*fn)(void *arg, struct err *e), struct err *e)
{
	int r = fault_guard_run(fn, j, e);
	job_fini(j);
	return r < 0 ? err_wrap(e, r, "block %s", j->block->name) : 0;
}

int block_select(struct block_read *b, const struct condition *conditions, size_t n, int64_t mint,
	int64_t maxt, struct arena *a, struct block_selection *out, struct err *e)
{
	struct job j = { .block = b,
		.conditions = conditions,
		.n = n,
		.mint = mint,
		.maxt = maxt,
		.arena = a,
		.series = out };
	size_t from = out->list.len;
	int r = run(&j, select_series, e);
	if (r == 0 && j.is_unsorted)
		qsort(out->list.data + from, out->list.len - from, sizeof *out->list.data, by_labels);
	return r;
}

static bool is_full(const struct job *j)
{
	return j->limit && j->texts->list.len >= j->limit;
}

static void add_text(struct job *j, struct text t)
{
	vec_push(&j->texts->list, (struct text){ arena_strndup(j->arena, t.p, t.len), t.len });
}

static bool holds_all(const struct job *j, struct text value)
{
	for (size_t i = 0; i < j->n; i++)
		if (!condition_holds(&j->conditions[i], value))
			return false;
	return true;
}

/* The conditions, if there are any, are about these very values. */
static int list_values(struct job *j, struct err *e)
{
	const struct index_name *name = index_read_name(j->block->index, *j->name);
	struct index_values v;
	struct text value;
	uint64_t at;
	if (!name)
		return 0;
	int r = index_values_begin(j->block->index, name, (struct text){ 0 }, &v, e);
	while (r >= 0 && !is_full(j) && (r = index_values_next(&v, &value, &at, e)) > 0) {
		struct arena_mark mark = arena_mark(j->arena);
		struct text copy = { arena_strndup(j->arena, value.p, value.len), value.len };
		if (holds_all(j, copy))
			vec_push(&j->texts->list, copy);
		else
			arena_release(j->arena, mark);
	}
	return r;
}

static void list_names(struct job *j)
{
	size_t n;
	const struct index_name *names = index_read_names(j->block->index, &n);
	for (size_t i = 0; i < n && !is_full(j); i++)
		add_text(j, names[i].name);
}

/* Marks the names of the entry's labels, or the value of the one that is wanted. */
static int mark(struct job *j, uint32_t *wanted, struct err *e)
{
	const uint32_t *p = j->entry.pairs.data;
	for (size_t i = 0; i < j->entry.pairs.len; i += 2) {
		uint32_t symbol = p[i];
		if (j->name) {
			struct text name;
			if (*wanted == UINT32_MAX) {
				int r = index_read_symbol(j->block->index, p[i], &name, e);
				if (r < 0)
					return r;
				if (text_is(name, *j->name))
					*wanted = p[i];
			}
			if (p[i] != *wanted)
				continue;
			symbol = p[i + 1];
		}
		j->marks[symbol / 64] |= 1ull << symbol % 64;
	}
	return 0;
}

static int list_marked(struct job *j, struct err *e)
{
	for (uint32_t i = 0; i < index_read_symbols(j->block->index) && !is_full(j); i++) {
		struct text t;
		if (!(j->marks[i / 64] >> i % 64 & 1))
			continue;
		int r = index_read_symbol(j->block->index, i, &t, e);
		if (r < 0)
			return r;
		add_text(j, t);
	}
	return 0;
}

static int list_of_series(struct job *j, struct err *e)
{
	uint32_t wanted = UINT32_MAX;
	j->marks = xcalloc(index_read_symbols(j->block->index) / 64 + 1, sizeof *j->marks);
	int r = choose_series(j, e);
	for (size_t i = 0; i < j->chosen.list.n && r >= 0; i++) {
		r = fits(j, postings_at(j->chosen.list, i), e);
		if (r > 0)
			r = mark(j, &wanted, e);
		if (r >= 0)
			r = go_on(e);
	}
	return r < 0 ? r : list_marked(j, e);
}

/* Whether the values that fit are told by the values alone. */
static bool is_about_values(const struct job *j)
{
	for (size_t i = 0; i < j->n; i++)
		if (!text_is(j->conditions[i].name, *j->name))
			return false;
	return true;
}

static int select_texts(void *arg, struct err *e)
{
	struct job *j = arg;
	if (j->name && is_about_values(j))
		return list_values(j, e);
	if (j->n)
		return list_of_series(j, e);
	list_names(j);
	return 0;
}

int block_select_texts(struct block_read *b, const struct text *name, const struct condition *conditions,
	size_t n, size_t limit, struct arena *a, struct texts *out, struct err *e)
{
	struct texts mine = { 0 };
	struct job j = { .block = b,
		.conditions = conditions,
		.n = n,
		.name = name,
		.limit = limit,
		.arena = a,
		.texts = &mine };
	int r = run(&j, select_texts, e);
	if (r == 0)
		vec_each (t, &mine.list)
			vec_push(&out->list, *t);
	vec_fini(&mine.list);
	return r;
}
