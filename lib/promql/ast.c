/* SPDX-License-Identifier: Apache-2.0 */
/* The words for what a tree is made of. */
#include "lib/promql/ast.h"

const char *value_type_name(enum value_type t)
{
	static const char *const names[] = { "none", "scalar", "string", "instant vector", "range vector" };
	return names[t];
}

const char *value_type_short_name(enum value_type t)
{
	static const char *const names[] = { "none", "scalar", "string", "vector", "matrix" };
	return names[t];
}

const char *binary_op_text(enum binary_op op)
{
	static const char *const texts[] = {
		[OP_ADD] = "+",
		[OP_SUB] = "-",
		[OP_MUL] = "*",
		[OP_DIV] = "/",
		[OP_MOD] = "%",
		[OP_POW] = "^",
		[OP_ATAN2] = "atan2",
		[OP_EQ] = "==",
		[OP_NE] = "!=",
		[OP_GT] = ">",
		[OP_LT] = "<",
		[OP_GE] = ">=",
		[OP_LE] = "<=",
		[OP_AND] = "and",
		[OP_OR] = "or",
		[OP_UNLESS] = "unless",
		[OP_TRIM_UPPER] = "</",
		[OP_TRIM_LOWER] = ">/",
	};
	return texts[op];
}

bool binary_op_is_comparison(enum binary_op op)
{
	return op >= OP_EQ && op <= OP_LE;
}

bool binary_op_is_set(enum binary_op op)
{
	return op >= OP_AND && op <= OP_UNLESS;
}

const char *aggregate_op_text(enum aggregate_op op)
{
	static const char *const texts[] = {
		[AGG_SUM] = "sum",
		[AGG_AVG] = "avg",
		[AGG_COUNT] = "count",
		[AGG_MIN] = "min",
		[AGG_MAX] = "max",
		[AGG_GROUP] = "group",
		[AGG_STDDEV] = "stddev",
		[AGG_STDVAR] = "stdvar",
		[AGG_TOPK] = "topk",
		[AGG_BOTTOMK] = "bottomk",
		[AGG_QUANTILE] = "quantile",
		[AGG_COUNT_VALUES] = "count_values",
		[AGG_LIMITK] = "limitk",
		[AGG_LIMIT_RATIO] = "limit_ratio",
	};
	return texts[op];
}
