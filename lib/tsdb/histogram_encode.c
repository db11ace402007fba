/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding native histograms. A chunk's layout comes before its samples, so there are two passes: one finds
 * how many picks can stand together and the union of their buckets, the other writes. What can stand together
 * is what Prometheus' appender would put into one chunk (tsdb/chunkenc/histogram.go, appendable and
 * appendableGauge).
 */
#include "lib/tsdb/bucket_set.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/histogram.h"
#include "lib/tsdb/varbit.h"

#include <math.h>

#define CUSTOM_BOUND_MAX    33554430 /* thousandths that a varbit of four bytes holds, less one */
#define ZERO_THRESHOLD_BIAS 243
#define SCHEMA_CUSTOM       (-53)
#define FIELD_MAX_BYTES     10 /* of a varbit, a XORed value or a double */
#define WRITER_BYTES        8  /* that a bit_writer touches beyond what is put */

/* The buckets of both sides. */
struct bucket_sets {
	struct bucket_set positive, negative;
};

static void bucket_sets_fini(struct bucket_sets *s)
{
	bucket_set_fini(&s->positive);
	bucket_set_fini(&s->negative);
}

static void bucket_sets_assign(struct bucket_sets *s, const struct histogram_layout *l)
{
	bucket_set_assign(&s->positive, l->positive, l->n_positive, l->positive_buckets);
	bucket_set_assign(&s->negative, l->negative, l->n_negative, l->negative_buckets);
}

