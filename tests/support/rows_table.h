/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of queries on the same rows. */
#ifndef TESTS_ROWS_TABLE_H
#define TESTS_ROWS_TABLE_H

#include "lib/base/mem.h"
#include "tests/support/rows_query.h"
#include "tests/support/test.h"

struct query {
	const char *text, *want;
};

#define CHECK_QUERIES(rows, queries)                                                                   \
	for (size_t i_ = 0; i_ < ARRAY_LEN(queries); i_++) {                                           \
		const char *got_ = rows_query(rows, (queries)[i_].text);                               \
		if (strcmp(got_, (queries)[i_].want) != 0)                                             \
			test_fail(__FILE__, __LINE__, "%s gives\n%snot\n%s", (queries)[i_].text, got_, \
				(queries)[i_].want);                                                   \
	}

#endif
