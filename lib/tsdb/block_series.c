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

static void clip(struct samples *s, size_t from, int64_t mint, int64_t maxt)
{
	size_t kept = from;
	for (size_t i = from; i < s->n; i++) {
		if (s->t[i] < mint || s->t[i] > maxt) {
			if (s->h)
				free((void *)(uintptr_t)s->h[i]);
			continue;
		}
		s->t[kept] = s->t[i];
		s->v[kept] = s->v[i];
		if (s->h)
			s->h[kept] = s->h[i];
		if (s->start)
			s->start[kept] = s->start[i];
		kept++;
	}
	s->n = kept;
}

static int read_series(
	struct series_set *base, size_t i, int64_t mint, int64_t maxt, struct samples *out, struct err *e)
{
	const struct block_series_set *s = (const struct block_series_set *)base;
	size_t from = out->n;
	bool joins = s->parts.data[s->first[i]].next != NO_PART;
	block_dir_let_go(s->dir);
	for (uint32_t part = s->first[i]; part != NO_PART;) {
		const struct part *p = &s->parts.data[part];
		int r = block_samples(s->blocks.data[p->block], p->ref, mint, maxt, joins, out, e);
		if (r < 0) {
			listed_block_gave(s->held.list.data[p->block], r);
			return fail(s, i, from, out, r, e);
		}
		part = p->next;
	}
	/* Times that fall within a chunk may hide some that are outside of the range. */
	if (samples_order(out, from))
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