static double double_of(uint64_t bits)
{
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

static bool is_stale(const struct histogram_pick *p)
{
	return p->from->sum[p->index] == STALE_NAN_BITS;
}

static const uint64_t *buckets_of(const struct histogram_pick *p)
{
	const struct histogram_layout *l = &p->from->layout;
	return p->from->buckets + (size_t)p->index * (l->positive_buckets + l->negative_buckets);
}

static bool has_same_spans(
	const struct histogram_span *a, uint32_t n_a, const struct histogram_span *b, uint32_t n_b)
{
	return n_a == n_b && (!n_a || !memcmp(a, b, n_a * sizeof *a));
}

static bool has_same_buckets(const struct histogram_chunk *a, const struct histogram_chunk *b)
{
	const struct histogram_layout *x = &a->layout, *y = &b->layout;
	return a == b || (has_same_spans(x->positive, x->n_positive, y->positive, y->n_positive) &&
				 has_same_spans(x->negative, x->n_negative, y->negative, y->n_negative));
}

static bool has_same_scale(const struct histogram_layout *a, const struct histogram_layout *b)
{
	if (a->schema != b->schema || a->zero_threshold != b->zero_threshold || a->n_custom != b->n_custom)
		return false;
	for (uint32_t i = 0; i < a->n_custom; i++)
		if (a->custom[i] != b->custom[i])
			return false;
	return true;
}

static bool is_fall(bool is_float, uint64_t before, uint64_t after)
{
	return is_float ? double_of(before) > double_of(after) : (int64_t)before > (int64_t)after;
}

static bool is_zero(bool is_float, uint64_t count)
{
	return is_float ? double_of(count) == 0 : count == 0;
}

/* A bucket that isn't there any more falls unless it was empty. */
static bool has_bucket_fallen(bool is_float, const struct bucket_set *before, const uint64_t *old,
	const struct bucket_set *after, const uint64_t *new)
{
	for (uint32_t a = 0, b = 0; a < before->n; a++) {
		while (b < after->n && after->number[b] < before->number[a])
			b++;
		bool is_there = b < after->n && after->number[b] == before->number[a];
		if (is_there ? is_fall(is_float, old[a], new[b]) : !is_zero(is_float, old[a]))
			return true;
	}
	return false;
}

static bool has_fallen(const struct histogram_pick *before, const struct bucket_sets *sets_before,
	const struct histogram_pick *after, const struct bucket_sets *sets_after)
{
	const struct histogram_chunk *a = before->from, *b = after->from;
	bool is_float = a->is_float;
	uint64_t count = a->count[before->index], zero_count = a->zero_count[before->index];
	if (is_float ? is_fall(true, count, b->count[after->index]) ||
				is_fall(true, zero_count, b->zero_count[after->index])
		     : count > b->count[after->index] || zero_count > b->zero_count[after->index])
		return true;
	const uint64_t *old = buckets_of(before), *new = buckets_of(after);
	return has_bucket_fallen(is_float, &sets_before->positive, old, &sets_after->positive, new) ||
	       has_bucket_fallen(is_float, &sets_before->negative, old + a->layout.positive_buckets,
		       &sets_after->negative, new + b->layout.positive_buckets);
}

/*
 * Counts the first picks that can share a chunk and sets *all to the union of their buckets. After a stale
 * sample only stale ones follow; their buckets count for nothing.
 */
static size_t plan(const struct histogram_pick *picks, size_t n, bool is_gauge, struct bucket_sets *all)
{
	struct bucket_sets sets[2] = { 0 }, *before = &sets[0], *now = &sets[1];
	const struct histogram_pick *last = NULL; /* before->... are its buckets */
	bool was_stale = false;
	size_t k;
	for (k = 0; k < n && picks[k].from->is_float == picks[0].from->is_float; k++) {
		const struct histogram_pick *p = &picks[k];
		if (is_stale(p)) {
			was_stale = true;
			continue;
		}
		if (was_stale)
			break;
		if (!last) {
			bucket_sets_assign(all, &p->from->layout);
			bucket_sets_assign(before, &p->from->layout);
			last = p;
			continue;
		}
		if (last->from != p->from && !has_same_scale(&last->from->layout, &p->from->layout))
			break;
		bool is_same = has_same_buckets(last->from, p->from);
		if (!is_same)
			bucket_sets_assign(now, &p->from->layout);
		if (!is_gauge && has_fallen(last, before, p, is_same ? before : now))
			break;
		if (!is_same) {
			bucket_set_join(&all->positive, &now->positive);
			bucket_set_join(&all->negative, &now->negative);
			struct bucket_sets *other = before;
			before = now;
			now = other;
		}
		last = p;
	}
	bucket_sets_fini(&sets[0]);
	bucket_sets_fini(&sets[1]);
	return k;
}

/* Buckets of a sample as columns of the chunk that is written: in the union, zeros where the sample has none.
 */
struct spread {
	const struct bucket_sets *all;
	const struct histogram_chunk *from; /* whose places these are */
	uint32_t *place;
	uint64_t *row;
	size_t width;
};

static void spread_from(struct spread *s, const struct histogram_chunk *from)
{
	if (s->from && has_same_buckets(s->from, from)) {
		s->from = from;
		return;
	}
	const struct histogram_layout *l = &from->layout;
	struct bucket_sets sets = { 0 };
	bucket_sets_assign(&sets, l);
	bucket_set_places(&s->all->positive, &sets.positive, s->place);
	bucket_set_places(&s->all->negative, &sets.negative, s->place + l->positive_buckets);
	for (uint32_t i = 0; i < l->negative_buckets; i++)
		s->place[l->positive_buckets + i] += s->all->positive.n;
	bucket_sets_fini(&sets);
	s->from = from;
}

static const uint64_t *spread_row(struct spread *s, const struct histogram_pick *p)
{
	spread_from(s, p->from);
	const struct histogram_layout *l = &p->from->layout;
	const uint64_t *buckets = buckets_of(p);
	size_t n = (size_t)l->positive_buckets + l->negative_buckets;
	if (n == s->width)
		return buckets;
	memset(s->row, 0, s->width * sizeof *s->row);
	for (size_t i = 0; i < n; i++)
		s->row[s->place[i]] = buckets[i];
	return s->row;
}

static void put_zero_threshold(struct bit_writer *w, double threshold)
{
	int exponent = 0;
	double fraction = frexp(threshold, &exponent);
	if (threshold == 0) {
		bits_put(w, 0, 8);
	} else if (fraction == 0.5 && exponent >= -242 && exponent <= 11) {
		bits_put(w, (uint64_t)(exponent + ZERO_THRESHOLD_BIAS), 8);
	} else {
		uint64_t bits;
		memcpy(&bits, &threshold, sizeof bits);
		bits_put(w, 255, 8);
		bits_put_wide(w, bits, 64);
	}
}

static void put_custom_bound(struct bit_writer *w, double bound)
{
	double thousandths = bound * 1000;
	if (thousandths >= 0 && thousandths <= CUSTOM_BOUND_MAX && round(thousandths) / 1000 == bound) {
		varbit_put_uint(w, (uint64_t)round(thousandths) + 1);
	} else {
		uint64_t bits;
		memcpy(&bits, &bound, sizeof bits);
		bits_put(w, 0, 1);
		bits_put_wide(w, bits, 64);
	}
}

static void put_spans(struct bit_writer *w, const struct bucket_set *s)
{
	varbit_put_uint(w, s->n_spans);
	for (uint32_t i = 0; i < s->n_spans; i++) {
		varbit_put_uint(w, s->spans[i].length);
		varbit_put_int(w, s->spans[i].offset);
	}
}

/* What is open while a chunk is written. */
struct encoder {
	struct buf *out;
	struct bit_writer w;
};

/* Makes room for `fields` values of any kind. */
static void make_room(struct encoder *x, size_t fields)
{
	x->w.p = buf_reserve(x->out, fields * FIELD_MAX_BYTES + WRITER_BYTES);
}

static void close_room(struct encoder *x)
{
	x->out->len = (size_t)(x->w.p - x->out->data);
}

/* `l` is NULL where all samples are stale: the layout of an empty histogram. */
static void put_layout(struct encoder *x, const struct histogram_layout *l, const struct bucket_sets *all)
{
	uint32_t n_custom = l && l->schema == SCHEMA_CUSTOM ? l->n_custom : 0;
	make_room(x, 6 + 2 * ((size_t)all->positive.n_spans + all->negative.n_spans) + n_custom);
	put_zero_threshold(&x->w, l ? l->zero_threshold : 0);
	varbit_put_int(&x->w, l ? l->schema : 0);
	put_spans(&x->w, &all->positive);
	put_spans(&x->w, &all->negative);
	if (l && l->schema == SCHEMA_CUSTOM) {
		varbit_put_uint(&x->w, n_custom);
		for (uint32_t i = 0; i < n_custom; i++)
			put_custom_bound(&x->w, l->custom[i]);
	}
	close_room(x);
}

struct counter {
	uint64_t value, delta;
};

/* Writes the delta of deltas, in the second sample the delta. */
static void put_counter(struct bit_writer *w, struct counter *c, uint64_t value)
{
	uint64_t delta = value - c->value;
	varbit_put_int(w, (int64_t)(delta - c->delta));
	*c = (struct counter){ .value = value, .delta = delta };
}

static void encode_integers(struct encoder *x, const struct histogram_pick *picks, size_t n, struct spread *s)
{
	size_t split = s->all->positive.n;
	struct counter t = { 0 }, count = { 0 }, zero_count = { 0 };
	auto_free struct counter *bucket = xcalloc(s->width, sizeof *bucket);
	struct xor_window window = XOR_NO_WINDOW;
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		const struct histogram_chunk *c = picks[i].from;
		uint32_t at = picks[i].index;
		bool stale = is_stale(&picks[i]);
		make_room(x, 4 + s->width);
		if (i == 0) {
			t.value = (uint64_t)c->t[at];
			count.value = stale ? 0 : c->count[at];
			zero_count.value = stale ? 0 : c->zero_count[at];
			varbit_put_int(&x->w, c->t[at]);
			varbit_put_uint(&x->w, count.value);
			varbit_put_uint(&x->w, zero_count.value);
			bits_put_wide(&x->w, c->sum[at], 64);
		} else {
			put_counter(&x->w, &t, (uint64_t)c->t[at]);
			if (stale) {
				bits_put(&x->w, 0, 2);
			} else {
				put_counter(&x->w, &count, c->count[at]);
				put_counter(&x->w, &zero_count, c->zero_count[at]);
			}
			xor_put(&x->w, c->sum[at] ^ sum, &window);
		}
		sum = c->sum[at];
		if (!stale) {
			const uint64_t *row = spread_row(s, &picks[i]);
			for (size_t k = 0; k < s->width; k++) {
				uint64_t difference = row[k] - (k == 0 || k == split ? 0 : row[k - 1]);
				if (i == 0) {
					bucket[k].value = difference;
					varbit_put_int(&x->w, (int64_t)difference);
				} else {
					put_counter(&x->w, &bucket[k], difference);
				}
			}
		}
		close_room(x);
	}
}

