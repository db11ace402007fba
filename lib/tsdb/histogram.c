/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding native histograms. A chunk starts with the layout its samples share; samples are fields of
 * deltas of deltas (integer chunks) or of XORs (float chunks), each bucket a column of its own:
 *
 *			time	count	zero count	sum	buckets, positive then negative
 *	first		varbit	varbit	varbit		64	varbit: the difference to the bucket before
 *	  float		varbit	64	64		64	64: the count itself
 *	later		dod	dod	dod		XOR	dod of the same difference
 *	  float		dod	XOR	XOR		XOR	XOR
 *
 * A stale sample ends after its sum. The _ST encodings put start times (start_times.h) behind their
 * samples, and the reset header into the top bits of the count.
 */
#include "lib/tsdb/histogram.h"

#include "lib/tsdb/bucket_set.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/start_times.h"
#include "lib/tsdb/varbit.h"

#include <errno.h>
#include <math.h>

#define HEADER_BYTES         3
#define HEADER_MASK          0xc0
#define ST_COUNT_MASK        0x3fff
#define SCHEMA_MIN           (-9)
#define SCHEMA_MAX           52
#define SCHEMA_CUSTOM        (-53)
#define MAX_CELLS            (16u << 20) /* bucket counts of a chunk: 128 MiB */
#define MAX_SPANS            (1u << 20)  /* and custom bounds */
#define SPAN_MIN_BITS        2
#define FIRST_MIN_BITS       (3 + 64) /* after the layout, without buckets */
#define FIRST_FLOAT_MIN_BITS (1 + 3 * 64)
#define LATER_MIN_BITS       4
#define COLUMNS              4 /* time, count, zero count, sum */

struct decoder {
	struct bit_reader r;
	struct histogram_chunk *c;
	struct start_times start_times;
	size_t width; /* buckets a sample */
};

static double double_of(uint64_t bits)
{
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

void histogram_chunk_free(struct histogram_chunk *c)
{
	if (!c)
		return;
	free(c->layout.positive);
	free(c->layout.negative);
	free(c->layout.custom);
	free(c->t); /* all columns are one allocation */
	free(c);
}

/* A power of two in a byte, or 255 and all its bits. */
static double read_zero_threshold(struct bit_reader *r)
{
	unsigned code = (unsigned)bits_get(r, 8);
	if (code == 255)
		return double_of(bits_get(r, 64));
	return code ? ldexp(0.5, (int)code - 243) : 0;
}

static double read_custom_bound(struct bit_reader *r)
{
	uint64_t thousandths = varbit_get_uint(r);
	return thousandths ? (double)(thousandths - 1) / 1000 : double_of(bits_get(r, 64));
}

static int read_spans(
	struct bit_reader *r, struct histogram_span **out, uint32_t *n_out, uint32_t *buckets, struct err *e)
{
	uint64_t n = varbit_get_uint(r), total = 0;
	if (n > MAX_SPANS || n > bits_left(r) / SPAN_MIN_BITS)
		return err_set(e, -EBADMSG, "histogram chunk claims %llu spans", (unsigned long long)n);
	struct histogram_span *spans = *out = xcalloc(n, sizeof *spans);
	*n_out = (uint32_t)n;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t length = varbit_get_uint(r);
		int64_t offset = varbit_get_int(r);
		if (length > BUCKET_NUMBER_MAX || offset > 2ll * BUCKET_NUMBER_MAX - 1 ||
			offset < -BUCKET_NUMBER_MAX)
			return err_set(e, -EBADMSG, "histogram span of %llu buckets at %lld",
				(unsigned long long)length, (long long)offset);
		spans[i] = (struct histogram_span){ .offset = (int32_t)offset, .length = (uint32_t)length };
		total += length;
	}
	/* Every bucket takes a bit at least, and the first sample has them all. */
	if (total > bits_left(r))
		return err_set(e, -EBADMSG, "histogram chunk claims %llu buckets", (unsigned long long)total);
	if (!bucket_spans_are_valid(spans, (uint32_t)n))
		return err_set(e, -EBADMSG, "histogram spans overlap or lie too far out");
	*buckets = (uint32_t)total;
	return 0;
}

