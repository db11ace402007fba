/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/query_print.h"

#include "lib/base/go_float.h"
#include "lib/base/quote.h"

#include <errno.h>
#include <stdlib.h>

struct pair {
	const char *name, *value;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

/* up{a="b", c="d"}, or with the name inside where `is_set`; the labels by their names. */
static int print_labels(const struct json_at *metric, bool is_set, struct buf *out, struct err *e)
{
	size_t n, kept = 0;
	int r = json_read_object(metric, 10000, &n, e);
	if (r < 0)
		return r;
	auto_free struct pair *pairs = xcalloc(n + 1, sizeof *pairs);
	void *iter = NULL;
	struct json_at member;
	while (json_each(metric, &iter, &member)) {
		const char *value;
		r = json_read_str(&member, &value, e);
		if (r < 0)
			return r;
		if (!is_set && !strcmp(member.key, "__name__"))
			buf_add_str(out, value);
		else
			pairs[kept++] = (struct pair){ member.key, value };
	}
	if (kept)
		qsort(pairs, kept, sizeof *pairs, by_name);
	if (kept || is_set || n == 0)
		buf_add_u8(out, '{');
	for (size_t i = 0; i < kept; i++) {
		buf_printf(out, "%s%s=", i ? ", " : "", pairs[i].name);
		quote_add(out, pairs[i].value, strlen(pairs[i].value));
	}
	if (kept || is_set || n == 0)
		buf_add_u8(out, '}');
	return 0;
}

static int print_histogram(const struct json_at *h, struct buf *out, struct err *e)
{
	const char *count, *sum;
	struct json_at buckets;
	size_t n = 0;
	int r = json_get_str(h, "count", &count, e);
	if (r > 0)
		r = json_get_str(h, "sum", &sum, e);
	if (r == 0)
		return json_fail(h, e, -EBADMSG, "has no count or no sum");
	if (r > 0)
		r = json_get_array(h, "buckets", &buckets, &n, e);
	if (r < 0)
		return r;
	buf_printf(out, "Count: %f, Sum: %f, Buckets: [", strtod(count, NULL), strtod(sum, NULL));
	for (size_t i = 0; i < n; i++) {
		struct json_at bucket = json_item(&buckets, i), at[4];
		const char *text[3];
		int64_t bounds;
		for (size_t k = 0; k < 4; k++)
			at[k] = json_item(&bucket, k);
		r = json_read_i64(&at[0], 0, 3, &bounds, e);
		for (size_t k = 0; r >= 0 && k < 3; k++)
			r = json_read_str(&at[k + 1], &text[k], e);
		if (r < 0)
			return r;
		buf_printf(out, "%s%c%s,%s%c:%s", i ? " " : "", bounds == 1 || bounds == 3 ? '[' : '(',
			text[0], text[1], bounds == 0 || bounds == 3 ? ']' : ')', text[2]);
	}
	buf_add_u8(out, ']');
	return 0;
}

/* [time, value]: "1 @[1435781430.781]" */
static int print_point(const struct json_at *point, bool is_histogram, struct buf *out, struct err *e)
{
	struct json_at time = json_item(point, 0), value = json_item(point, 1);
	double t;
	int r = json_read_double(&time, &t, e);
	if (r == 0 && is_histogram) {
		r = print_histogram(&value, out, e);
	} else if (r == 0) {
		const char *text;
		double v;
		r = json_read_str(&value, &text, e);
		if (r == 0 && go_float_parse(text, strlen(text), &v))
			go_float_add(out, v, 'f');
		else if (r == 0)
			buf_add_str(out, text);
	}
	if (r < 0)
		return r;
	buf_add_str(out, " @[");
	go_float_add(out, t, 'f');
	buf_add_u8(out, ']');
	return 0;
}

static int print_points(
	const struct json_at *series, const char *key, bool is_histogram, struct buf *out, struct err *e)
{
	struct json_at list;
	size_t n = 0;
	int r = json_get_array(series, key, &list, &n, e);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct json_at point = json_item(&list, i);
		r = print_point(&point, is_histogram, out, e);
		buf_add_u8(out, '\n');
	}
	return r;
}

static int print_one(const struct json_at *series, bool is_matrix, struct buf *out, struct err *e)
{
	struct json_at metric, value;
	int r = json_get_object(series, "metric", &metric, e);
	if (r == 0)
		r = json_fail(series, e, -EBADMSG, "has no metric");
	if (r > 0)
		r = print_labels(&metric, false, out, e);
	if (r < 0)
		return r;
	buf_add_str(out, is_matrix ? " =>\n" : " => ");
	if (is_matrix) {
		r = print_points(series, "values", false, out, e);
		return r < 0 ? r : print_points(series, "histograms", true, out, e);
	}
	r = json_get(series, "value", &value, e);
	bool is_histogram = r == 0;
	if (is_histogram)
		r = json_get(series, "histogram", &value, e);
	if (r > 0)
		r = print_point(&value, is_histogram, out, e);
	buf_add_u8(out, '\n');
	return r;
}

int query_print_value(const struct json_at *data, struct buf *out, struct err *e)
{
	const char *type;
	struct json_at result;
	size_t n;
	int r = json_get_str(data, "resultType", &type, e);
	if (r > 0)
		r = json_get_array(data, "result", &result, &n, e);
	if (r <= 0)
		return r < 0 ? r : json_fail(data, e, -EBADMSG, "has no result");
	bool is_matrix = !strcmp(type, "matrix");
	if (!is_matrix && strcmp(type, "vector") != 0) {
		buf_printf(out, "%s: ", type);
		r = print_point(&result, false, out, e);
		buf_add_u8(out, '\n');
		return r < 0 ? r : 0;
	}
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct json_at one = json_item(&result, i);
		r = print_one(&one, is_matrix, out, e);
	}
	return r < 0 ? r : 0;
}

int query_print_series(const struct json_at *data, struct buf *out, struct err *e)
{
	size_t n;
	int r = json_read_array(data, SIZE_MAX, &n, e);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct json_at one = json_item(data, i);
		r = print_labels(&one, true, out, e);
		buf_add_u8(out, '\n');
	}
	return r < 0 ? r : 0;
}

int query_print_words(const struct json_at *data, struct buf *out, struct err *e)
{
	size_t n;
	int r = json_read_array(data, SIZE_MAX, &n, e);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct json_at one = json_item(data, i);
		const char *word;
		r = json_read_str(&one, &word, e);
		if (r >= 0)
			buf_printf(out, "%s\n", word);
	}
	return r < 0 ? r : 0;
}
