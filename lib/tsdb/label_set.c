/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/label_set.h"

#include "lib/base/quote.h"

#include <xxhash.h>

int text_cmp(struct text a, struct text b)
{
	uint32_t n = MIN_OF(a.len, b.len);
	int r = n ? memcmp(a.p, b.p, n) : 0;
	return r ? r : (a.len > b.len) - (a.len < b.len);
}

struct text label_set_get(const struct label_set *s, struct text name)
{
	for (size_t i = 0; i < s->n; i++)
		if (text_is(s->pairs[i].name, name))
			return s->pairs[i].value;
	return (struct text){ NULL, 0 };
}

int label_set_cmp(const struct label_set *a, const struct label_set *b)
{
	size_t n = MIN_OF(a->n, b->n);
	for (size_t i = 0; i < n; i++) {
		int r = text_cmp(a->pairs[i].name, b->pairs[i].name);
		if (!r)
			r = text_cmp(a->pairs[i].value, b->pairs[i].value);
		if (r)
			return r;
	}
	return (a->n > b->n) - (a->n < b->n);
}

bool label_set_is(const struct label_set *a, const struct label_set *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!text_is(a->pairs[i].name, b->pairs[i].name) ||
			!text_is(a->pairs[i].value, b->pairs[i].value))
			return false;
	return true;
}

uint64_t label_set_hash(const struct label_set *s)
{
	uint64_t h = s->n;
	for (size_t i = 0; i < s->n; i++) {
		h = XXH3_64bits_withSeed(s->pairs[i].name.p, s->pairs[i].name.len, h);
		h = XXH3_64bits_withSeed(s->pairs[i].value.p, s->pairs[i].value.len, h);
	}
	return h;
}

static struct text copy_text(struct arena *a, struct text t)
{
	return (struct text){ arena_strndup(a, t.p, t.len), t.len };
}

struct label_set label_set_copy(struct arena *a, const struct label_set *s)
{
	struct label_pair *pairs = arena_alloc(a, s->n * sizeof *pairs);
	for (size_t i = 0; i < s->n; i++)
		pairs[i] = (struct label_pair){ copy_text(a, s->pairs[i].name),
			copy_text(a, s->pairs[i].value) };
	return (struct label_set){ pairs, s->n };
}

/* Both sides are sorted, so the names are gone through once. */
static struct label_set choose(struct arena *a, const struct label_set *s, const struct text *names, size_t n,
	bool keeps_named, bool drops_name)
{
	struct label_pair *pairs = arena_alloc(a, s->n * sizeof *pairs);
	size_t kept = 0, k = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct text name = s->pairs[i].name;
		while (k < n && text_cmp(names[k], name) < 0)
			k++;
		bool is_named = k < n && text_is(names[k], name);
		if (is_named == keeps_named && !(drops_name && text_is(name, LABEL_NAME)))
			pairs[kept++] = s->pairs[i];
	}
	return (struct label_set){ pairs, kept };
}

struct label_set label_set_with(
	struct arena *a, const struct label_set *s, const struct text *names, size_t n)
{
	return choose(a, s, names, n, true, false);
}

struct label_set label_set_without(
	struct arena *a, const struct label_set *s, const struct text *names, size_t n, bool drops_name)
{
	return choose(a, s, names, n, false, drops_name);
}

struct label_set label_set_put(
	struct arena *a, const struct label_set *s, struct text name, struct text value)
{
	struct label_pair *pairs = arena_alloc(a, (s->n + 1) * sizeof *pairs);
	size_t n = 0, i = 0;
	for (; i < s->n && text_cmp(s->pairs[i].name, name) < 0; i++)
		pairs[n++] = s->pairs[i];
	if (value.len)
		pairs[n++] = (struct label_pair){ name, value };
	if (i < s->n && text_is(s->pairs[i].name, name))
		i++;
	for (; i < s->n; i++)
		pairs[n++] = s->pairs[i];
	return (struct label_set){ pairs, n };
}

static bool is_plain(struct text t)
{
	for (uint32_t i = 0; i < t.len; i++) {
		char c = t.p[i];
		bool may_begin = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!may_begin && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return t.len > 0;
}

void label_set_print(const struct label_set *s, struct buf *out)
{
	buf_add_u8(out, '{');
	for (size_t i = 0; i < s->n; i++) {
		struct text name = s->pairs[i].name, value = s->pairs[i].value;
		if (i)
			buf_add_str(out, ", ");
		if (is_plain(name))
			buf_add(out, name.p, name.len);
		else
			quote_add(out, name.p, name.len);
		buf_add_u8(out, '=');
		quote_add(out, value.p, value.len);
	}
	buf_add_u8(out, '}');
}