static int read_custom_bounds(struct bit_reader *r, struct histogram_layout *l, struct err *e)
{
	uint64_t n = varbit_get_uint(r);
	if (n > MAX_SPANS || n > bits_left(r))
		return err_set(
			e, -EBADMSG, "histogram chunk claims %llu custom bounds", (unsigned long long)n);
	l->custom = xcalloc(n, sizeof *l->custom);
	l->n_custom = (uint32_t)n;
	for (uint64_t i = 0; i < n; i++)
		l->custom[i] = read_custom_bound(r);
	return 0;
}

static int read_layout(struct bit_reader *r, struct histogram_layout *l, struct err *e)
{
	l->zero_threshold = read_zero_threshold(r);
	int64_t schema = varbit_get_int(r);
	if (schema != SCHEMA_CUSTOM && (schema < SCHEMA_MIN || schema > SCHEMA_MAX))
		return err_set(e, -EBADMSG, "unknown histogram schema %lld", (long long)schema);
	l->schema = (int32_t)schema;
	int err = read_spans(r, &l->positive, &l->n_positive, &l->positive_buckets, e);
	if (err < 0)
		return err;
	err = read_spans(r, &l->negative, &l->n_negative, &l->negative_buckets, e);
	if (err < 0)
		return err;
	return schema == SCHEMA_CUSTOM ? read_custom_bounds(r, l, e) : 0;
}

static bool has_starts(const struct decoder *d)
{
	return d->start_times.has_first || d->start_times.from;
}

/* False for a start time that can't be. */
static bool read_start_time(struct decoder *d, size_t i)
{
	struct histogram_chunk *c = d->c;
	return !c->start ||
	       start_times_get(&d->start_times, &d->r, i, i ? c->t[i - 1] : 0, c->t[i], &c->start[i]);
}

static bool is_stale(const struct histogram_chunk *c, size_t i)
{
	return c->sum[i] == STALE_NAN_BITS;
}

/* Sums up the differences between neighbours, a side at a time. */
static void add_up(const struct histogram_layout *l, const uint64_t *difference, uint64_t *bucket)
{
	uint64_t sum = 0;
	for (size_t k = 0; k < l->positive_buckets; k++)
		bucket[k] = sum += difference[k];
	sum = 0;
	for (size_t k = l->positive_buckets; k < (size_t)l->positive_buckets + l->negative_buckets; k++)
		bucket[k] = sum += difference[k];
}

struct counter {
	uint64_t value, delta;
};

static uint64_t read_counter(struct bit_reader *r, struct counter *c)
{
	c->delta += (uint64_t)varbit_get_int(r);
	return c->value += c->delta;
}

static bool decode_integers(struct decoder *d)
{
	struct histogram_chunk *c = d->c;
	struct xor_window window = { 0 };
	auto_free uint64_t *difference = xcalloc(2 * d->width, sizeof *difference);
	uint64_t *delta = difference + d->width;
	struct counter t = { .value = (uint64_t)varbit_get_int(&d->r) };
	struct counter count = { .value = varbit_get_uint(&d->r) };
	struct counter zero_count = { .value = varbit_get_uint(&d->r) };
	uint64_t sum = bits_get(&d->r, 64), x;
	for (size_t k = 0; k < d->width; k++)
		difference[k] = (uint64_t)varbit_get_int(&d->r);
	for (size_t i = 0; i < c->n; i++) {
		if (i) {
			read_counter(&d->r, &t);
			read_counter(&d->r, &count);
			read_counter(&d->r, &zero_count);
			if (!xor_get(&d->r, &window, &x))
				return false;
			sum ^= x;
		}
		c->t[i] = (int64_t)t.value;
		c->sum[i] = sum;
		if (!is_stale(c, i)) {
			c->count[i] = count.value;
			c->zero_count[i] = zero_count.value;
			for (size_t k = 0; i && k < d->width; k++)
				difference[k] += delta[k] += (uint64_t)varbit_get_int(&d->r);
			add_up(&c->layout, difference, c->buckets + i * d->width);
		}
		if (!read_start_time(d, i) || bits_is_over(&d->r))
			return false;
	}
	return true;
}

struct xored {
	uint64_t value;
	struct xor_window window;
};

static bool read_xored(struct bit_reader *r, struct xored *v)
{
	uint64_t x;
	if (!xor_get(r, &v->window, &x))
		return false;
	v->value ^= x;
	return true;
}

