/* SPDX-License-Identifier: Apache-2.0 */
/* What regex.c needs of RE2, as C: the only way to the only C++ in the tree. */
#ifndef BASE_REGEX_RE2_H
#define BASE_REGEX_RE2_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct regex_re2;

/* A group of a match; begin is NULL where it took no part. */
struct regex_re2_group {
	const char *begin;
	size_t len;
};

/*
 * NULL where the pattern is refused, with the reason in `why`. *groups is the number of captures without the
 * whole.
 * '.' matches a newline; nothing is logged; a program that needs more than max_bytes is refused.
 */
struct regex_re2 *regex_re2_new(
	const char *pattern, size_t n, size_t max_bytes, size_t *groups, char *why, size_t why_bytes);
void regex_re2_free(struct regex_re2 *r);

/* Matches the whole text; fills n_groups groups from 0, the whole, on. No groups, no work for them. 1 or 0.
 */
int regex_re2_match(const struct regex_re2 *r, const char *text, size_t n, struct regex_re2_group *groups,
	size_t n_groups);

/* The number of the group of this name; 0: there is none. */
size_t regex_re2_named(const struct regex_re2 *r, const char *name, size_t n);

/* What the compiled program takes, in bytes, without what matching adds to it. */
size_t regex_re2_bytes(const struct regex_re2 *r);

#ifdef __cplusplus
}
#endif

#endif
