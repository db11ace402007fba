/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The series that a selector found, looked for once however many operators read them, and announced to the source a little ahead of
 * those who read.
 */
#ifndef PROMQL_SELECTED_H
#define PROMQL_SELECTED_H

#include "lib/promql/op.h"

struct selected {
	const struct matcher *matchers; /* borrowed */
	size_t n_matchers;
	int64_t mint, maxt; /* of all who read, ms, inclusive; final once it is open */
	int64_t step_ms;
	const char *func;
	struct series_set *set; /* NULL until it is open */
	_Atomic size_t announced;
	unsigned n_refs;
};

struct selected *selected_new(const struct matcher *m, size_t n);
struct selected *selected_ref(struct selected *s);
void selected_free(struct selected *s); /* lets go of one reference; NULL is fine */

bool selected_has(
	const struct selected *s, const struct matcher *m, size_t n); /* the same ones in the same order */
void selected_widen(struct selected *s, int64_t mint, int64_t maxt);

int selected_open(struct selected *s, struct exec *x); /* once; the operator's labels are s->set->labels */

/* The samples of series i with mint <= t <= maxt in w->samples, which nothing else may use until they are let go. */
int selected_read(struct selected *s, struct worker *w, size_t i, int64_t mint, int64_t maxt);
void selected_let_go(struct worker *w);

#endif
