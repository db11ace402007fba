/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/block_source.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/tsdb/block_dir.h"
#include "lib/tsdb/block_select.h"
#include "lib/tsdb/block_series.h"
#include "lib/tsdb/block_stats.h"
#include "lib/tsdb/meta.h"

#include <errno.h>

struct block_source {
	struct series_source base;
	struct block_dir *dir;
};

/* The blocks of a query, open, and its conditions. */
struct work {
	struct held_blocks held;
	VEC(struct block_read *) open;
	struct arena *arena;
	struct condition *conditions;
	const struct selection *what;
};

static void work_fini(struct work *w)
{
	held_blocks_fini(&w->held);
	vec_fini(&w->open);
	arena_free(w->arena);
}

static int open_blocks(struct block_source *s, struct work *w, int64_t now_us, struct err *e)
{
	int r = block_dir_hold(s->dir, w->what->mint, w->what->maxt, now_us, &w->held, e);
	vec_each (b, &w->held.list) {
		struct block_read *open;
		if (r == 0)
			r = listed_block_open(*b, &open, e);
		if (r == 0)
			vec_push(&w->open, open);
	}
	return r;
}

static int begin(struct block_source *s, const struct selection *what, struct work *w, struct err *e)
{
	*w = (struct work){ .what = what };
	int r = open_blocks(s, w, clock_monotonic_us(), e);
	if (r == -ENOENT) {
		/* A block went since the directory was looked at; what it had is in another one by now. */
		held_blocks_fini(&w->held);
		w->open.len = 0;
		r = open_blocks(s, w, INT64_MAX, e);
	}
	w->arena = arena_new(what->budget);
	w->conditions = conditions_of(what->matchers, what->n_matchers, w->arena);
	return r;
}

static int select_series(
	struct series_source *base, const struct selection *what, struct series_set **out, struct err *e)
{
	struct work w;
	struct block_series_set *set = block_series_new(((struct block_source *)base)->dir, what->budget);
	int r = begin((struct block_source *)base, what, &w, e);
	for (size_t i = 0; i < w.open.len && r == 0; i++) {
		struct block_selection *into = block_series_add(set, w.held.list.data[i], w.open.data[i]);
		r = block_select(w.open.data[i], w.conditions, what->n_matchers, what->mint, what->maxt,
			block_series_arena(set), into, e);
		listed_block_gave(w.held.list.data[i], r);
	}
	work_fini(&w);
	if (r < 0)
		block_series_free(set);
	else
		*out = block_series_finish(set, what->mint, what->maxt);
	return r;
}

static int by_text(const void *a, const void *b)
{
	return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

/* Each block has at most `limit`, sorted, so the first `limit` of all are among them. */
static int select_texts(struct series_source *base, const struct text *name, const struct selection *what,
	size_t limit, struct arena *a, struct text **out, size_t *n, struct err *e)
{
	struct work w;
	struct texts texts = { 0 };
	int r = begin((struct block_source *)base, what, &w, e);
	for (size_t i = 0; i < w.open.len && r == 0; i++) {
		r = block_select_texts(
			w.open.data[i], name, w.conditions, what->n_matchers, limit, w.arena, &texts, e);
		listed_block_gave(w.held.list.data[i], r);
	}
	size_t kept = 0;
	if (r == 0) {
		vec_sort(&texts.list, by_text);
		*out = arena_alloc(a, texts.list.len * sizeof **out);
		for (size_t i = 0; i < texts.list.len && (!limit || kept < limit); i++) {
			struct text t = texts.list.data[i];
			if (!kept || !text_is((*out)[kept - 1], t))
				(*out)[kept++] = (struct text){ arena_strndup(a, t.p, t.len), t.len };
		}
		*n = kept;
	}
	vec_fini(&texts.list);
	work_fini(&w);
	return r;
}

static int label_names(struct series_source *base, const struct selection *what, size_t limit,
	struct arena *a, struct text **out, size_t *n, struct err *e)
{
	return select_texts(base, NULL, what, limit, a, out, n, e);
}

static int label_values(struct series_source *base, struct text name, const struct selection *what,
	size_t limit, struct arena *a, struct text **out, size_t *n, struct err *e)
{
	return select_texts(base, &name, what, limit, a, out, n, e);
}

/* What the index doesn't say. */
static int read_meta(const struct block_read *b, struct source_stats *out, struct err *e)
{
	auto_free char *path = xasprintf("%s/meta.json", b->dir);
	auto_buf struct buf json = { 0 };
	auto_of(block_meta) struct block_meta *m = NULL;
	int r = file_read(path, META_JSON_MAX_BYTES, &json, e);
	if (r == 0)
		r = block_meta_parse(json.data, json.len, &m, e);
	if (r < 0)
		return err_wrap(e, r, "block %s", b->name);
	out->chunks = m->stats.chunks;
	out->min_time = m->min_time;
	out->max_time = m->max_time - 1;
	return 0;
}

static int stats(struct series_source *base, struct arena *a, struct source_stats *out, struct err *e)
{
	struct block_source *s = (struct block_source *)base;
	struct held_blocks held = { 0 };
	struct block_read *open;
	int r = block_dir_hold_newest(s->dir, clock_monotonic_us(), &held, e);
	if (r == 0 && held.list.len) {
		r = listed_block_open(held.list.data[0], &open, e);
		if (r == 0)
			r = block_stats(open, a, out, e);
		if (r == 0)
			r = read_meta(open, out, e);
		listed_block_gave(held.list.data[0], r);
	}
	held_blocks_fini(&held);
	return r;
}

static void source_free(struct series_source *base)
{
	struct block_source *s = (struct block_source *)base;
	block_dir_close(s->dir);
	free(s);
}

int block_source_open(const char *dir, struct series_source **out, struct err *e)
{
	static const struct series_source_ops ops = {
		.select = select_series,
		.label_names = label_names,
		.label_values = label_values,
		.stats = stats,
		.free = source_free,
	};
	struct block_source *s = xcalloc(1, sizeof *s);
	s->base.ops = &ops;
	int r = block_dir_open(dir, &s->dir, e);
	if (r < 0)
		free(s);
	else
		*out = &s->base;
	return r;
}