static bool decode_floats(struct decoder *d)
{
	struct histogram_chunk *c = d->c;
	auto_free struct xored *bucket = xcalloc(d->width, sizeof *bucket);
	struct counter t = { .value = (uint64_t)varbit_get_int(&d->r) };
	struct xored count = { .value = bits_get(&d->r, 64) };
	struct xored zero_count = { .value = bits_get(&d->r, 64) };
	struct xored sum = { .value = bits_get(&d->r, 64) };
	for (size_t k = 0; k < d->width; k++)
		bucket[k].value = bits_get(&d->r, 64);
	for (size_t i = 0; i < c->n; i++) {
		if (i) {
			read_counter(&d->r, &t);
			if (!read_xored(&d->r, &count) || !read_xored(&d->r, &zero_count) ||
				!read_xored(&d->r, &sum))
				return false;
		}
		c->t[i] = (int64_t)t.value;
		c->sum[i] = sum.value;
		if (!is_stale(c, i)) {
			c->count[i] = count.value;
			c->zero_count[i] = zero_count.value;
			for (size_t k = 0; k < d->width; k++) {
				if (i && !read_xored(&d->r, &bucket[k]))
					return false;
				c->buckets[i * d->width + k] = bucket[k].value;
			}
		}
		if (!read_start_time(d, i) || bits_is_over(&d->r))
			return false;
	}
	return true;
}

static uint64_t min_bits(const struct decoder *d)
{
	uint64_t first =
		d->c->is_float ? FIRST_FLOAT_MIN_BITS + 64 * (uint64_t)d->width : FIRST_MIN_BITS + d->width;
	return first + LATER_MIN_BITS * (uint64_t)(d->c->n - 1);
}

static int decode(struct decoder *d, struct err *e)
{
	struct histogram_chunk *c = d->c;
	if (!c->n)
		return 0;
	int err = read_layout(&d->r, &c->layout, e);
	if (err < 0)
		return err;
	d->width = (size_t)c->layout.positive_buckets + c->layout.negative_buckets;
	if (min_bits(d) > bits_left(&d->r) || d->width * c->n > MAX_CELLS)
		return err_set(e, -EBADMSG, "histogram chunk of %zu bytes claims %zu samples of %zu buckets",
			d->r.size, c->n, d->width);
	/* Zeroed: what doesn't count in a stale sample reads as 0. */
	uint64_t *cells = xcalloc(c->n * (COLUMNS + d->width + has_starts(d)), sizeof *cells);
	c->t = (int64_t *)cells;
	c->sum = cells + c->n;
	c->count = cells + 2 * c->n;
	c->zero_count = cells + 3 * c->n;
	c->buckets = cells + COLUMNS * c->n;
	c->start = has_starts(d) ? (int64_t *)(c->buckets + d->width * c->n) : NULL;
	if (!(c->is_float ? decode_floats(d) : decode_integers(d)))
		return err_set(e, -EBADMSG,
			"histogram chunk of %zu bytes and %zu samples ends early or is garbled", d->r.size,
			c->n);
	return 0;
}

int histogram_chunk_decode(
	uint8_t encoding, const uint8_t *data, size_t size, struct histogram_chunk **out, struct err *e)
{
	bool is_float = encoding == CHUNK_FLOAT_HISTOGRAM || encoding == CHUNK_FLOAT_HISTOGRAM_ST;
	bool has_start_times = encoding == CHUNK_HISTOGRAM_ST || encoding == CHUNK_FLOAT_HISTOGRAM_ST;
	if (!is_float && encoding != CHUNK_HISTOGRAM && encoding != CHUNK_HISTOGRAM_ST)
		return err_set(e, -EBADMSG, "chunk of encoding %u holds no histograms", encoding);
	if (size < HEADER_BYTES)
		return err_set(e, -EBADMSG, "histogram chunk has %zu bytes", size);
	auto_of(histogram_chunk) struct histogram_chunk *c = xcalloc(1, sizeof *c);
	struct decoder d = {
		.r = { .p = data + HEADER_BYTES, .size = size - HEADER_BYTES },
		.c = c,
	};
	c->is_float = is_float;
	c->n = (size_t)chunk_sample_count(data, size);
	c->header = data[2] & HEADER_MASK;
	if (has_start_times) {
		c->n &= ST_COUNT_MASK;
		c->header = data[0] & HEADER_MASK;
		d.start_times = start_times_of(data[2]);
	}
	int err = decode(&d, e);
	if (err < 0)
		return err;
	*out = take(c);
	return 0;
}
