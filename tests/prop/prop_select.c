/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a source of blocks selects and reads, for random blocks and random matchers, against a model that keeps every series in a list and
 * asks every matcher of each. Failures print how to repeat them:
 *
 *	PROP_CASES=1 PROP_SEED=57 prop_select
 */
#include "lib/base/file.h"
#include "lib/tsdb/block_source.h"
#include "tests/support/block_sketch.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define T0          1700000000000
#define MAX_BLOCKS  4
#define MAX_SERIES  60
#define MAX_CHUNKS  3
#define MAX_SAMPLES 12
#define SPAN        400 /* ms of all blocks together */

static const char *const names[] = { "__name__", "a", "b", "job" };
static const char *const values[] = { "", "1", "2", "10", "web", "web.1", "we", "ä", "x|y", "W" };

struct model_chunk {
	size_t n;
	struct sample samples[MAX_SAMPLES];
};

struct model_series {
	unsigned value[ARRAY_LEN(names)]; /* which of values */
	size_t n_chunks;
	struct model_chunk chunks[MAX_CHUNKS];
	bool is_deleted;
	struct interval deleted;
};

struct model_block {
	size_t n;
	struct model_series series[MAX_SERIES];
	int64_t min, max;
};

struct world {
	uint64_t seed;
	size_t n;
	struct model_block blocks[MAX_BLOCKS]; /* in the order of their times */
};

static uint64_t below(struct world *w, uint64_t n)
{
	return test_random(&w->seed) % n;
}

static struct label_set labels_of(const struct model_series *s, struct label_pair *pairs)
{
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (s->value[i])
			pairs[n++] = (struct label_pair){ text_of(names[i]), text_of(values[s->value[i]]) };
	return (struct label_set){ pairs, n };
}

static bool is_same(const struct model_series *a, const struct model_series *b)
{
	return memcmp(a->value, b->value, sizeof a->value) == 0;
}

static void make_series(struct world *w, struct model_block *b)
{
	struct model_series *s = &b->series[b->n];
	*s = (struct model_series){ 0 };
	s->value[0] = 1 + (unsigned)below(w, 3);
	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		s->value[i] = (unsigned)below(w, ARRAY_LEN(values));
	/* Most are in other blocks, too. */
	const struct model_block *other = &w->blocks[below(w, MAX_BLOCKS)];
	if (other->n && other != b && below(w, 3))
		memcpy(s->value, other->series[below(w, other->n)].value, sizeof s->value);
	for (size_t i = 0; i < b->n; i++)
		if (is_same(&b->series[i], s))
			return;
	int64_t t = b->min + (int64_t)below(w, 60);
	s->n_chunks = 1 + below(w, MAX_CHUNKS);
	for (size_t c = 0; c < s->n_chunks; c++) {
		struct model_chunk *chunk = &s->chunks[c];
		chunk->n = 1 + below(w, MAX_SAMPLES);
		for (size_t i = 0; i < chunk->n; i++, t += 1 + (int64_t)below(w, 6))
			chunk->samples[i] = (struct sample){ t, bits_of((double)below(w, 1000)) };
	}
	b->max = MAX_OF(b->max, t);
	if (below(w, 5) == 0) {
		s->is_deleted = true;
		s->deleted.mint = b->min + (int64_t)below(w, 100);
		s->deleted.maxt = s->deleted.mint + (int64_t)below(w, 120);
	}
	b->n++;
}

static void write_block(struct world *w, unsigned number, const char *dir)
{
	struct model_block *b = &w->blocks[number];
	struct block_sketch *sketch = block_sketch_new(number + 1, "");
	for (size_t i = 0; i < b->n; i++) {
		const struct model_series *s = &b->series[i];
		auto_buf struct buf words = { 0 };
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (s->value[k])
				buf_printf(&words, "%s%s=%s", words.len ? "," : "", names[k],
					values[s->value[k]]);
		sketch_series(sketch, buf_str(&words));
		for (size_t c = 0; c < s->n_chunks; c++)
			sketch_list(sketch, s->chunks[c].samples, s->chunks[c].n);
		if (s->is_deleted)
			sketch_delete(sketch, s->deleted.mint, s->deleted.maxt);
	}
	sketch_times(sketch, b->min, b->max + 1);
	block_sketch_write(sketch, dir);
}

static void make_world(struct world *w, const char *dir)
{
	w->n = 1 + below(w, MAX_BLOCKS);
	int64_t min = T0;
	for (unsigned i = 0; i < w->n; i++, min += (int64_t)below(w, 150)) {
		struct model_block *b = &w->blocks[i];
		*b = (struct model_block){ .min = min, .max = min };
		size_t n = 1 + below(w, MAX_SERIES);
		for (size_t k = 0; k < n; k++)
			make_series(w, b);
		write_block(w, i, dir);
	}
}

