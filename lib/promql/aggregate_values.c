/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count_values: which rows there are depends on samples, so they are read when the operator is opened. Rows are read in parallel and counted one
 * at a time; the series are sorted by labels in the end, so that their order doesn't depend on who came first.
 */
#include "lib/promql/aggregate_kinds.h"

#include "lib/base/go_float.h"
#include "lib/base/quote.h"
#include "lib/base/utf8.h"
#include "lib/base/vec.h"
#include "lib/promql/invariant.h"
#include "lib/promql/label_groups.h"
#include "lib/tsdb/histogram_text.h"

#include <errno.h>
#include <pthread.h>
#include <xxhash.h>

#define VALUE_WORK 20u /* that a value is which was seen before: see interrupt_after */

struct known {
	uint32_t base; /* the group without the value */
	uint64_t bits; /* of the float */
	double *counts;
};

struct values {
	struct op op;
	struct op *inner;
	struct text label; /* that gets the value */
	struct label_choice by;

	struct exec *x;       /* while the query runs */
	pthread_mutex_t lock; /* below it */
	struct arena *arena;  /* of labels and counts; made in open */
	struct label_groups groups;
	VEC(double *) counts; /* of each of them, at each step */
	struct known *known;  /* a table of floats that were met; n_slots is a power of two */
	size_t n_known, n_slots;

	uint32_t *base; /* of each row of the inner operator */

	uint32_t *order; /* row i is group order[i] */
};

/* With the label there or not: without(label) counts everything together. */
static struct label_set labels_with(
	struct values *v, struct arena *a, const struct label_set *s, struct text value)
{
	struct label_set with = label_set_put(a, s, v->label, value);
	return label_choice_of(a, &v->by, &with);
}

/* NULL: it takes too much memory, or the run is over. */
static double *counts_of(
	struct values *v, struct arena *scratch, const struct label_set *row, struct text value)
{
	struct label_set s = labels_with(v, scratch, row, value);
	uint32_t g = label_groups_find(&v->groups, &s);
	if (g == LABEL_GROUP_NONE) {
		uint64_t bytes = v->op.steps.n * sizeof(double);
		if (exec_need(v->x, bytes) < 0 || interrupt_after(LABELS_WORK + bytes / 8) < 0)
			return NULL;
		s = label_set_copy(v->arena, &s);
		g = label_groups_put(&v->groups, &s);
		vec_push(&v->counts, arena_calloc(v->arena, v->op.steps.n * sizeof(double)));
	}
	return v->counts.data[g];
}

static void print_value(struct buf *out, const struct row *row, uint32_t t)
{
	buf_reset(out);
	if (row->kind[t] == CELL_HISTOGRAM)
		histogram_print(row->h[t], out);
	else
		go_float_add(out, row->v[t], 'f');
}

/* Where the counts of a float are, of rows that have the same labels but for the value. */
static uint64_t key_of(uint32_t base, uint64_t bits)
{
	return XXH3_64bits_withSeed(&bits, sizeof bits, base);
}

static struct known *known_slot(struct values *v, uint32_t base, uint64_t bits)
{
	uint64_t at = key_of(base, bits);
	for (;; at++) {
		struct known *k = &v->known[at & (v->n_slots - 1)];
		if (!k->counts || (k->base == base && k->bits == bits))
			return k;
	}
}

static void know(struct values *v, struct known new)
{
	if (++v->n_known * 2 > v->n_slots) {
		struct known *old = v->known;
		size_t n_old = v->n_slots;
		budget_take(v->x->budget, (n_old ? n_old : 1024) * sizeof *v->known);
		v->n_slots = n_old ? n_old * 2 : 1024;
		v->known = xcalloc(v->n_slots, sizeof *v->known);
		for (size_t i = 0; i < n_old; i++)
			if (old[i].counts)
				*known_slot(v, old[i].base, old[i].bits) = old[i];
		free(old);
	}
	*known_slot(v, new.base, new.bits) = new;
}

static double *counts_of_cell(struct values *v, struct worker *w, size_t i, const struct row *row, uint32_t t)
{
	bool is_float = row->kind[t] == CELL_FLOAT;
	uint64_t bits;
	memcpy(&bits, &row->v[t], sizeof bits);
	struct known *k = is_float && v->n_known ? known_slot(v, v->base[i], bits) : NULL;
	if (k && k->counts)
		return k->counts;
	auto_buf struct buf text = { 0 };
	print_value(&text, row, t);
	struct arena_mark mark = arena_mark(w->scratch);
	double *counts = counts_of(v, w->scratch, &v->inner->labels[i],
		(struct text){ (const char *)text.data, (uint32_t)text.len });
	arena_release(w->scratch, mark);
	if (is_float && counts)
		know(v, (struct known){ v->base[i], bits, counts });
	return counts;
}

