/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From text to a checked tree (Prometheus' promql/parser). Errors are upstream's, position in front: "1:5: parse error: ...".
 */
#ifndef PROMQL_PARSE_H
#define PROMQL_PARSE_H

#include "lib/base/buf.h"
#include "lib/promql/ast.h"

#define QUERY_MAX_BYTES (1u << 20)
#define QUERY_MAX_DEPTH 1000       /* of nested expressions */
#define QUERY_MAX_NODES (1u << 17) /* of the tree */

/* What is behind feature names. */
struct promql_features {
	bool experimental_functions, duration_expressions, extended_ranges, fill_modifiers;
};

/*
 * 0, or -EINVAL, or -E2BIG past a limit: then the message is appended to `error`, and *out is NULL. The text must outlive the tree,
 * slices of which it is. The regexes of matchers are not the arena's: promql_free.
 */
int promql_parse(const char *query, size_t n, const struct promql_features *f, struct arena *a,
	struct expr **out, struct buf *error);

/* Only a selector, as in match[]: its matchers, for each of which the caller calls matcher_fini. It may select everything. */
int promql_parse_selector(const char *text, size_t n, struct arena *a, struct matcher **out,
	size_t *n_matchers, struct buf *error);

/* What the arena doesn't own: compiled regexes. */
void promql_free(struct expr *e);

/*
 * Appends the expression as upstream's String() prints it on one line, or as format_query does on several. Either parses to the same
 * tree, but for a few forms that upstream's printer can't tell apart: "Inf ^ 2" gets a sign, "offset +(5)" loses one.
 */
void promql_print(const struct expr *e, struct buf *out);
void promql_print_pretty(const struct expr *e, struct buf *out);

/* Appends the tree as parse_query answers it, in JSON. */
void promql_print_json(const struct expr *e, struct buf *out);

#endif