/* Whether a chunk says that it has something of the range that isn't all deleted. */
static bool has_chunk(const struct model_series *s, int64_t mint, int64_t maxt)
{
	for (size_t i = 0; i < s->n_chunks; i++) {
		const struct model_chunk *c = &s->chunks[i];
		int64_t first = c->samples[0].t, last = c->samples[c->n - 1].t;
		bool is_gone = s->is_deleted && s->deleted.mint <= first && last <= s->deleted.maxt;
		if (!is_gone && last >= mint && first <= maxt)
			return true;
	}
	return false;
}

struct query {
	struct matcher m[3];
	size_t n;
	int64_t mint, maxt;
};

static const char *const expressions[] = { ".*", ".+", "", "web.*", "web.+", "1|2", "1|2|", "we|web",
	"[12].*", "w(e|eb)", "x\\|y", ".?", "ä|W", "(?i)w.*", "1.|2", "^web$", "web\\.1", ".*1" };

static void make_query(struct world *w, struct query *q)
{
	q->n = 1 + below(w, ARRAY_LEN(q->m));
	for (size_t i = 0; i < q->n; i++) {
		struct err e;
		enum matcher_kind kind = (enum matcher_kind)below(w, 4);
		bool is_regex = kind == MATCH_REGEX || kind == MATCH_NOT_REGEX;
		const char *value = is_regex ? expressions[below(w, ARRAY_LEN(expressions))]
					     : values[below(w, ARRAY_LEN(values))];
		const char *name = below(w, 20) ? names[below(w, ARRAY_LEN(names))] : "nothing";
		CHECK_OK(matcher_init(&q->m[i], kind, text_of(name), text_of(value), &e), &e);
	}
	q->mint = T0 + (int64_t)below(w, SPAN) - 20;
	q->maxt = q->mint + (int64_t)below(w, SPAN);
}

static bool overlaps(const struct model_block *b, const struct query *q)
{
	return b->min <= q->maxt && b->max >= q->mint;
}

static bool fits(const struct model_series *s, const struct query *q)
{
	struct label_pair pairs[ARRAY_LEN(names)];
	struct label_set labels = labels_of(s, pairs);
	return matchers_accept(q->m, q->n, &labels);
}

/* The first series of the model with these labels that the query should find; NULL: none. */
static const struct model_series *expected(
	const struct world *w, const struct query *q, const struct label_set *labels)
{
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; overlaps(&w->blocks[i], q) && k < w->blocks[i].n; k++) {
			const struct model_series *s = &w->blocks[i].series[k];
			struct label_pair pairs[ARRAY_LEN(names)];
			struct label_set have = labels_of(s, pairs);
			if (label_set_is(&have, labels) && fits(s, q) && has_chunk(s, q->mint, q->maxt))
				return s;
		}
	}
	return NULL;
}

static size_t count_expected(const struct world *w, const struct query *q)
{
	size_t n = 0;
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; k < w->blocks[i].n; k++) {
			const struct model_series *s = &w->blocks[i].series[k];
			struct label_pair pairs[ARRAY_LEN(names)];
			struct label_set labels = labels_of(s, pairs);
			n += expected(w, q, &labels) == s;
		}
	}
	return n;
}

/* The value of the series at a time: the first block's that has one. */
static bool value_at(
	const struct world *w, const struct query *q, const struct model_series *like, int64_t t, uint64_t *v)
{
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; overlaps(&w->blocks[i], q) && k < w->blocks[i].n; k++) {
			const struct model_series *s = &w->blocks[i].series[k];
			if (!is_same(s, like) || !has_chunk(s, q->mint, q->maxt) ||
				(s->is_deleted && s->deleted.mint <= t && t <= s->deleted.maxt))
				continue;
			for (size_t c = 0; c < s->n_chunks; c++)
				for (size_t at = 0; at < s->chunks[c].n; at++)
					if (s->chunks[c].samples[at].t == t) {
						*v = s->chunks[c].samples[at].v;
						return true;
					}
		}
	}
	return false;
}

static void check_samples(const struct world *w, const struct query *q, const struct model_series *like,
	const struct samples *got, int64_t mint, int64_t maxt)
{
	size_t n = 0;
	for (int64_t t = mint; t <= maxt; t++) {
		uint64_t v;
		if (!value_at(w, q, like, t, &v))
			continue;
		CHECK(n < got->n);
		CHECK_INT(got->t[n], t);
		CHECK(bits_of(got->v[n]) == v);
		n++;
	}
	CHECK_INT(got->n, n);
}