static int count_row(struct values *v, struct worker *w, size_t i, const struct row *row)
{
	for (uint32_t t = 0; t < row->n; t++) {
		double *counts = row->kind[t] ? counts_of_cell(v, w, i, row, t) : NULL;
		if (!row->kind[t])
			continue;
		if (!counts)
			return exec_check(v->x);
		counts[t] += 1;
		int r = interrupt_after(row->h ? CELL_WORK : VALUE_WORK);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_row(void *arg, struct worker *w, size_t i)
{
	struct values *v = arg;
	struct row row = row_new(w, v->op.steps.n);
	int r = op_row(v->inner, w, i, &row);
	if (r == 0) {
		pthread_mutex_lock(&v->lock);
		r = count_row(v, w, i, &row);
		pthread_mutex_unlock(&v->lock);
	}
	row_fini(&row);
	return r;
}

/* by (...) keeps the label, too. */
static void choose_labels(struct values *v, struct exec *x)
{
	const struct expr *e = v->op.expr;
	size_t n = e->aggregate.n_labels, at = 0;
	struct text *names = arena_alloc(x->arena, (n + 1) * sizeof *names);
	while (at < n && text_cmp(e->aggregate.labels[at], v->label) < 0)
		at++;
	bool is_new = !e->aggregate.is_without && !(at < n && text_is(e->aggregate.labels[at], v->label));
	for (size_t i = 0; i < n; i++)
		names[i + (is_new && i >= at)] = e->aggregate.labels[i];
	if (is_new)
		names[at] = v->label;
	v->by = (struct label_choice){ names, n + is_new, e->aggregate.is_without, e->aggregate.is_without };
}

static int by_labels(const void *pa, const void *pb, void *arg)
{
	const struct label_set *sets = arg;
	if (interrupt_after(LABELS_WORK) < 0)
		return 0;
	return label_set_cmp(&sets[*(const uint32_t *)pa], &sets[*(const uint32_t *)pb]);
}

static void sort_rows(struct values *v, struct exec *x)
{
	uint32_t n = v->groups.n;
	struct label_set *labels = arena_alloc(x->arena, n * sizeof *labels);
	v->order = arena_alloc(x->arena, n * sizeof *v->order);
	for (uint32_t i = 0; i < n; i++)
		v->order[i] = i;
	if (n)
		qsort_r(v->order, n, sizeof *v->order, by_labels, v->groups.sets);
	for (uint32_t i = 0; i < n; i++)
		labels[i] = v->groups.sets[v->order[i]];
	v->op.labels = labels;
	v->op.n_rows = n;
}

static int number_bases(struct values *v, struct exec *x)
{
	struct label_groups bases = { .arena = x->arena };
	v->base = arena_alloc(x->arena, v->inner->n_rows * sizeof *v->base);
	for (size_t i = 0; i < v->inner->n_rows; i++) {
		struct label_set s = labels_with(v, x->arena, &v->inner->labels[i], (struct text){ NULL, 0 });
		v->base[i] = label_groups_put(&bases, &s);
		int r = interrupt_after(3 * LABELS_WORK);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_values(struct op *op, struct exec *x)
{
	struct values *v = (struct values *)op;
	v->label = expr_bare(op->expr->aggregate.param)->string;
	if (!v->label.len || !utf8_is_valid(v->label.p, v->label.len)) {
		auto_buf struct buf name = { 0 };
		quote_add(&name, v->label.p, v->label.len);
		return exec_fail(x, -EINVAL, "invalid label name %s", buf_str(&name));
	}
	choose_labels(v, x);
	v->arena = arena_new(x->budget);
	v->groups.arena = v->arena;
	v->x = x;
	int r = number_bases(v, x);
	if (r == 0)
		r = op_prepare(v->inner, x);
	if (r == 0)
		r = exec_rows(x, v->inner->n_rows, read_row, v);
	if (r == 0)
		sort_rows(v, x);
	return r;
}

static int row_of_values(struct op *op, struct worker *w, size_t i, struct row *out)
{
	struct values *v = (struct values *)op;
	const double *counts = v->counts.data[v->order[i]];
	(void)w;
	for (uint32_t t = 0; t < out->n; t++)
		if (counts[t] > 0)
			row_set(out, t, counts[t]);
	return 0;
}

static size_t children_of_values(const struct op *op, struct op **out, size_t room)
{
	(void)room;
	out[0] = ((const struct values *)op)->inner;
	return 1;
}

static void free_values(struct op *op)
{
	struct values *v = (struct values *)op;
	vec_fini(&v->counts);
	if (v->n_slots)
		budget_give(v->x->budget, v->n_slots * sizeof *v->known);
	free(v->known);
	arena_free(v->arena);
	pthread_mutex_destroy(&v->lock);
	op_free(v->inner);
	free(v);
}

static const struct op_ops values_ops = {
	.name = "aggregate",
	.open = open_values,
	.row = row_of_values,
	.explain = aggregate_explain,
	.children = children_of_values,
	.free = free_values,
};

struct op *aggregate_values_new(const struct expr *e, struct op *inner)
{
	struct values *v = xcalloc(1, sizeof *v);
	v->op = (struct op){ .ops = &values_ops, .expr = e, .steps = inner->steps };
	v->inner = inner;
	pthread_mutex_init(&v->lock, NULL);
	return &v->op;
}
