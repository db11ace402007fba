/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/float_histogram.h"

#include "lib/base/almost.h"
#include "lib/tsdb/bucket_cursor.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/custom_bounds.h"
#include "lib/tsdb/histogram_sum.h"

static size_t bytes_of(const struct float_histogram *h, size_t *spans_at)
{
	size_t doubles = (size_t)h->n_positive + h->n_negative + h->n_custom;
	*spans_at = sizeof *h + doubles * sizeof(double);
	return *spans_at +
	       ((size_t)h->n_positive_spans + h->n_negative_spans) * sizeof(struct histogram_span);
}

size_t float_histogram_bytes(const struct float_histogram *h)
{
	size_t ignored;
	return bytes_of(h, &ignored);
}

/* With room, and arrays that hold anything. */
static struct float_histogram *new_like(const struct float_histogram *shape)
{
	size_t spans_at, bytes = bytes_of(shape, &spans_at);
	struct float_histogram *h = xmalloc(bytes);
	*h = *shape;
	h->positive = (double *)(h + 1);
	h->negative = h->positive + h->n_positive;
	h->custom = h->negative + h->n_negative;
	h->positive_spans = (struct histogram_span *)((char *)h + spans_at);
	h->negative_spans = h->positive_spans + h->n_positive_spans;
	return h;
}

struct float_histogram *float_histogram_new(const struct float_histogram *shape)
{
	struct float_histogram *h = new_like(shape);
	memset(h + 1, 0, float_histogram_bytes(shape) - sizeof *h);
	return h;
}

static void copy_array(void *to, const void *from, size_t n, size_t bytes)
{
	if (n)
		memcpy(to, from, n * bytes);
}

struct float_histogram *float_histogram_copy(const struct float_histogram *h)
{
	struct float_histogram *copy = new_like(h);
	copy_array(copy->positive, h->positive, h->n_positive, sizeof *h->positive);
	copy_array(copy->negative, h->negative, h->n_negative, sizeof *h->negative);
	copy_array(copy->custom, h->custom, h->n_custom, sizeof *h->custom);
	copy_array(copy->positive_spans, h->positive_spans, h->n_positive_spans, sizeof *h->positive_spans);
	copy_array(copy->negative_spans, h->negative_spans, h->n_negative_spans, sizeof *h->negative_spans);
	return copy;
}

static double double_of(uint64_t bits)
{
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

static double count_of(const struct histogram_chunk *c, uint64_t cell)
{
	return c->is_float ? double_of(cell) : (double)cell;
}

static enum reset_hint hint_of(const struct histogram_chunk *c, size_t i)
{
	if (c->header == HISTOGRAM_GAUGE)
		return RESET_GAUGE;
	return i ? RESET_NO : RESET_UNKNOWN;
}

static struct float_histogram *reduced(struct float_histogram *h)
{
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, h);
	histogram_sum_reduce(&s, HISTOGRAM_MAX_SCHEMA);
	free(h);
	h = float_histogram_copy(&s.value);
	histogram_sum_fini(&s);
	return h;
}

struct float_histogram *float_histogram_of_chunk(const struct histogram_chunk *c, size_t i)
{
	const struct histogram_layout *l = &c->layout;
	if (c->sum[i] == STALE_NAN_BITS)
		return float_histogram_new(&(struct float_histogram){ .sum = double_of(c->sum[i]) });
	struct float_histogram shape = {
		.reset_hint = hint_of(c, i),
		.schema = l->schema,
		.zero_threshold = l->zero_threshold,
		.zero_count = count_of(c, c->zero_count[i]),
		.count = count_of(c, c->count[i]),
		.sum = double_of(c->sum[i]),
		.n_positive_spans = l->n_positive,
		.n_negative_spans = l->n_negative,
		.n_positive = l->positive_buckets,
		.n_negative = l->negative_buckets,
		.n_custom = l->n_custom,
	};
	struct float_histogram *h = new_like(&shape);
	copy_array(h->positive_spans, l->positive, l->n_positive, sizeof *l->positive);
	copy_array(h->negative_spans, l->negative, l->n_negative, sizeof *l->negative);
	copy_array(h->custom, l->custom, l->n_custom, sizeof *l->custom);
	size_t width = (size_t)h->n_positive + h->n_negative;
	for (size_t k = 0; k < width; k++)
		h->positive[k] = count_of(c, c->buckets[i * width + k]); /* the negative ones lie behind */
	return h->schema > HISTOGRAM_MAX_SCHEMA ? reduced(h) : h;
}

