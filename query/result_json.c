/* SPDX-License-Identifier: Apache-2.0 */
#include "query/result_json.h"

#include "lib/base/go_float.h"
#include "lib/base/json.h"
#include "lib/tsdb/histogram_text.h"

#define FLUSH_POINTS     1024u
#define FLUSH_HISTOGRAMS 16u

#define POINT_BYTES (GO_FLOAT_BYTES + 40)

/* Digits of n from the end of a buffer backwards. */
static char *digits(char *end, uint64_t n)
{
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

static char *put_time(char *p, int64_t t)
{
	char text[24], *end = text + sizeof text;
	uint64_t ms = t < 0 ? -(uint64_t)t : (uint64_t)t;
	unsigned fraction = (unsigned)(ms % 1000);
	if (t < 0)
		*p++ = '-';
	const char *begin = digits(end, ms / 1000);
	memcpy(p, begin, (size_t)(end - begin));
	p += end - begin;
	if (fraction) {
		/* Three digits always: upstream cuts no zeros at the end. */
		*p++ = '.';
		*p++ = (char)('0' + fraction / 100);
		*p++ = (char)('0' + fraction / 10 % 10);
		*p++ = (char)('0' + fraction % 10);
	}
	return p;
}

static void add_time(struct buf *out, int64_t t)
{
	char *begin = (char *)buf_reserve(out, 32);
	out->len += (size_t)(put_time(begin, t) - begin);
}

void result_json_scalar(struct buf *out, int64_t t, double v)
{
	struct json_writer w;
	char value[GO_FLOAT_BYTES];
	json_writer_init(&w, out, JSON_HTML);
	json_write_array(&w);
	json_write_double(&w, (double)t / 1000);
	json_write_str_n(&w, value, go_float_format(value, v, 'f'));
	json_write_array_end(&w);
}

void result_json_string(struct buf *out, int64_t t, struct text value)
{
	struct json_writer w;
	json_writer_init(&w, out, JSON_HTML);
	json_write_array(&w);
	json_write_double(&w, (double)t / 1000);
	json_write_str_n(&w, value.p, value.len);
	json_write_array_end(&w);
}

void result_json_point(struct buf *out, int64_t t, double v)
{
	char *begin = (char *)buf_reserve(out, POINT_BYTES), *p = begin;
	*p++ = '[';
	p = put_time(p, t);
	*p++ = ',';
	*p++ = '"';
	p += go_float_format_api(p, v);
	*p++ = '"';
	*p++ = ']';
	out->len += (size_t)(p - begin);
}

static void add_histogram(struct buf *out, int64_t t, const struct float_histogram *h)
{
	buf_add_u8(out, '[');
	add_time(out, t);
	buf_add_u8(out, ',');
	histogram_print_json(h, out);
	buf_add_u8(out, ']');
}

static const struct float_histogram *histogram_at(const struct promql_series *s, size_t i)
{
	return s->h ? s->h[i] : NULL;
}

void result_json_sample(struct buf *out, const struct promql_series *s)
{
	const struct float_histogram *h = histogram_at(s, 0);
	buf_add_str(out, h ? ",\"histogram\":" : ",\"value\":");
	if (h)
		add_histogram(out, s->t[0], h);
	else
		result_json_point(out, s->t[0], s->v[0]);
}

int result_json_points(struct buf *out, const struct promql_series *s, int (*flush)(void *arg), void *arg)
{
	int r = 0;
	const char *before = ",\"values\":[";
	size_t n_histograms = 0;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		if (histogram_at(s, i)) {
			n_histograms++;
			continue;
		}
		buf_add_str(out, before);
		result_json_point(out, s->t[i], s->v[i]);
		before = ",";
		if (i % FLUSH_POINTS == FLUSH_POINTS - 1)
			r = flush(arg);
	}
	if (n_histograms < s->n)
		buf_add_u8(out, ']');
	before = ",\"histograms\":[";
	for (size_t i = 0; n_histograms && i < s->n && r == 0; i++) {
		if (!histogram_at(s, i))
			continue;
		buf_add_str(out, before);
		add_histogram(out, s->t[i], s->h[i]);
		before = ",";
		if (i % FLUSH_HISTOGRAMS == FLUSH_HISTOGRAMS - 1)
			r = flush(arg);
	}
	if (n_histograms)
		buf_add_u8(out, ']');
	return r;
}
