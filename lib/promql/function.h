/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of PromQL: names and signatures, which the parser checks and the planner dispatches on (Prometheus' parser/functions.go). */
#ifndef PROMQL_FUNCTION_H
#define PROMQL_FUNCTION_H

#include "lib/promql/ast.h"

#define FUNCTION_ARGS_MAX 6

struct function {
	const char *name;
	enum value_type args[FUNCTION_ARGS_MAX];
	unsigned n_args; /* of args that are given; arguments past them have the type of the last */
	int variadic; /* 0: exactly n_args; k > 0: n_args - 1, and up to k more; -1: n_args - 1, and any number more */
	enum value_type returns;
	bool is_experimental;
};

/* NULL: there is none of this name. One static object a function, so pointers compare. */
const struct function *function_find(struct text name);
const struct function *function_at(size_t i); /* in the order of names; NULL past the end */

#endif
