/* SPDX-License-Identifier: Apache-2.0 */
/* A condition on one label of a series, as in {job=~"api|web"}. */
#ifndef TSDB_MATCHER_H
#define TSDB_MATCHER_H

#include "lib/base/err.h"
#include "lib/base/regex.h"
#include "lib/tsdb/label_set.h"

#include <stdbool.h>

enum matcher_kind { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };

/* A label that a series doesn't have counts as empty. */
struct matcher {
	enum matcher_kind kind;
	struct text name, value; /* borrowed; value is the expression of a regex */
	struct regex *regex;     /* owned; NULL but for the regex kinds */
};

/* Compiles what is to be compiled. -EINVAL, with RE2's words. */
int matcher_init(
	struct matcher *m, enum matcher_kind kind, struct text name, struct text value, struct err *e);
void matcher_fini(struct matcher *m);

bool matcher_accepts(const struct matcher *m, struct text value);
bool matchers_accept(const struct matcher *m, size_t n, const struct label_set *labels);

const char *matcher_kind_text(enum matcher_kind kind); /* "=", "!=", "=~", "!~" */

#endif
