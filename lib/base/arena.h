/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that goes all at once: a run of blocks from which pieces are cut, in the order of a stack. One thread's.
 *
 *	struct arena_mark m = arena_mark(a);
 *	double *scratch = arena_alloc(a, n * sizeof *scratch);
 *	...
 *	arena_release(a, m);		what was cut since the mark is gone; the blocks are kept for what comes next
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "lib/base/budget.h"
#include "lib/base/mem.h"

#include <stddef.h>

struct arena;

/* The budget (may be NULL) is borrowed and is charged by block. */
struct arena *arena_new(struct budget *budget);
void arena_free(struct arena *a); /* NULL is fine */
DEFINE_AUTO(arena, struct arena *, arena_free)

void *arena_alloc(struct arena *a, size_t bytes);  /* aligned for anything; not zeroed; never NULL */
void *arena_calloc(struct arena *a, size_t bytes); /* zeroed */
char *arena_strndup(struct arena *a, const char *s, size_t n);
void *arena_copy(struct arena *a, const void *p, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct arena_mark {
	void *block;
	size_t used;
};

struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark m);

/* Cuts everything off, keeping the first block. */
void arena_reset(struct arena *a);

#endif
