/* SPDX-License-Identifier: Apache-2.0 */
/* Label sets are a handful of entries, so a sorted array beats anything cleverer. */
#include "lib/tsdb/labels.h"

#include <stdbool.h>

static void label_fini(struct label *l)
{
	free(l->name);
	free(l->value);
}

void labels_fini(struct labels *l)
{
	vec_each (label, l) {
		label_fini(label);
	}
	vec_fini(l);
}

/* Where the name stands, or would stand. */
static size_t place_of(const struct labels *l, const char *name)
{
	size_t at = 0;
	while (at < l->len && strcmp(l->data[at].name, name) < 0)
		at++;
	return at;
}

static bool is_at(const struct labels *l, size_t at, const char *name)
{
	return at < l->len && strcmp(l->data[at].name, name) == 0;
}

void labels_set(struct labels *l, const char *name, const char *value)
{
	if (!*value) {
		labels_remove(l, name);
		return;
	}
	size_t at = place_of(l, name);
	if (is_at(l, at, name)) {
		char *old = l->data[at].value;
		l->data[at].value = xstrdup(value); /* before the free: value may be the old one */
		free(old);
		return;
	}
	struct label added = { .name = xstrdup(name), .value = xstrdup(value) };
	vec_push_slot(l);
	memmove(l->data + at + 1, l->data + at, (l->len - 1 - at) * sizeof *l->data);
	l->data[at] = added;
}

const char *labels_get(const struct labels *l, const char *name)
{
	size_t at = place_of(l, name);
	return is_at(l, at, name) ? l->data[at].value : NULL;
}

void labels_remove(struct labels *l, const char *name)
{
	size_t at = place_of(l, name);
	if (!is_at(l, at, name))
		return;
	label_fini(&l->data[at]);
	l->len--;
	memmove(l->data + at, l->data + at + 1, (l->len - at) * sizeof *l->data);
}

void labels_copy(struct labels *to, const struct labels *from)
{
	if (to == from)
		return;
	labels_fini(to);
	vec_reserve(to, from->len);
	for (size_t i = 0; i < from->len; i++) {
		struct label copy = { .name = xstrdup(from->data[i].name),
			.value = xstrdup(from->data[i].value) };
		vec_push(to, copy);
	}
}

int labels_cmp(const struct labels *a, const struct labels *b)
{
	for (size_t i = 0; i < a->len && i < b->len; i++) {
		int c = strcmp(a->data[i].name, b->data[i].name);
		if (!c)
			c = strcmp(a->data[i].value, b->data[i].value);
		if (c)
			return c;
	}
	return a->len < b->len ? -1 : a->len > b->len;
}