struct xored {
	uint64_t value;
	struct xor_window window;
};

static void put_xored(struct bit_writer *w, struct xored *v, uint64_t value, bool is_first)
{
	if (is_first) {
		v->window = XOR_NO_WINDOW;
		bits_put_wide(w, value, 64);
	} else {
		xor_put(w, v->value ^ value, &v->window);
	}
	v->value = value;
}

static void encode_floats(struct encoder *x, const struct histogram_pick *picks, size_t n, struct spread *s)
{
	struct counter t = { 0 };
	struct xored count = { 0 }, zero_count = { 0 }, sum = { 0 };
	auto_free struct xored *bucket = xcalloc(s->width, sizeof *bucket);
	for (size_t i = 0; i < n; i++) {
		const struct histogram_chunk *c = picks[i].from;
		uint32_t at = picks[i].index;
		bool stale = is_stale(&picks[i]);
		make_room(x, 4 + s->width);
		if (i == 0) {
			t.value = (uint64_t)c->t[at];
			varbit_put_int(&x->w, c->t[at]);
		} else {
			put_counter(&x->w, &t, (uint64_t)c->t[at]);
		}
		put_xored(&x->w, &count, stale ? 0 : c->count[at], i == 0);
		put_xored(&x->w, &zero_count, stale ? 0 : c->zero_count[at], i == 0);
		put_xored(&x->w, &sum, c->sum[at], i == 0);
		if (!stale) {
			const uint64_t *row = spread_row(s, &picks[i]);
			for (size_t k = 0; k < s->width; k++)
				put_xored(&x->w, &bucket[k], row[k], i == 0);
		}
		close_room(x);
	}
}

size_t histogram_chunk_encode(const struct histogram_pick *picks, size_t n, uint8_t header, struct buf *out)
{
	struct bucket_sets all = { 0 };
	size_t taken = plan(picks, n, header == HISTOGRAM_GAUGE, &all);
	struct spread s = { .all = &all, .width = (size_t)all.positive.n + all.negative.n };
	s.place = xcalloc(s.width, sizeof *s.place);
	s.row = xcalloc(s.width, sizeof *s.row);
	buf_add_be16(out, (uint16_t)taken);
	buf_add_u8(out, header);
	struct encoder x = { .out = out };
	put_layout(&x, is_stale(&picks[0]) ? NULL : &picks[0].from->layout, &all);
	if (picks[0].from->is_float)
		encode_floats(&x, picks, taken, &s);
	else
		encode_integers(&x, picks, taken, &s);
	make_room(&x, 0);
	bits_finish(&x.w);
	close_room(&x);
	free(s.place);
	free(s.row);
	bucket_sets_fini(&all);
	return taken;
}
