/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks' series are merged two blocks at a time, neighbours first, so that each series is compared about once for each block that has
 * it. Where a series is, part by part, is a chain through one array: merging two only ties the chains' ends together.
 */
#include "lib/tsdb/block_series.h"

#include "lib/tsdb/block_samples.h"
#include "lib/tsdb/samples_order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NO_PART UINT32_MAX

struct part {
	uint32_t block, ref;
	uint32_t next; /* NO_PART: the last */
};

/* A series while blocks are merged. */
struct chain {
	struct label_set labels;
	uint32_t first, last;
};

struct block_series_set {
	struct series_set base;
	struct block_dir *dir;
	struct arena *arena; /* label pairs */
	struct held_blocks held;
	VEC(struct block_read *) blocks;
	VEC(struct block_selection) selections; /* of each block, until they are merged */
	int64_t mint, maxt;
	VEC(struct part) parts;
	uint32_t *first; /* of each series: its first part */
	struct label_set *labels;
};

struct block_series_set *block_series_new(struct block_dir *dir, struct budget *budget)
{
	struct block_series_set *s = xcalloc(1, sizeof *s);
	s->dir = dir;
	s->arena = arena_new(budget);
	return s;
}

void block_series_free(struct block_series_set *s)
{
	held_blocks_fini(&s->held);
	vec_fini(&s->blocks);
	vec_each (selection, &s->selections)
		vec_fini(&selection->list);
	vec_fini(&s->selections);
	vec_fini(&s->parts);
	free(s->first);
	free(s->labels);
	arena_free(s->arena);
	free(s);
}

struct arena *block_series_arena(struct block_series_set *s)
{
	return s->arena;
}

struct block_selection *block_series_add(
	struct block_series_set *s, struct listed_block *held, struct block_read *open)
{
	listed_block_hold(held, &s->held);
	vec_push(&s->blocks, open);
	struct block_selection *selection = vec_push_slot(&s->selections);
	*selection = (struct block_selection){ 0 };
	return selection;
}

struct chains {
	struct chain *p;
	size_t n;
};

static struct chains chains_of(struct block_series_set *s, uint32_t block)
{
	const struct block_selection *selection = &s->selections.data[block];
	struct chains out = { xcalloc(selection->list.len + 1, sizeof *out.p), 0 };
	vec_reserve(&s->parts, s->parts.len + selection->list.len);
	vec_each (one, &selection->list) {
		uint32_t part = (uint32_t)s->parts.len;
		vec_push(&s->parts, (struct part){ block, one->ref, NO_PART });
		/* A block that names a series twice has two parts of one. */
		struct chain *last = out.n ? &out.p[out.n - 1] : NULL;
		if (last && label_set_is(&last->labels, &one->labels)) {
			s->parts.data[last->last].next = part;
			last->last = part;
		} else {
			out.p[out.n++] = (struct chain){ one->labels, part, part };
		}
	}
	return out;
}

static struct chains merge_two(struct block_series_set *s, struct chains a, struct chains b)
{
	struct chains out = { xcalloc(a.n + b.n + 1, sizeof *out.p), 0 };
	size_t i = 0, k = 0;
	while (i < a.n && k < b.n) {
		int order = label_set_cmp(&a.p[i].labels, &b.p[k].labels);
		if (order == 0) {
			s->parts.data[a.p[i].last].next = b.p[k].first;
			a.p[i].last = b.p[k].last;
			k++;
		} else {
			out.p[out.n++] = order < 0 ? a.p[i++] : b.p[k++];
		}
	}
	while (i < a.n)
		out.p[out.n++] = a.p[i++];
	while (k < b.n)
		out.p[out.n++] = b.p[k++];
	free(a.p);
	free(b.p);
	return out;
}

static struct chains merge_range(struct block_series_set *s, uint32_t from, uint32_t to)
{
	if (to - from <= 1)
		return from < to ? chains_of(s, from) : (struct chains){ 0 };
	uint32_t middle = from + (to - from) / 2;
	struct chains a = merge_range(s, from, middle), b = merge_range(s, middle, to);
	return merge_two(s, a, b);
}

/* Says which series failed; what was appended of it goes again. */
static int fail(
	const struct block_series_set *s, size_t i, size_t from, struct samples *out, int r, struct err *e)
{
	for (size_t k = from; out->h && k < out->n; k++)
		free((void *)(uintptr_t)out->h[k]);
	out->n = from;
	if (!e)
		return r;
	auto_buf struct buf name = { 0 };
	struct err why = *e;
	label_set_print(&s->labels[i], &name);
	return err_set(e, r, "%s (series %s)", why.msg, buf_str(&name));
}

