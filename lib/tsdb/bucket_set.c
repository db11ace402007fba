/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans say how many buckets to leave out and how many follow; a list of numbers makes union and lookup plain
 * merges. Sets are small (tens of buckets) and change rarely within a chunk, so the lists are built anew each
 * time.
 */
#include "lib/tsdb/bucket_set.h"

void bucket_set_fini(struct bucket_set *s)
{
	free(s->spans);
	free(s->number);
	*s = (struct bucket_set){ 0 };
}

bool bucket_spans_are_valid(const struct histogram_span *spans, uint32_t n_spans)
{
	int64_t next = 0;
	for (uint32_t i = 0; i < n_spans; i++) {
		if (i && spans[i].offset < 0)
			return false;
		next += spans[i].offset;
		if (next < -BUCKET_NUMBER_MAX || next + spans[i].length > BUCKET_NUMBER_MAX)
			return false;
		next += spans[i].length;
	}
	return true;
}

static void set_spans(struct bucket_set *s, const struct histogram_span *spans, uint32_t n_spans)
{
	s->spans = xreallocarray(s->spans, n_spans, sizeof *spans);
	s->n_spans = n_spans;
	if (n_spans)
		memcpy(s->spans, spans, n_spans * sizeof *spans);
}

void bucket_set_assign(struct bucket_set *s, const struct histogram_span *spans, uint32_t n_spans, uint32_t n)
{
	set_spans(s, spans, n_spans);
	s->number = xreallocarray(s->number, n, sizeof *s->number);
	s->n = 0;
	int32_t next = 0;
	for (uint32_t i = 0; i < n_spans; i++) {
		next += spans[i].offset;
		for (uint32_t k = 0; k < spans[i].length; k++)
			s->number[s->n++] = next++;
	}
}

/* Cuts the numbers into the fewest spans. */
static void make_spans(struct bucket_set *s)
{
	s->spans = xreallocarray(s->spans, s->n, sizeof *s->spans);
	s->n_spans = 0;
	int32_t next = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		if (!s->n_spans || s->number[i] != next)
			s->spans[s->n_spans++] = (struct histogram_span){ .offset = s->number[i] - next };
		s->spans[s->n_spans - 1].length++;
		next = s->number[i] + 1;
	}
}

void bucket_set_join(struct bucket_set *s, const struct bucket_set *other)
{
	auto_free int32_t *merged = xmalloc(((size_t)s->n + other->n) * sizeof *merged + 1);
	uint32_t n = 0;
	for (uint32_t a = 0, b = 0; a < s->n || b < other->n; n++) {
		if (b == other->n || (a < s->n && s->number[a] < other->number[b])) {
			merged[n] = s->number[a++];
		} else {
			a += a < s->n && s->number[a] == other->number[b];
			merged[n] = other->number[b++];
		}
	}
	if (n == s->n)
		return;
	free(s->number);
	s->number = take(merged);
	s->n = n;
	if (n == other->n)
		set_spans(s, other->spans, other->n_spans);
	else
		make_spans(s);
}

void bucket_set_places(const struct bucket_set *whole, const struct bucket_set *part, uint32_t *place)
{
	for (uint32_t i = 0, k = 0; k < part->n; i++) {
		if (whole->number[i] == part->number[k])
			place[k++] = i;
	}
}
