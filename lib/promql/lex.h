/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of a query (Prometheus' promql/parser/lex.go). What a character means depends on where it stands: braces hold labels and
 * matchers, brackets hold durations, and the words of the language are only words elsewhere.
 */
#ifndef PROMQL_LEX_H
#define PROMQL_LEX_H

#include "lib/base/arena.h"
#include "lib/promql/ast.h"

/* Ranges of it are classes: operators, aggregators, keywords. */
enum token_kind {
	TOKEN_END,
	TOKEN_ERROR,
	TOKEN_IDENTIFIER,
	TOKEN_METRIC_IDENTIFIER, /* has a colon */
	TOKEN_NUMBER,
	TOKEN_DURATION,
	TOKEN_STRING, /* with its quotes */
	TOKEN_LEFT_PAREN,
	TOKEN_RIGHT_PAREN,
	TOKEN_LEFT_BRACE,
	TOKEN_RIGHT_BRACE,
	TOKEN_LEFT_BRACKET,
	TOKEN_RIGHT_BRACKET,
	TOKEN_COMMA,
	TOKEN_COLON,
	TOKEN_EQUAL,

	TOKEN_FIRST_OPERATOR, /* in the order of enum binary_op */
	TOKEN_ADD = TOKEN_FIRST_OPERATOR,
	TOKEN_SUB,
	TOKEN_MUL,
	TOKEN_DIV,
	TOKEN_MOD,
	TOKEN_POW,
	TOKEN_ATAN2,
	TOKEN_EQ,
	TOKEN_NE,
	TOKEN_GT,
	TOKEN_LT,
	TOKEN_GE,
	TOKEN_LE,
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_UNLESS,
	TOKEN_TRIM_UPPER,
	TOKEN_TRIM_LOWER,
	TOKEN_LAST_BINARY = TOKEN_TRIM_LOWER,
	TOKEN_EQUAL_REGEX,
	TOKEN_NOT_REGEX,
	TOKEN_AT,
	TOKEN_LAST_OPERATOR = TOKEN_AT,

	TOKEN_FIRST_AGGREGATOR, /* in the order of enum aggregate_op */
	TOKEN_SUM = TOKEN_FIRST_AGGREGATOR,
	TOKEN_AVG,
	TOKEN_COUNT,
	TOKEN_MIN,
	TOKEN_MAX,
	TOKEN_GROUP,
	TOKEN_STDDEV,
	TOKEN_STDVAR,
	TOKEN_TOPK,
	TOKEN_BOTTOMK,
	TOKEN_QUANTILE,
	TOKEN_COUNT_VALUES,
	TOKEN_LIMITK,
	TOKEN_LIMIT_RATIO,
	TOKEN_LAST_AGGREGATOR = TOKEN_LIMIT_RATIO,

	TOKEN_FIRST_KEYWORD,
	TOKEN_BOOL = TOKEN_FIRST_KEYWORD,
	TOKEN_BY,
	TOKEN_WITHOUT,
	TOKEN_ON,
	TOKEN_IGNORING,
	TOKEN_GROUP_LEFT,
	TOKEN_GROUP_RIGHT,
	TOKEN_FILL,
	TOKEN_FILL_LEFT,
	TOKEN_FILL_RIGHT,
	TOKEN_OFFSET,
	TOKEN_ANCHORED,
	TOKEN_SMOOTHED,
	TOKEN_LAST_KEYWORD = TOKEN_SMOOTHED,

	/* Words that are functions too. */
	TOKEN_START,
	TOKEN_END_WORD,
	TOKEN_STEP,
	TOKEN_RANGE,
	TOKEN_MAX_OF,
	TOKEN_MIN_OF
};

struct token {
	enum token_kind kind;
	struct span span;
	struct text text; /* as it stands in the query; of an error, what is wrong, in the arena */
};

enum lex_place { LEX_EXPRESSION, LEX_BRACKET, LEX_OVER };

/* Fields are private. */
struct lexer {
	const char *p;
	uint32_t n, start, pos; /* start: of the token that is being read */
	uint32_t width;         /* of the character read last */
	enum lex_place place;
	uint32_t parens;
	bool in_braces, in_brackets, had_colon, had_duration;
	struct arena *arena;
};

/* The text, of less than 4 GiB, is borrowed; words of errors go to the arena. */
void lex_init(struct lexer *l, const char *text, size_t n, struct arena *a);

/* Comments and blanks are skipped. After TOKEN_ERROR there is nothing more to ask for; TOKEN_END comes again and again. */
void lex_next(struct lexer *l, struct token *out);

/* Appends the token as messages name it: identifier "a", <op:+>, end of input. */
void token_describe(const struct token *t, struct buf *out);

#endif
