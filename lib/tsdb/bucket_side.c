/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The usual sum is of histograms of one metric, whose buckets are the same or soon become so: then addition is one pass over two
 * arrays. Else it is a merge by numbers, in place as far as no bucket is missing, and from there on into new arrays.
 */
#include "lib/tsdb/bucket_side.h"

#include "lib/base/mem.h"

#include <string.h>

void bucket_side_fini(struct bucket_side *s)
{
	free(s->spans);
	free(s->counts);
	*s = (struct bucket_side){ 0 };
}

/* What is lost stands behind the counts, in the same piece of memory. Neither is kept when that moves. */
static void reserve(struct bucket_side *s, uint32_t n_spans, uint32_t n)
{
	if (n_spans > s->span_room) {
		s->span_room = n_spans;
		free(s->spans);
		s->spans = xreallocarray(NULL, n_spans, sizeof *s->spans);
	}
	if (n > s->room) {
		s->room = n;
		free(s->counts);
		s->counts = xreallocarray(NULL, 2 * (size_t)n, sizeof *s->counts);
	}
}

void bucket_side_set(struct bucket_side *s, const struct histogram_span *spans, uint32_t n_spans,
	const double *counts, uint32_t n)
{
	reserve(s, n_spans, n);
	s->lost = NULL;
	s->n_spans = n_spans;
	s->n = n;
	if (n_spans)
		memcpy(s->spans, spans, n_spans * sizeof *spans);
	if (n)
		memcpy(s->counts, counts, n * sizeof *counts);
}

void bucket_side_compensate(struct bucket_side *s)
{
	if (s->lost)
		return;
	if (!s->room)
		reserve(s, 0, 1);
	s->lost = s->counts + s->room;
	memset(s->lost, 0, s->n * sizeof *s->lost);
}

void bucket_side_settle(struct bucket_side *s)
{
	for (uint32_t i = 0; s->lost && i < s->n; i++)
		s->counts[i] += s->lost[i];
	s->lost = NULL;
}

struct bucket_cursor bucket_side_cursor(const struct bucket_side *s)
{
	return (struct bucket_cursor){
		.spans = s->spans, .n_spans = s->n_spans, .counts = s->counts, .lost = s->lost
	};
}

/* Buckets that are written one behind the other, cut into the fewest spans. */
struct builder {
	struct histogram_span *spans;
	double *counts, *lost;
	uint32_t n_spans, n;
	int32_t last; /* number */
};

static void push(struct builder *b, int32_t number, double count, double lost)
{
	if (!b->n_spans || number != b->last + 1) {
		b->spans[b->n_spans] =
			(struct histogram_span){ .offset = b->n_spans ? number - b->last - 1 : number };
		b->n_spans++;
	}
	b->spans[b->n_spans - 1].length++;
	b->last = number;
	if (b->lost)
		b->lost[b->n] = lost;
	b->counts[b->n++] = count;
}

static bool has_same_buckets(const struct bucket_side *s, const struct bucket_cursor *other)
{
	return !other->shift && s->n_spans == other->n_spans &&
	       (!s->n_spans || memcmp(s->spans, other->spans, s->n_spans * sizeof *s->spans) == 0);
}

static bool skip_below(struct bucket_cursor *c, int32_t first)
{
	bool has;
	do {
		has = bucket_cursor_next(c);
	} while (has && c->number < first);
	return has;
}

/* How many of the cursor's buckets are missing. */
static uint32_t count_missing(const struct bucket_side *s, struct bucket_cursor other, int32_t first)
{
	struct bucket_cursor own = bucket_side_cursor(s);
	uint32_t missing = 0;
	bool has = bucket_cursor_next(&own);
	for (bool more = skip_below(&other, first); more; more = bucket_cursor_next(&other)) {
		while (has && own.number < other.number)
			has = bucket_cursor_next(&own);
		missing += !has || own.number != other.number;
	}
	return missing;
}

static void add_to(double *count, double *lost, const struct bucket_cursor *other, double sign)
{
	if (!lost) {
		*count += sign * other->count;
		return;
	}
	kahan_add(count, lost, sign * other->count);
	if (other->count_lost != 0)
		kahan_add(count, lost, sign * other->count_lost);
}

