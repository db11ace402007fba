/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/choose.h"

#include <errno.h>
#include <stdlib.h>

bool condition_holds(const struct condition *c, struct text value)
{
	return pattern_fits(&c->pattern, value) != c->is_negated;
}

/* Its values can be looked up: they are named, and it is these that its series have or must not have. */
static bool is_named(const struct condition *c)
{
	return c->pattern.kind == PATTERN_SET && c->is_negated == c->takes_empty;
}

static int cost(const struct condition *c)
{
	return (c->takes_empty ? 2 : 0) + (is_named(c) ? 0 : 1);
}

static int by_cost(const void *a, const void *b)
{
	return cost(a) - cost(b);
}

struct condition *conditions_of(const struct matcher *m, size_t n, struct arena *a)
{
	struct condition *c = arena_calloc(a, (n + 1) * sizeof *c);
	for (size_t i = 0; i < n; i++) {
		c[i].name = m[i].name;
		c[i].pattern = pattern_of(&m[i], a);
		c[i].is_negated = m[i].kind == MATCH_NOT_EQUAL || m[i].kind == MATCH_NOT_REGEX;
		c[i].takes_empty = condition_holds(&c[i], TEXT(""));
	}
	qsort(c, n, sizeof *c, by_cost);
	return c;
}

void chosen_fini(struct chosen *c)
{
	free(c->refs);
	buf_fini(&c->value);
	vec_fini(&c->late);
	vec_fini(&c->lists);
	*c = (struct chosen){ 0 };
}

static int add_list(const struct index_read *r, uint64_t at, struct chosen *c, struct err *e)
{
	struct postings list;
	int x = index_read_list(r, at, &list, e);
	if (x == 0 && list.n)
		vec_push(&c->lists, list);
	return x;
}

static int gather_named(
	const struct index_read *r, const struct condition *k, struct chosen *c, struct err *e)
{
	for (size_t i = 0; i < k->pattern.n_set; i++) {
		struct postings list;
		int x = index_read_postings(r, k->name, k->pattern.set[i], &list, e);
		if (x < 0)
			return x;
		if (list.n)
			vec_push(&c->lists, list);
	}
	return 0;
}

static bool has_prefix(struct text value, struct text prefix)
{
	return value.len >= prefix.len && (!prefix.len || memcmp(value.p, prefix.p, prefix.len) == 0);
}

/* The lists of the values for which `condition_holds` is `wanted`. */
static int gather_tried(const struct index_read *r, const struct index_name *name, const struct condition *k,
	bool wanted, struct chosen *c, struct err *e)
{
	struct index_values v;
	struct text value, none = { 0 };
	uint64_t list;
	/* What fits the pattern has its prefix; only what doesn't can lie elsewhere. */
	struct text prefix = wanted != k->is_negated ? k->pattern.prefix : none;
	int x = index_values_begin(r, name, prefix, &v, e);
	while (x == 0 && (x = index_values_next(&v, &value, &list, e)) > 0) {
		if (!has_prefix(value, prefix))
			return 0;
		/* A fault within the regular expression's code would leave its locks locked. */
		buf_reset(&c->value);
		buf_add(&c->value, value.p, value.len);
		struct text copy = { value.len ? (const char *)c->value.data : "", value.len };
		x = condition_holds(k, copy) == wanted ? add_list(r, list, c, e) : 0;
	}
	return x;
}

/* Makes one list of those gathered. *owned is where it lies, or NULL where that is the mapping. */
static int unite(
	const struct index_read *r, struct chosen *c, struct postings *out, uint8_t **owned, struct err *e)
{
	*owned = NULL;
	*out = c->lists.len ? c->lists.data[0] : (struct postings){ 0 };
	if (c->lists.len <= 1)
		return 0;
	size_t n;
	if (postings_unite(c->lists.data, c->lists.len, index_read_max_postings(r), owned, &n) < 0)
		return err_set(e, -EBADMSG,
			"%s: postings lists of one label don't rise or have more entries than the index has "
			"room for",
			index_read_file(r));
	*out = (struct postings){ *owned, n };
	return 0;
}