static void check_series(struct world *w, const struct query *q, struct series_set *set)
{
	struct err e;
	CHECK_INT(set->n, count_expected(w, q));
	for (size_t i = 0; i < set->n; i++) {
		const struct model_series *s = expected(w, q, &set->labels[i]);
		CHECK(s != NULL);
		CHECK(i == 0 || label_set_cmp(&set->labels[i - 1], &set->labels[i]) < 0);
		struct samples got = { 0 };
		CHECK_OK(set->ops->read(set, i, q->mint, q->maxt, &got, &e), &e);
		check_samples(w, q, s, &got, q->mint, q->maxt);
		/* A part of the range. */
		int64_t mint = q->mint + (int64_t)below(w, (uint64_t)(q->maxt - q->mint + 1));
		int64_t maxt = mint + (int64_t)below(w, (uint64_t)(q->maxt - mint + 1));
		samples_clear(&got);
		CHECK_OK(set->ops->read(set, i, mint, maxt, &got, &e), &e);
		check_samples(w, q, s, &got, mint, maxt);
		samples_fini(&got);
	}
}

/* Names, or values of names[of], that series of the blocks have which fit. */
static bool is_expected_text(const struct world *w, const struct query *q, int of, struct text t)
{
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; overlaps(&w->blocks[i], q) && k < w->blocks[i].n; k++) {
			const struct model_series *s = &w->blocks[i].series[k];
			if (q->n && !fits(s, q))
				continue;
			for (int l = 0; l < (int)ARRAY_LEN(names); l++)
				if (s->value[l] &&
					((of < 0 && text_is(t, text_of(names[l]))) ||
						(of == l && text_is(t, text_of(values[s->value[l]])))))
					return true;
		}
	}
	return false;
}

static void check_texts(struct world *w, const struct query *q, struct series_source *source)
{
	struct err e;
	auto_of(arena) struct arena *a = arena_new(NULL);
	struct query none = { .mint = q->mint, .maxt = q->maxt };
	const struct query *asked = below(w, 3) ? q : &none;
	int of = (int)below(w, ARRAY_LEN(names) + 1) - 1;
	size_t limit = below(w, 3) ? 0 : 1 + below(w, 4), n, want = 0;
	const struct selection what = {
		.matchers = asked->m, .n_matchers = asked->n, .mint = q->mint, .maxt = q->maxt
	};
	struct text *list;
	if (of < 0)
		CHECK_OK(source->ops->label_names(source, &what, limit, a, &list, &n, &e), &e);
	else
		CHECK_OK(
			source->ops->label_values(source, text_of(names[of]), &what, limit, a, &list, &n, &e),
			&e);
	for (size_t i = 0; i < n; i++) {
		CHECK(is_expected_text(w, asked, of, list[i]));
		CHECK(i == 0 || text_cmp(list[i - 1], list[i]) < 0);
	}
	const char *const *all = of < 0 ? names : values;
	for (size_t i = 0; i < (of < 0 ? ARRAY_LEN(names) : ARRAY_LEN(values)); i++)
		want += *all[i] && is_expected_text(w, asked, of, text_of(all[i]));
	CHECK_INT(n, limit ? MIN_OF(limit, want) : want);
}

static void run(uint64_t seed)
{
	struct err e;
	struct world *w = xcalloc(1, sizeof *w);
	w->seed = seed;
	auto_free char *dir = xasprintf("%s/%llu", test_dir(), (unsigned long long)seed);
	make_world(w, dir);
	struct series_source *source;
	CHECK_OK(block_source_open(dir, &source, &e), &e);
	for (unsigned i = 0; i < 30; i++) {
		struct query q;
		struct series_set *set;
		make_query(w, &q);
		const struct selection what = {
			.matchers = q.m, .n_matchers = q.n, .mint = q.mint, .maxt = q.maxt
		};
		CHECK_OK(source->ops->select(source, &what, &set, &e), &e);
		check_series(w, &q, set);
		series_set_free(set);
		check_texts(w, &q, source);
		while (q.n)
			matcher_fini(&q.m[--q.n]);
	}
	series_source_free(source);
	CHECK_OK(file_remove_tree(dir, &e), &e);
	free(w);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 0) : otherwise;
}

TEST(a_source_of_blocks_answers_as_a_list_of_series_does)
{
	uint64_t first = setting("PROP_SEED", 1), n = setting("PROP_CASES", 60);
	for (uint64_t i = 0; i < n; i++) {
		fprintf(stderr, "PROP_CASES=1 PROP_SEED=%llu\n", (unsigned long long)(first + i));
		run(first + i);
	}
}

TEST_MAIN()
