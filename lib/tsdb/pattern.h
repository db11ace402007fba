/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a matcher asks of a value, in the plainest form: most regular expressions that people write name a few values or a prefix, and
 * such values are looked up in an index instead of all values being tried.
 */
#ifndef TSDB_PATTERN_H
#define TSDB_PATTERN_H

#include "lib/base/arena.h"
#include "lib/tsdb/matcher.h"

enum pattern_kind {
	PATTERN_SET,    /* a, a|b|c: one of these */
	PATTERN_PREFIX, /* a.*, a.+, .*, .+: this prefix, and any min_len bytes or more in all */
	PATTERN_REGEX   /* what else there is; the values that match have this prefix, which may be empty */
};

/* Of a matcher that negates it is what must not be. */
struct pattern {
	enum pattern_kind kind;
	struct text *set; /* sorted, none twice */
	size_t n_set;
	struct text prefix;
	uint32_t min_len;
	const struct regex *regex; /* borrowed */
};

/* Lies in the arena, and over the matcher. */
struct pattern pattern_of(const struct matcher *m, struct arena *a);

bool pattern_fits(const struct pattern *p, struct text value);

#endif
