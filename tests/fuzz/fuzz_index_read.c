/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index reader on any bytes: as they are, and with the checksums put right, since behind them nearly nothing would ever be reached.
 * Whatever it gives must keep its promises.
 */
#include "lib/tsdb/choose.h"
#include "lib/tsdb/index_read.h"
#include "tests/support/index_by_hand.h"

#include <stdlib.h>

#define MOST 2000 /* of anything, so that lists which are named many times over end */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool promise)
{
	if (!promise)
		abort();
}

static void read_series(struct index_read *r, uint32_t ref, struct index_entry *s)
{
	struct err e;
	if (index_read_labels(r, ref, s, &e) < 0)
		return;
	for (size_t i = 0; i < s->pairs.len; i++) {
		struct text t;
		must(s->pairs.data[i] < index_read_symbols(r));
		must(i < 2 || i % 2 || s->pairs.data[i - 2] < s->pairs.data[i]);
		must(index_read_symbol(r, s->pairs.data[i], &t, &e) == 0);
	}
	int touches = index_read_touches(r, ref, s, -1000, 1000, &e);
	if (index_read_chunks(r, ref, s, &e) < 0)
		return;
	bool any = false;
	for (size_t i = 0; i < s->chunks.len; i++) {
		const struct chunk_meta *c = &s->chunks.data[i];
		must(c->mint <= c->maxt && (i == 0 || c[-1].mint <= c->mint));
		any |= c->maxt >= -1000 && c->mint <= 1000;
	}
	must(touches == any);
}

static void read_values(
	struct index_read *r, const struct index_name *name, struct text from, struct index_entry *s)
{
	struct err e;
	struct index_values v;
	struct text value;
	uint64_t at;
	if (index_values_begin(r, name, from, &v, &e) < 0)
		return;
	for (int i = 0; i < MOST && index_values_next(&v, &value, &at, &e) > 0; i++) {
		struct postings list;
		must(text_cmp(value, from) >= 0);
		if (index_read_list(r, at, &list, &e) == 0)
			for (size_t k = 0; k < list.n && k < 20; k++)
				read_series(r, postings_at(list, k), s);
	}
}

static void choose_some(struct index_read *r, struct text name, struct index_entry *s)
{
	static const struct {
		enum matcher_kind kind;
		const char *value;
	} asked[] = { { MATCH_EQUAL, "a" }, { MATCH_NOT_EQUAL, "" }, { MATCH_REGEX, "a.*" },
		{ MATCH_NOT_REGEX, "[b]" } };
	struct matcher m[2];
	struct chosen c = { 0 };
	struct arena *a = arena_new(NULL);
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		for (size_t k = 0; k < 2; k++)
			must(matcher_init(&m[k], asked[(i + k) % 4].kind, name,
				     text_of(asked[(i + k) % 4].value), &e) == 0);
		if (choose(r, conditions_of(m, 2, a), 2, &c, &e) == 0)
			for (size_t k = 0; k < c.list.n && k < 20; k++)
				if (index_read_labels(r, postings_at(c.list, k), s, &e) == 0)
					must(chosen_fits(&c, r, s, &e) >= 0);
		matcher_fini(&m[0]);
		matcher_fini(&m[1]);
	}
	chosen_fini(&c);
	arena_free(a);
}

static void read_all(const uint8_t *data, size_t n)
{
	struct err e;
	struct index_read *r = NULL;
	struct index_entry s = { 0 };
	struct postings all;
	size_t n_names;
	if (index_read_open("fuzzed", data, n, &r, &e) < 0)
		return;
	struct text before = { 0 };
	for (uint32_t i = 0; i < index_read_symbols(r); i++) {
		struct text t;
		must(index_read_symbol(r, i, &t, &e) == 0);
		must(i == 0 || text_cmp(before, t) < 0);
		before = t;
	}
	const struct index_name *names = index_read_names(r, &n_names);
	for (size_t i = 0; i < n_names && i < MOST; i++) {
		must(index_read_name(r, names[i].name) == &names[i]);
		read_values(r, &names[i], (struct text){ 0 }, &s);
		read_values(r, &names[i], TEXT("b"), &s);
		choose_some(r, names[i].name, &s);
	}
	if (index_read_all(r, &all, &e) == 0)
		for (size_t k = 0; k < all.n && k < MOST; k++)
			read_series(r, postings_at(all, k), &s);
	index_entry_fini(&s);
	index_read_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	read_all(data, n);
	uint8_t *copy = xmalloc(n + 1);
	if (n)
		memcpy(copy, data, n);
	index_right_checksums(copy, n);
	read_all(copy, n);
	free(copy);
	return 0;
}
