/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `eval` of test scripts: a query, and what is expected of it.
 *
 *	eval instant at 50m rate(x[5m])		or: eval range from 0 to 10m step 1m x
 *	    expect warn regex: .*not a counter.*
 *	    {job="a"} 1 2 3
 *
 * Lines in the order of the script; one that is only a number expects a scalar and ends the command. See upstream's
 * promql/promqltest/README.md for all that can be expected.
 */
#ifndef TESTS_SCRIPT_EVAL_H
#define TESTS_SCRIPT_EVAL_H

#include "lib/base/regex.h"
#include "tests/support/noted_series.h"

/* What an error or an annotation should say. */
struct wanted_words {
	struct text text;    /* as written; len 0: anything */
	struct regex *regex; /* NULL: the text itself */
};

struct wanted_list {
	struct wanted_words *data;
	size_t len, cap;
};

struct script_eval {
	struct text query;
	bool is_range;
	int64_t start, end,
		step; /* ms; of an instant query start == end is its time, unless it wants a range vector */

	bool is_ordered, fails;
	bool has_notes[2], lacks_notes[2]; /* by enum annotation_level: at least one, none */
	struct wanted_list error, notes[2];
	bool wants_scalar, wants_string,
		wants_matrix; /* of an instant query; the matrix's times are start to end */
	double scalar;
	struct text string;
	VEC(struct noted_series) series;
};

/* How many of the n lines belong to the command; -EINVAL, and *bad is the line. *out is to be freed in any case and borrows. */
int script_eval_parse(const char *const *lines, size_t n, struct arena *a, struct script_eval *out,
	size_t *bad, struct err *e);
void script_eval_fini(struct script_eval *s);
static inline void mem_auto_script_eval(struct script_eval *s)
{
	script_eval_fini(s);
}

bool wanted_words_are(const struct wanted_words *w, const char *text);

#endif
