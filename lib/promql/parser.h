/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the parser share. It goes down the grammar by recursion and takes one token at a time, looking at no more than
 * the next.
 *
 * The first error ends the parsing: who finds it says it and returns NULL (or false), which every caller passes on.
 */
#ifndef PROMQL_PARSER_H
#define PROMQL_PARSER_H

#include "lib/promql/function.h"
#include "lib/promql/lex.h"
#include "lib/promql/parse.h"

struct parser {
	struct lexer lex;
	struct token next;
	bool has_next;
	struct promql_features features;
	struct arena *arena;
	struct text query;
	struct buf *error;
	int failed; /* 0, or -errno: `error` has words */
	unsigned depth, nodes;
	unsigned aggregations;  /* that are being read */
	uint32_t last_closing;  /* the end of the last token that ends an expression */
	struct regex **regexes; /* that were compiled */
	size_t n_regexes, regexes_bytes;
};

/* The next token, which stays, or goes. */
const struct token *parser_peek(struct parser *p);
struct token parser_take(struct parser *p);

static inline enum token_kind parser_kind(struct parser *p)
{
	return parser_peek(p)->kind;
}

/* Takes it if it is of this kind. */
bool parser_accept(struct parser *p, enum token_kind kind, struct token *out);

/* Says what is wrong at this place of the query, unless something was said before. NULL. */
struct expr *parser_complain(struct parser *p, uint32_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same of a limit that was passed: -E2BIG. */
struct expr *parser_refuse(struct parser *p, uint32_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* "unexpected X in CONTEXT, expected EXPECTED" of the next token; either may be NULL, a context then is an aggregation or none. NULL. */
struct expr *parser_unexpected(struct parser *p, const char *context, const char *expected);

/* Around what may nest. False: too deep, which is said. */
bool parser_enter(struct parser *p);
void parser_leave(struct parser *p);

/* A node; `below` is the height of the highest of its children. NULL: too high, or too many, which is said. */
struct expr *parser_node(
	struct parser *p, enum expr_kind kind, enum value_type type, struct span span, uint32_t below);

/* Room for one more element behind n of them that parser_room gave, or NULL: it doubles at powers of two. */
void *parser_room(struct arena *a, void *data, size_t n, size_t size);

/* Sorted, none twice: a copy in the arena. */
struct text *parser_sorted(struct arena *a, const struct text *list, size_t n, size_t *n_sorted);

#define PRECEDENCE_POW 6 /* the tightest */

/* parse.c: an expression of operators that bind at least that tightly; 0: any. */
struct expr *parse_expr(struct parser *p, int precedence);
bool parser_starts_expr(enum token_kind k);

/* parse_literal.c: the next token is a number or a duration. */
struct expr *parse_number(struct parser *p);

/* parse_call.c: behind an aggregation's name, before a function's parenthesis. */
struct expr *parse_aggregation(struct parser *p, const struct token *op);
struct expr *parse_call(struct parser *p, const struct token *name);

/* parse_matching.c: "(a, b)"; what may stand behind a binary operator. */
bool parse_grouping(struct parser *p, struct text **out, size_t *n);
bool parse_matching(struct parser *p, struct vector_matching **out, bool *returns_bool);

/* parse_selector.c: behind the metric's name; NULL: the next token is the brace. */
struct expr *parse_selector(struct parser *p, const struct token *name);

/* parse_modifier.c: ranges, subqueries, offset, @, anchored, smoothed, as many as follow. */
struct expr *parse_modifiers(struct parser *p, struct expr *e);

/* parse_duration.c: in brackets, where numbers are > 0; behind `offset`. The words are for parser_unexpected. */
struct expr *parse_positive_duration(struct parser *p, const char *context, const char *expected);
struct expr *parse_offset_duration(struct parser *p, const char *context, const char *expected);

/* check.c: the types, and whatever else can be wrong with a tree that the grammar allows. What is wrong is said. */
void check_expr(struct parser *p, struct expr *e);

#endif
