/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions as Prometheus has them: RE2's language, always anchored at both ends, '.' matches a
 * newline too. Time is linear in the text and memory bounded, whatever the expression. May be used from
 * several threads.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define REGEX_MAX_BYTES  (64u << 10) /* a longer expression is refused */
#define REGEX_MAX_GROUPS 32          /* of captures, the whole match too; more are refused */

struct regex;

int regex_compile(const char *pattern, size_t n, struct regex **out, struct err *e);
void regex_free(struct regex *r);
DEFINE_AUTO(regex, struct regex *, regex_free)

/* What it takes of memory, about, before anything is matched: up to 20 MB for a few bytes of expression. */
size_t regex_bytes(const struct regex *r);

bool regex_matches(const struct regex *r, const char *text, size_t n);

/* Where the groups of a match lie in its text; group 0 is the whole. begin is NULL where a group took no
 * part. */
struct regex_match {
	size_t groups;
	struct {
		const char *begin;
		size_t len;
	} group[REGEX_MAX_GROUPS];
};

bool regex_find(const struct regex *r, const char *text, size_t n, struct regex_match *out);

/*
 * Appends the template with $1, $name, ${1} and ${name} replaced by what the group matched, as Go's
 * Regexp.Expand does it: $name is as long as letters, digits and underscores go; a group that doesn't exist
 * is empty; $$ is a '$'; a '$' that introduces nothing stands for itself.
 */
void regex_expand(const struct regex *r, const char *template_text, size_t n, const struct regex_match *m,
	struct buf *out);

/* How many bytes that would append: a short template may make a long text. */
size_t regex_expand_length(
	const struct regex *r, const char *template_text, size_t n, const struct regex_match *m);

#endif
