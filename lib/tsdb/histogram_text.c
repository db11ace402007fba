/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram_text.h"

#include "lib/base/go_float.h"
#include "lib/tsdb/bucket_cursor.h"
#include "lib/tsdb/bucket_walk.h"

#define HOLE_MAX 1000 /* empty buckets that are written out */

static void add_named(struct buf *out, const char *name, double v)
{
	buf_add_str(out, name);
	go_float_add(out, v, 'g');
}

static void print_bucket(struct buf *out, const struct histogram_bucket *b)
{
	add_named(out, b->has_lower ? ", [" : ", (", b->lower);
	add_named(out, ",", b->upper);
	add_named(out, b->has_upper ? "]:" : "):", b->count);
}

static void print_zero(struct buf *out, const struct float_histogram *h)
{
	print_bucket(out, &(struct histogram_bucket){
				  -h->zero_threshold, h->zero_threshold, true, true, h->zero_count });
}

void histogram_print(const struct float_histogram *h, struct buf *out)
{
	/* Here buckets keep their bounds where they reach into the zero bucket, which may be negative. */
	struct float_histogram sides = *h;
	sides.zero_threshold = sides.zero_count = 0;
	bool has_zero = h->zero_count != 0;
	add_named(out, "{count:", h->count);
	add_named(out, ", sum:", h->sum);
	struct bucket_walk w = bucket_walk_of(&sides, false);
	while (bucket_walk_next(&w)) {
		if (w.count == 0)
			continue;
		if (has_zero && !w.is_negative) {
			print_zero(out, h);
			has_zero = false;
		}
		struct histogram_bucket b = bucket_walk_at(&w);
		print_bucket(out, &b);
	}
	if (has_zero)
		print_zero(out, h);
	buf_add_u8(out, '}');
}

static void add_quoted(struct buf *out, const char *before, double v)
{
	buf_add_str(out, before);
	uint8_t *p = buf_reserve(out, GO_FLOAT_BYTES);
	out->len += go_float_format_api((char *)p, v);
	buf_add_u8(out, '"');
}

void histogram_print_json(const struct float_histogram *h, struct buf *out)
{
	add_quoted(out, "{\"count\":\"", h->count);
	add_quoted(out, ",\"sum\":\"", h->sum);
	const char *before = ",\"buckets\":[[";
	bool has_bucket = false;
	struct bucket_walk w = bucket_walk_of(h, false);
	while (bucket_walk_next(&w)) {
		if (w.count == 0)
			continue;
		struct histogram_bucket b = bucket_walk_at(&w);
		buf_add_str(out, before);
		buf_add_u8(out, b.has_lower ? (b.has_upper ? '3' : '1') : (b.has_upper ? '0' : '2'));
		add_quoted(out, ",\"", b.lower);
		add_quoted(out, ",\"", b.upper);
		add_quoted(out, ",\"", b.count);
		buf_add_u8(out, ']');
		before = ",[";
		has_bucket = true;
	}
	buf_add_str(out, has_bucket ? "]}" : "}");
}

/* Words with spaces between them. */
static void add_word(struct buf *out, const char *name, double v)
{
	if (out->data[out->len - 1] != '{')
		buf_add_u8(out, ' ');
	add_named(out, name, v);
}

static void add_text(struct buf *out, const char *text)
{
	if (out->data[out->len - 1] != '{')
		buf_add_u8(out, ' ');
	buf_add_str(out, text);
}

/* From the first populated bucket to the last, those in holes too. */
static void print_side(struct buf *out, const char *offset, const char *buckets, struct bucket_cursor c)
{
	int64_t next = 0;
	bool has = false;
	while (bucket_cursor_next(&c)) {
		if (c.count == 0)
			continue;
		if (!has && c.number)
			add_word(out, offset, c.number);
		if (!has)
			add_text(out, buckets);
		if (has && c.number - next > HOLE_MAX)
			buf_add_str(out, " ...");
		else
			for (; has && next < c.number; next++)
				buf_add_str(out, " 0");
		add_named(out, has ? " " : "", c.count);
		next = (int64_t)c.number + 1;
		has = true;
	}
	if (has)
		buf_add_u8(out, ']');
}

void histogram_print_test(const struct float_histogram *h, struct buf *out)
{
	static const char *const hints[] = { [RESET_YES] = "counter_reset_hint:reset",
		[RESET_NO] = "counter_reset_hint:not_reset",
		[RESET_GAUGE] = "counter_reset_hint:gauge" };
	buf_add_str(out, "{{");
	if (h->schema)
		add_word(out, "schema:", h->schema);
	if (h->count != 0)
		add_word(out, "count:", h->count);
	if (h->sum != 0)
		add_word(out, "sum:", h->sum);
	if (h->zero_count != 0)
		add_word(out, "z_bucket:", h->zero_count);
	if (h->zero_threshold != 0)
		add_word(out, "z_bucket_w:", h->zero_threshold);
	if (float_histogram_is_custom(h)) {
		add_text(out, "custom_values:[");
		for (uint32_t i = 0; i < h->n_custom; i++)
			add_named(out, i ? " " : "", h->custom[i]);
		buf_add_u8(out, ']');
	}
	if (h->reset_hint != RESET_UNKNOWN)
		add_text(out, hints[h->reset_hint]);
	print_side(out, "offset:", "buckets:[",
		(struct bucket_cursor){
			.spans = h->positive_spans, .n_spans = h->n_positive_spans, .counts = h->positive });
	print_side(out, "n_offset:", "n_buckets:[",
		(struct bucket_cursor){
			.spans = h->negative_spans, .n_spans = h->n_negative_spans, .counts = h->negative });
	buf_add_str(out, "}}");
}
