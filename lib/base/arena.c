/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FIRST_BYTES 4096u
#define MOST_BYTES  (1u << 20) /* of a block, unless a piece is larger */
#define ALIGN       alignof(max_align_t)

struct block {
	struct block *next; /* also kept for what comes after a release */
	size_t size, used;
	alignas(max_align_t) uint8_t bytes[];
};

struct arena {
	struct budget *budget;
	struct block *first, *top;
};

static struct block *block_new(struct arena *a, size_t size)
{
	struct block *b = xmalloc(sizeof *b + size);
	*b = (struct block){ .size = size };
	budget_take(a->budget, sizeof *b + size);
	return b;
}

static void free_from(struct arena *a, struct block *b)
{
	while (b) {
		struct block *next = b->next;
		budget_give(a->budget, sizeof *b + b->size);
		free(b);
		b = next;
	}
}

struct arena *arena_new(struct budget *budget)
{
	struct arena *a = xcalloc(1, sizeof *a);
	a->budget = budget;
	a->first = a->top = block_new(a, FIRST_BYTES);
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	free_from(a, a->first);
	free(a);
}

/* The block after the top one, which has room for so much; one that is kept is taken where it is large enough. */
static struct block *next_block(struct arena *a, size_t bytes)
{
	struct block *top = a->top, *next = top->next;
	if (next && next->size < bytes) {
		free_from(a, next);
		next = NULL;
	}
	if (!next) {
		size_t size = MIN_OF(top->size * 2, (size_t)MOST_BYTES);
		next = block_new(a, MAX_OF(size, bytes));
		top->next = next;
	}
	next->used = 0;
	return next;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	if (bytes > SIZE_MAX / 2)
		abort(); /* a size that nobody has bounded */
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	if (a->top->size - a->top->used < bytes)
		a->top = next_block(a, bytes);
	void *p = a->top->bytes + a->top->used;
	a->top->used += bytes;
	return p;
}

void *arena_calloc(struct arena *a, size_t bytes)
{
	return memset(arena_alloc(a, bytes), 0, bytes);
}

void *arena_copy(struct arena *a, const void *p, size_t n)
{
	void *copy = arena_alloc(a, n);
	if (n)
		memcpy(copy, p, n);
	return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *copy = arena_alloc(a, n + 1);
	if (n)
		memcpy(copy, s, n);
	copy[n] = 0;
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, args);
	char *text = arena_alloc(a, (size_t)MAX_OF(n, 0) + 1);
	vsnprintf(text, (size_t)MAX_OF(n, 0) + 1, fmt, again);
	va_end(again);
	va_end(args);
	return text;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->top, a->top->used };
}

void arena_release(struct arena *a, struct arena_mark m)
{
	a->top = m.block;
	a->top->used = m.used;
}

void arena_reset(struct arena *a)
{
	free_from(a, a->first->next);
	a->first->next = NULL;
	a->first->used = 0;
	a->top = a->first;
}
