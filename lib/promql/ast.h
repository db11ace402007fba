/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PromQL expression as a tree. All of it lies in the arena it was parsed into; texts are slices of that arena or of the query.
 * Times and durations are ms.
 */
#ifndef PROMQL_AST_H
#define PROMQL_AST_H

#include "lib/tsdb/matcher.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in the query, in bytes: [start, end). */
struct span {
	uint32_t start, end;
};

enum value_type { VALUE_NONE, VALUE_SCALAR, VALUE_STRING, VALUE_VECTOR, VALUE_MATRIX };
const char *value_type_name(enum value_type t); /* "scalar", "string", "instant vector", "range vector" */
/* As in answers: "scalar", "string", "vector", "matrix". */
const char *value_type_short_name(enum value_type t);

enum expr_kind {
	EXPR_NUMBER,
	EXPR_STRING,
	EXPR_VECTOR_SELECTOR,
	EXPR_MATRIX_SELECTOR,
	EXPR_SUBQUERY,
	EXPR_CALL,
	EXPR_AGGREGATE,
	EXPR_BINARY,
	EXPR_UNARY,
	EXPR_PAREN,
	EXPR_DURATION /* only as a duration's expression */
};

enum binary_op {
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_POW,
	OP_ATAN2,
	OP_EQ,
	OP_NE,
	OP_GT,
	OP_LT,
	OP_GE,
	OP_LE,
	OP_AND,
	OP_OR,
	OP_UNLESS,
	OP_TRIM_UPPER, /* </ : keeps what lies below */
	OP_TRIM_LOWER  /* >/ */
};
const char *binary_op_text(enum binary_op op);
bool binary_op_is_comparison(enum binary_op op);
bool binary_op_is_set(enum binary_op op);

enum aggregate_op {
	AGG_SUM,
	AGG_AVG,
	AGG_COUNT,
	AGG_MIN,
	AGG_MAX,
	AGG_GROUP,
	AGG_STDDEV,
	AGG_STDVAR,
	AGG_TOPK,
	AGG_BOTTOMK,
	AGG_QUANTILE,
	AGG_COUNT_VALUES,
	AGG_LIMITK,
	AGG_LIMIT_RATIO
};
const char *aggregate_op_text(enum aggregate_op op);

enum match_card { MATCH_ONE_TO_ONE, MATCH_MANY_TO_ONE, MATCH_ONE_TO_MANY, MATCH_MANY_TO_MANY };

struct vector_matching {
	enum match_card card;
	bool is_on;          /* else ignoring */
	struct text *labels; /* sorted, none twice */
	size_t n_labels;
	struct text *written; /* the same as they stand in the query */
	size_t n_written;
	struct text *include; /* group_left(...), group_right(...), in the order given */
	size_t n_include;
	bool fills_left, fills_right; /* fill modifiers: what a missing sample of that side counts as */
	double fill_left, fill_right;
};

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };

/* What stands behind a selector or a subquery. A duration that is an expression is evaluated before the query runs. */
struct range_modifiers {
	enum at_kind at;
	int64_t at_ms; /* AT_TIME */
	int64_t offset_ms;
	const struct expr *offset_expr; /* NULL: none */
	bool is_anchored, is_smoothed;  /* extended range selectors */
};

/* In duration expressions: step(), range(), min_of(a, b), max_of(a, b), and arithmetic on them. */
enum duration_op {
	DURATION_STEP,
	DURATION_RANGE,
	DURATION_MIN,
	DURATION_MAX,
	DURATION_ARITHMETIC,
	DURATION_NEGATE, /* of right, as DURATION_PLUS */
	DURATION_PLUS    /* +step(), and what a number in parentheses is */
};

struct function;

struct expr {
	enum expr_kind kind;
	enum value_type type; /* set by the parser's check */
	struct span span;
	uint32_t height; /* of the tree from here down, 1 for a leaf; at most QUERY_MAX_DEPTH */
	union {
		struct {
			double value;
			bool is_duration; /* written as one: 5m */
		} number;
		struct text string;
		struct {
			struct text name;         /* written in front of the braces; len 0: not */
			struct matcher *matchers; /* that of the name among them */
			size_t n_matchers;
			struct range_modifiers modifiers;
			bool skips_histogram_buckets; /* only count and sum of histograms are wanted */
		} vector;
		struct {
			struct expr *selector; /* EXPR_VECTOR_SELECTOR, which has the modifiers */
			int64_t range_ms;
			const struct expr *range_expr;
		} matrix;
		struct {
			struct expr *inner;
			int64_t range_ms, step_ms; /* step 0: the default */
			const struct expr *range_expr, *step_expr;
			struct range_modifiers modifiers;
		} subquery;
		struct {
			const struct function *function;
			struct expr **args;
			size_t n_args;
		} call;
		struct {
			enum aggregate_op op;
			struct expr *inner, *param; /* param: NULL where there is none */
			bool is_without;
			struct text *labels; /* sorted, none twice */
			size_t n_labels;
			struct text *written; /* the same as they stand in the query */
			size_t n_written;
		} aggregate;
		struct {
			enum binary_op op;
			struct expr *left, *right;
			bool returns_bool;
			struct vector_matching *matching; /* NULL unless both sides are vectors */
			struct span op_span;
		} binary;
		struct {
			bool is_minus;
			struct expr *inner;
		} unary;
		struct expr *paren;
		struct {
			enum duration_op op;
			enum binary_op arithmetic;
			bool is_wrapped;           /* stands in parentheses */
			struct expr *left, *right; /* numbers are EXPR_NUMBER, in seconds */
		} duration;
	};
};

#endif
