/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A label set to look at: names and values that lie anywhere, with their lengths and without a NUL at the end. Nothing here owns
 * its bytes. (labels.h has sets that do, and that can be changed.)
 */
#ifndef TSDB_LABEL_SET_H
#define TSDB_LABEL_SET_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct text {
	const char *p;
	uint32_t len;
};

#define TEXT(literal) ((struct text){ (literal), sizeof(literal) - 1 })

static inline struct text text_of(const char *s)
{
	return (struct text){ s, (uint32_t)strlen(s) };
}

static inline bool text_is(struct text a, struct text b)
{
	return a.len == b.len && (a.len == 0 || a.p == b.p || memcmp(a.p, b.p, a.len) == 0);
}

/* Bytes compared as unsigned; a prefix is less. */
int text_cmp(struct text a, struct text b);

struct label_pair {
	struct text name, value;
};

/* Sorted by name, no name twice, no empty value. */
struct label_set {
	const struct label_pair *pairs;
	size_t n;
};

#define LABEL_NAME TEXT("__name__")

/* The value; p NULL with length 0 where there is no such label, which is the same as an empty one. */
struct text label_set_get(const struct label_set *s, struct text name);

/* Prometheus' order: label by label, name before value; a prefix is less. */
int label_set_cmp(const struct label_set *a, const struct label_set *b);
bool label_set_is(const struct label_set *a, const struct label_set *b);
uint64_t label_set_hash(const struct label_set *s);

/* Copies; the bytes too. */
struct label_set label_set_copy(struct arena *a, const struct label_set *s);

/*
 * New pairs in the arena over the same bytes: those whose names are among the n sorted ones, or those that aren't, and for the latter
 * also without __name__ where `drops_name` is set.
 */
struct label_set label_set_with(
	struct arena *a, const struct label_set *s, const struct text *names, size_t n);
struct label_set label_set_without(
	struct arena *a, const struct label_set *s, const struct text *names, size_t n, bool drops_name);

/* With this label set to this value, or removed where that is empty; over the same bytes, and value's and name's. */
struct label_set label_set_put(
	struct arena *a, const struct label_set *s, struct text name, struct text value);

/* Appends it as Prometheus prints it in messages: {__name__="up", a="b"}; names that need it quoted. */
void label_set_print(const struct label_set *s, struct buf *out);

#endif
