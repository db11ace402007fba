/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/function.h"

#include "tests/support/test.h"

TEST(functions_are_found_by_name)
{
	const struct function *f = function_find(TEXT("histogram_quantile"));
	CHECK(f && f->n_args == 2 && f->args[0] == VALUE_SCALAR && f->args[1] == VALUE_VECTOR);
	CHECK_INT(f->returns, VALUE_VECTOR);
	CHECK(!function_find(TEXT("Rate")) && !function_find(TEXT("")) && !function_find(TEXT("rat")));
	CHECK(function_find(TEXT("info"))->is_experimental && !function_find(TEXT("rate"))->is_experimental);
}

TEST(the_table_is_sorted_and_every_function_finds_itself)
{
	size_t n = 0;
	for (const struct function *f, *before = NULL; (f = function_at(n)); before = f, n++) {
		CHECK(!before || strcmp(before->name, f->name) < 0);
		CHECK(function_find(text_of(f->name)) == f);
		CHECK(f->n_args <= FUNCTION_ARGS_MAX);
	}
	CHECK_INT(n, 90);
}

TEST_MAIN()
