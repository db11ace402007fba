/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/series_source.h"

#define SAMPLE_BYTES (sizeof(int64_t) + sizeof(double))

void samples_clear(struct samples *s)
{
	for (size_t i = 0; s->h && i < s->n; i++)
		free((void *)(uintptr_t)s->h[i]);
	s->n = 0;
	free(s->h);
	s->h = NULL;
	free(s->start);
	s->start = NULL;
	budget_give(s->budget, s->held);
	s->held = 0;
}

void samples_fini(struct samples *s)
{
	samples_clear(s);
	free(s->t);
	free(s->v);
	budget_give(s->budget, s->cap * SAMPLE_BYTES);
	*s = (struct samples){ 0 };
}

void samples_reserve(struct samples *s, size_t n)
{
	if (n <= s->cap)
		return;
	size_t old = s->cap;
	s->cap = MAX_OF(n, s->cap * 2);
	budget_take(s->budget, (s->cap - old) * SAMPLE_BYTES);
	s->t = xreallocarray(s->t, s->cap, sizeof *s->t);
	s->v = xreallocarray(s->v, s->cap, sizeof *s->v);
	if (s->h)
		s->h = xreallocarray(s->h, s->cap, sizeof *s->h);
	if (s->start) {
		s->start = xreallocarray(s->start, s->cap, sizeof *s->start);
		memset(s->start + old, 0, (s->cap - old) * sizeof *s->start);
	}
}

void samples_charge(struct samples *s, uint64_t bytes)
{
	s->held += bytes;
	budget_take(s->budget, bytes);
}

void samples_set_start(struct samples *s, size_t i, int64_t start)
{
	if (!s->start)
		s->start = xcalloc(s->cap, sizeof *s->start);
	s->start[i] = start;
}
