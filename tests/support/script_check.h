/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an answer is what a test script expects. */
#ifndef TESTS_SCRIPT_CHECK_H
#define TESTS_SCRIPT_CHECK_H

#include "tests/support/kept_answer.h"
#include "tests/support/script_eval.h"

#define SCRIPT_EPSILON 1e-6 /* how far numbers may be apart, relative to their size */

/* Each true, or false with what was got and wanted appended to `why`. */
bool script_check_error(const struct script_eval *s, const struct kept_answer *got, struct buf *why);
bool script_check_notes(const struct script_eval *s, const struct kept_answer *got, struct buf *why);
bool script_check_value(const struct script_eval *s, const struct kept_answer *got, struct buf *why);

/* The same of what an instant query's text gave as a range query: the point at this time. `type` is the instant answer's. */
bool script_check_value_at(const struct script_eval *s, const struct kept_answer *got, enum value_type type,
	int64_t t, struct buf *why);

#endif
