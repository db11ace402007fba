/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/classic_histograms.h"

#include "lib/base/go_float.h"
#include "lib/tsdb/histogram_sum.h"

#include <errno.h>
#include <math.h>

struct bucket {
	double le, count; /* cumulative */
};

/* One histogram at one point. */
struct cell {
	bool is_there, has_count;
	VEC(struct bucket) buckets;
	double count, sum;
};

/* All of one series. */
struct column {
	struct label_set labels;
	VEC(struct cell) cells; /* by point */
};

struct columns {
	struct column *data;
	size_t len, cap;
};

enum part { PART_NONE, PART_BUCKET, PART_COUNT, PART_SUM };

static enum part part_of(struct text name, struct text *base)
{
	static const struct {
		enum part part;
		struct text suffix;
	} parts[] = { { PART_BUCKET, TEXT("_bucket") }, { PART_COUNT, TEXT("_count") },
		{ PART_SUM, TEXT("_sum") } };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct text suffix = parts[i].suffix;
		if (name.len < suffix.len ||
			memcmp(name.p + name.len - suffix.len, suffix.p, suffix.len) != 0)
			continue;
		*base = (struct text){ name.p, name.len - suffix.len };
		return parts[i].part;
	}
	return PART_NONE;
}

static struct column *column_of(struct columns *all, const struct label_set *labels)
{
	vec_each (c, all)
		if (label_set_is(&c->labels, labels))
			return c;
	vec_push(all, (struct column){ .labels = *labels });
	return &all->data[all->len - 1];
}

static struct cell *cell_at(struct column *c, size_t i)
{
	while (c->cells.len <= i)
		vec_push(&c->cells, (struct cell){ 0 });
	c->cells.data[i].is_there = true;
	return &c->cells.data[i];
}

static void collect(struct columns *all, const struct noted_series *s, struct arena *a)
{
	struct text base, le_text = label_set_get(&s->labels, TEXT("le"));
	enum part part = part_of(label_set_get(&s->labels, LABEL_NAME), &base);
	double le = 0;
	if (part == PART_NONE)
		return;
	if (part == PART_BUCKET && (!go_float_parse(le_text.p, le_text.len, &le) || isnan(le)))
		return;
	struct label_set labels = label_set_put(a, &s->labels, TEXT("le"), TEXT(""));
	labels = label_set_put(a, &labels, LABEL_NAME, base);
	struct column *column = column_of(all, &labels);
	for (size_t i = 0; i < s->points.len; i++) {
		const struct noted_point *p = &s->points.data[i];
		if (p->is_omitted || p->h)
			continue;
		struct cell *c = cell_at(column, i);
		if (part == PART_BUCKET) {
			vec_push(&c->buckets, (struct bucket){ le, p->v });
		} else if (part == PART_COUNT) {
			c->has_count = true;
			c->count = p->v;
		} else {
			c->sum = p->v;
		}
	}
}

static int by_bound(const void *x, const void *y)
{
	const struct bucket *a = x, *b = y;
	return (a->le > b->le) - (a->le < b->le);
}

/* Sorted, none twice, and the last one at +Inf. */
static void complete(struct cell *c)
{
	size_t n = 0;
	vec_sort(&c->buckets, by_bound);
	for (size_t i = 0; i < c->buckets.len; i++)
		if (!n || c->buckets.data[i].le != c->buckets.data[n - 1].le)
			c->buckets.data[n++] = c->buckets.data[i];
	c->buckets.len = n;
	if (!c->has_count && n)
		c->count = c->buckets.data[n - 1].count;
	if (!n || !isinf(c->buckets.data[n - 1].le))
		vec_push(&c->buckets, (struct bucket){ INFINITY, c->count });
}

/* NULL: it is none. */
static struct float_histogram *histogram_from(struct cell *c)
{
	complete(c);
	uint32_t n = (uint32_t)c->buckets.len;
	if (c->count != c->buckets.data[n - 1].count)
		return NULL;
	auto_free struct float_histogram *h = float_histogram_new(&(struct float_histogram){
		.schema = HISTOGRAM_CUSTOM_SCHEMA,
		.count = c->count,
		.sum = c->sum,
		.n_positive_spans = 1,
		.n_positive = n,
		.n_custom = n - 1,
	});
	h->positive_spans[0].length = n;
	double before = 0;
	for (uint32_t i = 0; i < n; i++) {
		h->positive[i] = c->buckets.data[i].count - before;
		before = c->buckets.data[i].count;
		if (h->positive[i] < 0)
			return NULL;
		if (i < n - 1)
			h->custom[i] = c->buckets.data[i].le;
	}
	struct histogram_sum compact = { 0 };
	histogram_sum_set(&compact, h);
	histogram_sum_compact(&compact);
	struct float_histogram *out = float_histogram_copy(&compact.value);
	histogram_sum_fini(&compact);
	return out;
}

static int add_column(struct noted_list *list, struct column *column, struct err *e)
{
	struct noted_series s = { .labels = column->labels };
	int r = 0;
	vec_each (c, &column->cells) {
		struct noted_point p = { .is_omitted = !c->is_there };
		if (c->is_there && !(p.h = histogram_from(c))) {
			auto_buf struct buf name = { 0 };
			label_set_print(&s.labels, &name);
			r = err_set(e, -EINVAL, "%s is no histogram at point %zu", buf_str(&name),
				(size_t)(c - column->cells.data));
			break;
		}
		vec_push(&s.points, p);
	}
	vec_push(list, s);
	return r;
}

int classic_histograms_add(struct noted_list *list, size_t n, struct arena *a, struct err *e)
{
	struct columns all = { 0 };
	int r = 0;
	for (size_t i = 0; i < n; i++)
		collect(&all, &list->data[i], a);
	vec_each (c, &all) {
		if (r == 0)
			r = add_column(list, c, e);
		vec_each (cell, &c->cells)
			vec_fini(&cell->buckets);
		vec_fini(&c->cells);
	}
	vec_fini(&all);
	return r;
}