static void keep(struct chosen *c, struct postings list, uint8_t *owned)
{
	free(c->refs);
	c->refs = owned;
	c->list = list;
	c->has_list = true;
}

/* Combines what is left with the list of a condition. */
static void combine(struct chosen *c, const struct condition *k, struct postings list, uint8_t *owned)
{
	if (!c->has_list) {
		keep(c, list, owned);
		return;
	}
	if (k->takes_empty && !list.n)
		return;
	size_t room = k->takes_empty ? c->list.n : MIN_OF(c->list.n, list.n);
	uint8_t *out = c->refs ? c->refs : xmalloc(room * POSTING_BYTES + 1);
	size_t n = k->takes_empty ? postings_subtract(c->list, list, out)
				  : postings_intersect(c->list, list, out);
	c->refs = out;
	c->list = (struct postings){ out, n };
	free(owned);
}

static void add_late(struct chosen *c, const struct condition *k)
{
	struct late *l = vec_push_slot(&c->late);
	l->condition = k;
	l->name = UINT32_MAX;
	for (unsigned i = 0; i < LATE_MEMO; i++)
		l->memo[i].value = UINT32_MAX;
}

static int apply(const struct index_read *r, const struct condition *k, struct chosen *c, struct err *e)
{
	const struct index_name *name = index_read_name(r, k->name);
	c->lists.len = 0;
	int x = 0;
	if (name && is_named(k)) {
		x = gather_named(r, k, c, e);
	} else if (name && c->has_list && c->list.n < name->n_values) {
		add_late(c, k);
		return 0;
	} else if (name) {
		x = gather_tried(r, name, k, !k->takes_empty, c, e);
	}
	struct postings list;
	uint8_t *owned;
	if (x == 0)
		x = unite(r, c, &list, &owned, e);
	if (x == 0)
		combine(c, k, list, owned);
	return x;
}

int choose(const struct index_read *r, const struct condition *conditions, size_t n, struct chosen *out,
	struct err *e)
{
	keep(out, (struct postings){ 0 }, NULL);
	out->has_list = false;
	out->late.len = 0;
	int x = 0;
	for (size_t i = 0; i < n && x == 0; i++) {
		if (out->has_list && !out->list.n)
			return 0;
		if (conditions[i].takes_empty && !out->has_list) {
			struct postings all;
			x = index_read_all(r, &all, e);
			keep(out, all, NULL);
		}
		if (x == 0)
			x = apply(r, &conditions[i], out, e);
	}
	if (x == 0 && !out->has_list) {
		struct postings all;
		x = index_read_all(r, &all, e);
		keep(out, all, NULL);
	}
	return x;
}

/* The symbol of the series' value; UINT32_MAX: it doesn't have the label. */
static int find_value(
	struct late *l, struct index_read *r, const struct index_entry *s, uint32_t *value, struct err *e)
{
	*value = UINT32_MAX;
	for (size_t i = 0; i < s->pairs.len; i += 2) {
		struct text name;
		if (l->name == UINT32_MAX) {
			int x = index_read_symbol(r, s->pairs.data[i], &name, e);
			if (x < 0)
				return x;
			if (text_is(name, l->condition->name))
				l->name = s->pairs.data[i];
		}
		if (s->pairs.data[i] == l->name)
			*value = s->pairs.data[i + 1];
	}
	return 0;
}

static int late_holds(struct late *l, struct index_read *r, const struct index_entry *s, struct err *e)
{
	uint32_t value;
	int x = find_value(l, r, s, &value, e);
	if (x < 0)
		return x;
	if (value == UINT32_MAX)
		return l->condition->takes_empty;
	unsigned at = value % LATE_MEMO;
	if (l->memo[at].value != value) {
		struct text text;
		x = index_read_symbol(r, value, &text, e);
		if (x < 0)
			return x;
		l->memo[at].value = value;
		l->memo[at].holds = condition_holds(l->condition, text);
	}
	return l->memo[at].holds;
}

int chosen_fits(struct chosen *c, struct index_read *r, const struct index_entry *s, struct err *e)
{
	vec_each (l, &c->late) {
		int x = late_holds(l, r, s, e);
		if (x <= 0)
			return x;
	}
	return 1;
}
