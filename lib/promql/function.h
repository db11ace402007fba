/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of PromQL: names and signatures, which the parser checks and the planner dispatches on (Prometheus' parser/functions.go). */
#ifndef PROMQL_FUNCTION_H
#define PROMQL_FUNCTION_H

#include "lib/promql/ast.h"

#define FUNCTION_ARGS_MAX 6

struct function {
	const char *name;
	enum value_type args[FUNCTION_ARGS_MAX];
	unsigned n_args; /* of args that are given */
	int variadic; /* 0: exactly n_args; k > 0: up to k of the last may be left out; -1: the last may repeat or be left out */
	enum value_type returns;
	bool is_experimental;
};

/* NULL: there is none of this name. One static object a function, so pointers compare. */
const struct function *function_find(struct text name);
const struct function *function_at(size_t i); /* in the order of names; NULL past the end */

#endif