/* As far as no bucket is missing; false with its number in *first where one is, and with it all the rest to add. */
static bool add_within(struct bucket_side *s, struct bucket_cursor other, int32_t *first, double sign)
{
	struct bucket_cursor own = bucket_side_cursor(s);
	uint32_t i = 0;
	bool has = bucket_cursor_next(&own);
	for (bool more = skip_below(&other, *first); more; more = bucket_cursor_next(&other)) {
		for (; has && own.number < other.number; i++)
			has = bucket_cursor_next(&own);
		if (!has || own.number != other.number) {
			*first = other.number;
			return false;
		}
		add_to(&s->counts[i], s->lost ? &s->lost[i] : NULL, &other, sign);
	}
	return true;
}

static void add_widening(struct bucket_side *s, struct bucket_cursor other, int32_t first, double sign)
{
	uint32_t n = s->n + count_missing(s, other, first);
	struct bucket_cursor own = bucket_side_cursor(s);
	struct builder b = {
		.spans = xcalloc(n, sizeof *b.spans),
		.counts = xcalloc(n, 2 * sizeof *b.counts),
	};
	b.lost = s->lost ? b.counts + n : NULL;
	bool has = bucket_cursor_next(&own), more = skip_below(&other, first);
	while (has || more) {
		if (!more || (has && own.number < other.number)) {
			push(&b, own.number, own.count, own.count_lost);
			has = bucket_cursor_next(&own);
			continue;
		}
		double count = sign * other.count, lost = sign * other.count_lost;
		if (has && own.number == other.number) {
			count = own.count;
			lost = own.count_lost;
			add_to(&count, b.lost ? &lost : NULL, &other, sign);
			has = bucket_cursor_next(&own);
		}
		push(&b, other.number, count, lost);
		more = bucket_cursor_next(&other);
	}
	bucket_side_fini(s);
	*s = (struct bucket_side){ .spans = b.spans,
		.counts = b.counts,
		.lost = b.lost,
		.n_spans = b.n_spans,
		.n = b.n,
		.span_room = n,
		.room = n };
}

void bucket_side_add(struct bucket_side *s, struct bucket_cursor other, int32_t first, double sign)
{
	if (has_same_buckets(s, &other) && !other.lost && (!s->n_spans || s->spans[0].offset >= first)) {
		if (s->lost)
			for (uint32_t i = 0; i < s->n; i++)
				kahan_add(&s->counts[i], &s->lost[i], sign * other.counts[i]);
		else
			for (uint32_t i = 0; i < s->n; i++)
				s->counts[i] += sign * other.counts[i];
		return;
	}
	if (!add_within(s, other, &first, sign))
		add_widening(s, other, first, sign);
}

/* In place: a merged bucket or span is written where, or before where, the first of what makes it was read. */
void bucket_side_reduce(struct bucket_side *s, int shift)
{
	struct bucket_cursor c = bucket_side_cursor(s);
	c.shift = shift;
	struct builder b = { .spans = s->spans, .counts = s->counts, .lost = s->lost };
	while (bucket_cursor_next(&c))
		push(&b, c.number, c.count, c.count_lost);
	s->n_spans = b.n_spans;
	s->n = b.n;
}

static bool is_compact(const struct bucket_side *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->counts[i] == 0 && (!s->lost || s->lost[i] == 0))
			return false;
	for (uint32_t i = 0; i < s->n_spans; i++)
		if (!s->spans[i].length || (i && !s->spans[i].offset))
			return false;
	return true;
}

void bucket_side_compact(struct bucket_side *s)
{
	if (is_compact(s))
		return;
	struct bucket_cursor c = bucket_side_cursor(s);
	/* A hole in the middle makes two spans of one, so these can't be written over those that are read. */
	struct builder b = {
		.spans = xcalloc((size_t)s->n + 1, sizeof *b.spans), .counts = s->counts, .lost = s->lost
	};
	while (bucket_cursor_next(&c))
		if (c.count != 0 || c.count_lost != 0)
			push(&b, c.number, c.count, c.count_lost);
	free(s->spans);
	s->spans = b.spans;
	s->span_room = s->n + 1;
	s->n_spans = b.n_spans;
	s->n = b.n;
}