/* The first sample from there on that isn't before t. */
static size_t first_from(const struct samples *s, size_t from, int64_t t)
{
	size_t to = s->n;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (s->t[middle] < t)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void drop_histograms(struct samples *s, size_t from, size_t to)
{
	for (size_t i = from; s->h && i < to; i++) {
		free((void *)(uintptr_t)s->h[i]);
		s->h[i] = NULL;
	}
}

/* Leaves what is in the range of the samples from there on, whose times rise. */
static void clip(struct samples *s, size_t from, int64_t mint, int64_t maxt)
{
	size_t first = first_from(s, from, mint),
	       end = maxt == INT64_MAX ? s->n : first_from(s, first, maxt + 1), n = end - first;
	drop_histograms(s, from, first);
	drop_histograms(s, end, s->n);
	s->n = from + n;
	if (first == from)
		return;
	memmove(s->t + from, s->t + first, n * sizeof *s->t);
	memmove(s->v + from, s->v + first, n * sizeof *s->v);
	if (s->h)
		memmove(s->h + from, s->h + first, n * sizeof(*s->h));
	if (s->start)
		memmove(s->start + from, s->start + first, n * sizeof *s->start);
}

static int add_parts(const struct block_series_set *s, size_t i, int64_t mint, int64_t maxt,
	struct chunk_batch *batch, struct err *e)
{
	bool joins = s->parts.data[s->first[i]].next != NO_PART;
	int r = 0;
	for (uint32_t part = s->first[i]; part != NO_PART && r == 0;) {
		const struct part *p = &s->parts.data[part];
		r = block_samples(s->blocks.data[p->block], p->ref, mint, maxt, joins, batch, e);
		part = p->next;
	}
	return r < 0 ? r : chunk_batch_flush(batch, e);
}

static int read_series(
	struct series_set *base, size_t i, int64_t mint, int64_t maxt, struct samples *out, struct err *e)
{
	const struct block_series_set *s = (const struct block_series_set *)base;
	struct chunk_batch batch;
	size_t from = out->n;
	block_dir_let_go(s->dir);
	chunk_batch_init(&batch, out);
	int r = add_parts(s, i, mint, maxt, &batch, e);
	for (size_t k = 0; r < 0 && k < s->blocks.len; k++)
		if (s->blocks.data[k] == batch.at_fault)
			listed_block_gave(s->held.list.data[k], r);
	if (r < 0)
		return fail(s, i, from, out, r, e);
	samples_order(out, from);
	clip(out, from, mint, maxt);
	return 0;
}

static void will_read(struct series_set *base, size_t first, size_t n)
{
	struct block_series_set *s = (struct block_series_set *)base;
	struct block_ahead *ahead = xcalloc(s->blocks.len + 1, sizeof *ahead);
	for (size_t i = 0; i < s->blocks.len; i++)
		ahead[i].block = s->blocks.data[i];
	for (size_t i = first; i < first + n && i < base->n; i++)
		for (uint32_t part = s->first[i]; part != NO_PART; part = s->parts.data[part].next)
			block_ahead_add(
				&ahead[s->parts.data[part].block], s->parts.data[part].ref, s->mint, s->maxt);
	for (size_t i = 0; i < s->blocks.len; i++) {
		block_ahead_end(&ahead[i]);
		index_entry_fini(&ahead[i].entry);
	}
	free(ahead);
}

static void set_free(struct series_set *base)
{
	block_series_free((struct block_series_set *)base);
}

struct series_set *block_series_finish(struct block_series_set *s, int64_t mint, int64_t maxt)
{
	static const struct series_set_ops ops = {
		.read = read_series, .will_read = will_read, .free = set_free
	};
	struct chains all = merge_range(s, 0, (uint32_t)s->blocks.len);
	s->mint = mint;
	s->maxt = maxt;
	s->labels = xcalloc(all.n + 1, sizeof *s->labels);
	s->first = xcalloc(all.n + 1, sizeof *s->first);
	for (size_t i = 0; i < all.n; i++) {
		s->labels[i] = all.p[i].labels;
		s->first[i] = all.p[i].first;
	}
	s->base = (struct series_set){ .ops = &ops, .labels = s->labels, .n = all.n };
	free(all.p);
	vec_each (selection, &s->selections)
		vec_fini(&selection->list);
	s->selections.len = 0;
	return &s->base;
}
