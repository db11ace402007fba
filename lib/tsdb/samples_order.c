/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearly always there is nothing to do, which one pass over the times shows. Else a merge sort of the runs that are there, over places
 * instead of samples, that keeps equal times in order.
 */
#include "lib/tsdb/samples_order.h"

#include "lib/base/vec.h"

#include <string.h>

static bool is_rising(const int64_t *t, size_t n)
{
	bool falls = false;
	for (size_t i = 1; i < n; i++)
		falls |= t[i] <= t[i - 1];
	return !falls;
}

struct order {
	const int64_t *t;
	size_t n;
	size_t *places, *spare;
	VEC(size_t) ends; /* of runs */
};

static void merge_two(struct order *o, size_t from, size_t middle, size_t to)
{
	size_t a = from, b = middle;
	for (size_t i = from; i < to; i++) {
		bool takes_a = a < middle && (b == to || o->t[o->places[a]] <= o->t[o->places[b]]);
		o->spare[i] = o->places[takes_a ? a++ : b++];
	}
}

/* Merges neighbours, so that half the runs are left. */
static void merge_runs(struct order *o)
{
	size_t kept = 0, from = 0;
	for (size_t i = 0; i < o->ends.len; i += 2) {
		size_t middle = o->ends.data[i], to = i + 1 < o->ends.len ? o->ends.data[i + 1] : middle;
		merge_two(o, from, middle, to);
		o->ends.data[kept++] = from = to;
	}
	o->ends.len = kept;
	size_t *places = o->places;
	o->places = o->spare;
	o->spare = places;
}

static const struct float_histogram *without_hint(const struct float_histogram *h)
{
	struct float_histogram *mine = (struct float_histogram *)(uintptr_t)h;
	if (mine->reset_hint != RESET_GAUGE)
		mine->reset_hint = RESET_UNKNOWN;
	return mine;
}

/* Takes the samples in the order of places, those of a time that was there already left out. */
static void rearrange(struct samples *s, size_t from, const struct order *o)
{
	size_t kept = 0, last = 0;
	int64_t *t = xcalloc(o->n, sizeof *t);
	double *v = xcalloc(o->n, sizeof *v);
	int64_t *start = s->start ? xcalloc(o->n, sizeof *start) : NULL;
	const struct float_histogram **h = s->h ? xcalloc(o->n, sizeof(*h)) : NULL;
	for (size_t i = 0; i < o->n; i++) {
		size_t at = from + o->places[i];
		const struct float_histogram *one = h ? s->h[at] : NULL;
		if (kept && t[kept - 1] == s->t[at]) {
			free((void *)(uintptr_t)one);
			continue;
		}
		if (one)
			h[kept] = kept && at == last + 1 ? one : without_hint(one);
		if (start)
			start[kept] = s->start[at];
		t[kept] = s->t[at];
		v[kept++] = s->v[at];
		last = at;
	}
	memcpy(s->t + from, t, kept * sizeof *t);
	memcpy(s->v + from, v, kept * sizeof *v);
	if (start) {
		memcpy(s->start + from, start, kept * sizeof *start);
		memset(s->start + from + kept, 0, (o->n - kept) * sizeof *start);
	}
	if (h)
		memcpy(s->h + from, h, kept * sizeof(*h));
	s->n = from + kept;
	free(t);
	free(v);
	free(start);
	free(h);
}

bool samples_order(struct samples *s, size_t from)
{
	if (s->n - from < 2 || is_rising(s->t + from, s->n - from))
		return false;
	struct order o = { .t = s->t + from, .n = s->n - from };
	o.places = xcalloc(o.n, sizeof *o.places);
	o.spare = xcalloc(o.n, sizeof *o.spare);
	for (size_t i = 0; i < o.n; i++) {
		o.places[i] = i;
		if (i && o.t[i] <= o.t[i - 1])
			vec_push(&o.ends, i);
	}
	vec_push(&o.ends, o.n);
	while (o.ends.len > 1)
		merge_runs(&o);
	rearrange(s, from, &o);
	free(o.places);
	free(o.spare);
	vec_fini(&o.ends);
	return true;
}
