/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte of encoding and a histogram chunk's data. The samples of a chunk that decodes are encoded again, as
 * counters and as gauges, into as many chunks as it takes, and must come back. A second pass picks every
 * other sample from a copy of the chunk whose buckets are moved by one, so that layouts must be joined. Then a few samples are computed
 * with as a query does.
 */
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/histogram.h"
#include "lib/tsdb/histogram_average.h"
#include "lib/tsdb/histogram_estimate.h"
#include "lib/tsdb/histogram_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t width_of(const struct histogram_chunk *c)
{
	return (size_t)c->layout.positive_buckets + c->layout.negative_buckets;
}

/* The bucket of this number, 0 where there is none. */
static uint64_t bucket_at(
	const uint64_t *row, const struct histogram_span *spans, uint32_t n_spans, int64_t number)
{
	int64_t next = 0;
	size_t before = 0;
	for (uint32_t i = 0; i < n_spans; before += spans[i++].length) {
		next += spans[i].offset;
		if (number < next)
			return 0;
		if (number < next + spans[i].length)
			return row[before + (size_t)(number - next)];
		next += spans[i].length;
	}
	return 0;
}

static void check_side(const uint64_t *got, const struct histogram_span *got_spans, uint32_t n_got,
	const uint64_t *want, const struct histogram_span *want_spans, uint32_t n_want)
{
	int64_t number = 0;
	size_t at = 0;
	for (uint32_t i = 0; i < n_got; i++) {
		number += got_spans[i].offset;
		for (uint32_t k = 0; k < got_spans[i].length; k++, number++, at++)
			if (got[at] != bucket_at(want, want_spans, n_want, number))
				abort();
	}
}

static void check_sample(const struct histogram_chunk *got, size_t i, const struct histogram_pick *p)
{
	const struct histogram_chunk *want = p->from;
	size_t k = p->index;
	if (got->t[i] != want->t[k] || got->sum[i] != want->sum[k])
		abort();
	if (got->sum[i] == STALE_NAN_BITS)
		return;
	if (got->count[i] != want->count[k] || got->zero_count[i] != want->zero_count[k])
		abort();
	const uint64_t *row = got->buckets + i * width_of(got),
		       *want_row = want->buckets + k * width_of(want);
	const struct histogram_layout *a = &got->layout, *b = &want->layout;
	check_side(row, a->positive, a->n_positive, want_row, b->positive, b->n_positive);
	check_side(row + a->positive_buckets, a->negative, a->n_negative, want_row + b->positive_buckets,
		b->negative, b->n_negative);
	if (a->positive_buckets < b->positive_buckets || a->negative_buckets < b->negative_buckets)
		abort();
}

static void encode_again(const struct histogram_pick *picks, size_t n, uint8_t header)
{
	bool is_float = picks[0].from->is_float;
	/* A layout's scale may be no number, which equals nothing and makes a chunk a sample: some are
	 * enough. */
	for (size_t at = 0, chunks = 0; at < n && chunks < 100; chunks++) {
		auto_buf struct buf data = { 0 };
		auto_of(histogram_chunk) struct histogram_chunk *c = NULL;
		size_t taken = histogram_chunk_encode(picks + at, n - at, header, &data);
		if (taken == 0 || taken > n - at)
			abort();
		if (histogram_chunk_decode(is_float ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM, data.data,
			    data.len, &c, NULL) < 0 ||
			c->n != taken || c->header != header)
			abort();
		for (size_t i = 0; i < taken; i++)
			check_sample(c, i, &picks[at + i]);
		at += taken;
	}
}

/* Whatever the numbers are, buckets stay as many as their spans say, and compacted they rise. */
static void check_shape(const struct float_histogram *h)
{
	uint64_t positive = 0, negative = 0;
	for (uint32_t i = 0; i < h->n_positive_spans; i++)
		positive += h->positive_spans[i].length;
	for (uint32_t i = 0; i < h->n_negative_spans; i++)
		negative += h->negative_spans[i].length;
	if (positive != h->n_positive || negative != h->n_negative)
		abort();
}

static void compute(const struct float_histogram *a, const struct float_histogram *b)
{
	enum histogram_nan_note note;
	auto_buf struct buf text = { 0 };
	for (int i = 0; i < 3; i++) {
		histogram_quantile(a, i * 0.45, &note);
		histogram_fraction(a, i - 1.5, i * 2, &note);
		auto_free struct float_histogram *below = float_histogram_trim(a, i - 0.5, i % 2);
		check_shape(below);
	}
	histogram_variance(a);
	histogram_print(a, &text);
	histogram_print_json(a, &text);
	histogram_print_test(a, &text);
	float_histogram_check(a, NULL);
	float_histogram_is_reset(a, b);
	float_histogram_is_near(a, b, 1e-6);
	int noted;
	auto_free struct float_histogram *sum = float_histogram_add(a, b, &noted),
					 *difference = float_histogram_sub(a, b, &noted);
	if (sum)
		check_shape(sum);
	if (difference)
		check_shape(difference);
	struct histogram_average mean = { 0 };
	if (histogram_average_add(&mean, a) >= 0 && histogram_average_add(&mean, b) >= 0) {
		struct histogram_sum *s = histogram_average_get(&mean);
		histogram_sum_reduce(s, -4);
		histogram_sum_compact(s);
		check_shape(&s->value);
	}
	histogram_average_fini(&mean);
}

static void compute_some(const struct histogram_chunk *c, const struct histogram_chunk *other)
{
	for (size_t i = 0; i < MIN_OF(c->n, 4u); i++) {
		size_t last = c->n - 1 - i;
		auto_free struct float_histogram *a = float_histogram_of_chunk(c, i),
						 *b = float_histogram_of_chunk(other, last);
		/* As from another target: other bounds, another zero bucket. */
		if (b->n_custom && i % 2)
			b->n_custom--;
		if (i == 2)
			b->zero_threshold = a->zero_threshold * 3 + 1;
		compute(a, b);
		compute(b, a);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_of(histogram_chunk) struct histogram_chunk *c = NULL, *other = NULL;
	if (n == 0 || histogram_chunk_decode(data[0], data + 1, n - 1, &c, NULL) < 0 || c->n == 0)
		return 0;
	/* Widened layouts could pass the decoder's bound; keep away from it, and fast. */
	if (c->n * (width_of(c) + 4) > 1u << 20)
		return 0;
	auto_free struct histogram_pick *picks = xcalloc(c->n, sizeof *picks);
	for (size_t i = 0; i < c->n; i++)
		picks[i] = (struct histogram_pick){ .from = c, .index = (uint32_t)i };
	encode_again(picks, c->n, c->header);
	encode_again(picks, c->n, HISTOGRAM_GAUGE);

	if (histogram_chunk_decode(data[0], data + 1, n - 1, &other, NULL) < 0)
		abort();
	if (other->layout.n_positive && other->layout.positive[0].offset < 1 << 20)
		other->layout.positive[0].offset++;
	if (other->layout.n_negative && other->layout.negative[0].offset > -(1 << 20))
		other->layout.negative[0].offset--;
	compute_some(c, other);
	for (size_t i = 0; i < c->n; i += 2)
		picks[i].from = other;
	encode_again(picks, c->n, HISTOGRAM_GAUGE);
	encode_again(picks, c->n, HISTOGRAM_UNKNOWN_RESET);
	return 0;
}
