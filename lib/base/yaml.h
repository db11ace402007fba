/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML configurations as a small tree with line numbers. Only the first document of a text counts, as for
 * Thanos. Hostile texts are refused: size, depth and number of nodes are bounded, and an alias counts as what
 * it stands for.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 32
#define YAML_MAX_NODES 20000 /* scalars, lists and maps, with all aliases followed */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

/* All borrowed from the document. Nodes may be shared (aliases) but never contain themselves. */
struct yaml_node {
	enum yaml_kind kind;
	const char *name; /* of the document, for messages */
	unsigned line;    /* from 1 */
	/* YAML_SCALAR */
	const char *text; /* without NUL inside */
	bool is_plain;    /* without quotes: may mean null, a number or a bool */
	/* YAML_LIST, YAML_MAP: items; of a map also their keys, no key twice */
	const struct yaml_node *const *items;
	const char *const *keys;
	size_t len;
	uint32_t weight; /* nodes in this tree, itself too, with all aliases followed */
};

struct yaml_doc;

/* `name` is for messages. An empty text is a null scalar. -EINVAL. */
int yaml_doc_parse(const char *name, const char *text, size_t n, struct yaml_doc **out, struct err *e);
void yaml_doc_free(struct yaml_doc *y);
DEFINE_AUTO(yaml_doc, struct yaml_doc *, yaml_doc_free)

const struct yaml_node *yaml_root(const struct yaml_doc *y);

bool yaml_is_null(const struct yaml_node *n); /* NULL, or the plain scalars null, ~ and nothing */

/* A map's item; NULL where there is none, or null, or `map` is no map. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/*
 * The item read as a value: 1; 0 where there is none or null (*out is left alone); -EINVAL with document,
 * line and key named otherwise. Integers are decimal, with an optional sign.
 */
int yaml_get_str(const struct yaml_node *map, const char *key, const char **out, struct err *e);
int yaml_get_bool(const struct yaml_node *map, const char *key, bool *out, struct err *e);
int yaml_get_i64(const struct yaml_node *map, const char *key, int64_t lowest, int64_t highest, int64_t *out,
	struct err *e);
int yaml_get_u64(const struct yaml_node *map, const char *key, uint64_t *out, struct err *e);
int yaml_get_duration(const struct yaml_node *map, const char *key, int64_t *ms, struct err *e);
int yaml_get_bytes(const struct yaml_node *map, const char *key, uint64_t *bytes, struct err *e);
int yaml_get_map(const struct yaml_node *map, const char *key, const struct yaml_node **out, struct err *e);
int yaml_get_list(const struct yaml_node *map, const char *key, const struct yaml_node **out, struct err *e);

/* 0, or -EINVAL that names the first key of `map` that isn't in `known` (ends with NULL), and the likely one.
 */
int yaml_check_keys(const struct yaml_node *map, const char *const *known, struct err *e);

/* Sets "NAME:LINE: " and the formatted words; returns -EINVAL. */
int yaml_fail(const struct yaml_node *n, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Appends the text with ${VAR} and $(VAR) (the form of Thanos) replaced by that environment variable; any
 * other '$' stands for itself. -EINVAL names a variable that isn't set. -EFBIG past YAML_MAX_BYTES.
 */
int yaml_expand_env(const char *name, const char *text, size_t n, struct buf *out, struct err *e);

#endif