bool float_histogram_is_stale(const struct float_histogram *h)
{
	return memcmp(&h->sum, &(uint64_t){ STALE_NAN_BITS }, sizeof h->sum) == 0;
}

/* Equal bits where epsilon is 0. */
static bool is_same(double a, double b, double epsilon)
{
	return epsilon > 0 ? is_almost(a, b, epsilon) : memcmp(&a, &b, sizeof a) == 0;
}

static bool are_sides_same(struct bucket_cursor a, struct bucket_cursor b, double epsilon)
{
	for (;;) {
		bool has = bucket_cursor_next(&a);
		if (has != bucket_cursor_next(&b))
			return false;
		if (!has)
			return true;
		if (a.number != b.number || !is_same(a.count, b.count, epsilon))
			return false;
	}
}

static struct bucket_cursor positive_of(const struct float_histogram *h)
{
	return (struct bucket_cursor){
		.spans = h->positive_spans, .n_spans = h->n_positive_spans, .counts = h->positive
	};
}

static struct bucket_cursor negative_of(const struct float_histogram *h)
{
	return (struct bucket_cursor){
		.spans = h->negative_spans, .n_spans = h->n_negative_spans, .counts = h->negative
	};
}

bool float_histogram_is_near(const struct float_histogram *a, const struct float_histogram *b, double epsilon)
{
	return a->schema == b->schema && is_same(a->count, b->count, epsilon) &&
	       is_same(a->sum, b->sum, epsilon) && a->zero_threshold == b->zero_threshold &&
	       is_same(a->zero_count, b->zero_count, epsilon) &&
	       custom_bounds_are_equal(a->custom, a->n_custom, b->custom, b->n_custom) &&
	       are_sides_same(negative_of(a), negative_of(b), epsilon) &&
	       are_sides_same(positive_of(a), positive_of(b), epsilon);
}

bool float_histogram_is_equal(const struct float_histogram *a, const struct float_histogram *b)
{
	return float_histogram_is_near(a, b, 0);
}

/* What was computed, compacted, in a block of its own. */
static struct float_histogram *finish(struct histogram_sum *s)
{
	histogram_sum_compact(s);
	struct float_histogram *h = float_histogram_copy(&s->value);
	histogram_sum_fini(s);
	return h;
}

struct float_histogram *float_histogram_add(
	const struct float_histogram *a, const struct float_histogram *b, int *noted)
{
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, a);
	*noted = histogram_sum_add(&s, b);
	struct float_histogram *h = finish(&s);
	if (*noted < 0)
		free(take(h));
	return h;
}

struct float_histogram *float_histogram_sub(
	const struct float_histogram *a, const struct float_histogram *b, int *noted)
{
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, a);
	*noted = histogram_sum_sub(&s, b);
	s.value.reset_hint = RESET_GAUGE;
	struct float_histogram *h = finish(&s);
	if (*noted < 0)
		free(take(h));
	return h;
}

struct float_histogram *float_histogram_mul(const struct float_histogram *h, double factor)
{
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, h);
	histogram_sum_mul(&s, factor);
	return finish(&s);
}

struct float_histogram *float_histogram_div(const struct float_histogram *h, double by)
{
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, h);
	histogram_sum_div(&s, by);
	return finish(&s);
}

struct float_histogram *float_histogram_trim(const struct float_histogram *h, double at, bool keeps_below)
{
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, h);
	histogram_sum_trim(&s, at, keeps_below);
	struct float_histogram *trimmed = float_histogram_copy(&s.value);
	histogram_sum_fini(&s);
	return trimmed;
}
