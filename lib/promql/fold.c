/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/fold.h"

#include "lib/base/kahan.h"
#include "lib/promql/fold_histogram.h"
#include "lib/promql/invariant.h"

#include <float.h>
#include <math.h>

#define COLUMNS 4u

/* In `seen`. */
#define HAS_FLOAT      1
#define HAS_HISTOGRAM  2
#define IS_INCREMENTAL 4 /* of avg: a is the mean */

size_t fold_bytes(uint32_t n)
{
	return n * (COLUMNS * sizeof(double) + 1ul);
}

void fold_init(struct fold *f, const struct expr *e, uint32_t n, struct budget *budget)
{
	double *columns = xcalloc(n, COLUMNS * sizeof *columns + 1);
	*f = (struct fold){
		.expr = e,
		.budget = budget,
		.n = n,
		.a = columns,
		.b = columns + n,
		.c = columns + 2ul * n,
		.floats = columns + 3ul * n,
		.seen = (uint8_t *)(columns + (size_t)COLUMNS * n),
	};
	budget_take(budget, fold_bytes(n));
	bool is_extreme = e->aggregate.op == AGG_MIN || e->aggregate.op == AGG_MAX;
	for (uint32_t t = 0; is_extreme && t < n; t++)
		f->a[t] = NAN;
}

void fold_fini(struct fold *f)
{
	if (!f->a)
		return;
	budget_give(f->budget, fold_bytes(f->n));
	for (uint32_t t = 0; f->h && t < f->n; t++)
		fold_histogram_free(f->h[t]);
	free(f->h);
	free(f->a);
	*f = (struct fold){ 0 };
}

/* The one of this step; a new one where there is none yet. */
static struct fold_histogram *histogram_at(struct fold *f, uint32_t t)
{
	if (!f->h)
		f->h = xcalloc(f->n, sizeof f->h[0]);
	if (!f->h[t])
		f->h[t] = fold_histogram_new(f->expr, f->budget);
	return f->h[t];
}

static void add_to_avg(struct fold *f, uint32_t t, double v)
{
	double n = f->c[t] += 1;
	if (n == 1) {
		f->a[t] = v;
		return;
	}
	if (!(f->seen[t] & IS_INCREMENTAL)) {
		double sum = f->a[t], lost = f->b[t];
		kahan_add(&sum, &lost, v);
		if (!isinf(sum)) {
			f->a[t] = sum;
			f->b[t] = lost;
			return;
		}
		f->seen[t] |= IS_INCREMENTAL;
		f->a[t] /= n - 1;
		f->b[t] /= n - 1;
	}
	double share = (n - 1) / n;
	f->a[t] *= share;
	f->b[t] *= share;
	kahan_add(&f->a[t], &f->b[t], v / n);
}

static void add_to_variance(struct fold *f, uint32_t t, double v)
{
	double n = f->c[t] += 1, delta = v - f->b[t];
	f->b[t] += delta / n;
	f->a[t] += delta * (v - f->b[t]);
}

static void ignore_histogram(struct fold *f, struct exec *x)
{
	if (!f->has_ignored)
		annotations_add(x->annotations, ANNOTATION_INFO, expr_place(f->expr->aggregate.inner),
			"ignored histogram in %s aggregation", aggregate_op_text(f->expr->aggregate.op));
	f->has_ignored = true;
}

static void add_histogram(struct fold *f, struct exec *x, const struct row *row, uint32_t t, struct text name)
{
	switch (f->expr->aggregate.op) {
	case AGG_SUM:
	case AGG_AVG:
		f->seen[t] |= HAS_HISTOGRAM;
		fold_histogram_add(histogram_at(f, t), x, row->h[t], name);
		break;
	case AGG_COUNT:
	case AGG_GROUP:
		f->seen[t] |= HAS_FLOAT;
		f->c[t] += 1;
		break;
	default: ignore_histogram(f, x);
	}
}

/* The row's floats, with what changes nothing in the place of what is none. Borrowed. */
static const double *floats_of(struct fold *f, const struct row *row, double nothing)
{
	uint8_t others = 0;
	for (uint32_t t = 0; t < f->n; t++)
		others |= row->kind[t] ^ CELL_FLOAT;
	if (!others)
		return row->v;
	for (uint32_t t = 0; t < f->n; t++)
		f->floats[t] = row->kind[t] == CELL_FLOAT ? row->v[t] : nothing;
	return f->floats;
}

/*
 * What kahan_add does, without a branch: Knuth's way to what rounding took gives the same bits. Of a sum that has become infinite what was lost
 * is no number, which settle_infinite mends. -0 is what no sum changes by.
 */
static void add_to_sums(struct fold *f, const double *restrict v)
{
	double *restrict sums = f->a, *restrict lost = f->b;
	for (uint32_t t = 0; t < f->n; t++) {
		double s = sums[t], x = v[t], sum = s + x, of_x = sum - s, of_s = sum - of_x;
		lost[t] += (s - of_s) + (x - of_x);
		sums[t] = sum;
	}
}

static void settle_infinite(struct fold *f)
{
	for (uint32_t t = 0; f->expr->aggregate.op == AGG_SUM && t < f->n; t++)
		f->b[t] = isinf(f->a[t]) ? 0 : f->b[t];
}

static void count_floats(struct fold *f, const struct row *row)
{
	for (uint32_t t = 0; t < f->n; t++)
		f->c[t] += row->kind[t] == CELL_FLOAT ? 1 : 0;
}

static bool would_overflow(const double *restrict sums, const double *restrict v, uint32_t n)
{
	int overflows = 0;
	for (uint32_t t = 0; t < n; t++)
		overflows |= fabs(sums[t] + v[t]) > DBL_MAX;
	return overflows;
}

/* Sums, as long as none overflows. */
static void add_to_avgs(struct fold *f, const struct row *row)
{
	const double *v = floats_of(f, row, -0.0);
	f->has_overflowed |= would_overflow(f->a, v, f->n);
	if (!f->has_overflowed) {
		add_to_sums(f, v);
		count_floats(f, row);
		return;
	}
	for (uint32_t t = 0; t < f->n; t++)
		if (row->kind[t] == CELL_FLOAT)
			add_to_avg(f, t, row->v[t]);
}

/* NaN, which is there in the beginning too, gives way to anything and replaces nothing. */
static void keep_least(double *restrict least, const double *restrict v, uint32_t n)
{
	for (uint32_t t = 0; t < n; t++)
		least[t] = ((least[t] > v[t]) | (least[t] != least[t])) ? v[t] : least[t];
}

static void keep_greatest(double *restrict greatest, const double *restrict v, uint32_t n)
{
	for (uint32_t t = 0; t < n; t++)
		greatest[t] = ((greatest[t] < v[t]) | (greatest[t] != greatest[t])) ? v[t] : greatest[t];
}

static void add_floats(struct fold *f, const struct row *row)
{
	switch (f->expr->aggregate.op) {
	case AGG_SUM: add_to_sums(f, floats_of(f, row, -0.0)); break;
	case AGG_AVG: add_to_avgs(f, row); break;
	case AGG_MIN: keep_least(f->a, floats_of(f, row, NAN), f->n); break;
	case AGG_MAX: keep_greatest(f->a, floats_of(f, row, NAN), f->n); break;
	case AGG_STDDEV:
	case AGG_STDVAR:
		for (uint32_t t = 0; t < f->n; t++)
			if (row->kind[t] == CELL_FLOAT)
				add_to_variance(f, t, row->v[t]);
		break;
	default: count_floats(f, row);
	}
	for (uint32_t t = 0; t < f->n; t++)
		f->seen[t] |= row->kind[t] & HAS_FLOAT;
}

void fold_add(struct fold *f, struct exec *x, const struct row *row, struct text name)
{
	add_floats(f, row);
	for (uint32_t t = 0; row->h && t < f->n; t++)
		if (row->kind[t] == CELL_HISTOGRAM) {
			add_histogram(f, x, row, t, name);
			if (interrupt_after(CELL_WORK) < 0)
				break;
		}
}

/* To a mean, that of n values. */
static void make_incremental(struct fold *f, uint32_t t)
{
	if (f->seen[t] & IS_INCREMENTAL)
		return;
	f->seen[t] |= IS_INCREMENTAL;
	f->a[t] /= f->c[t];
	f->b[t] /= f->c[t];
}

static void merge_avg(struct fold *f, struct fold *later, uint32_t t)
{
	double n = f->c[t] + later->c[t], sum = f->a[t], lost = f->b[t];
	kahan_add(&sum, &lost, later->a[t]);
	if (!((f->seen[t] | later->seen[t]) & IS_INCREMENTAL) && !isinf(sum)) {
		kahan_add(&sum, &lost, later->b[t]);
		f->a[t] = sum;
		f->b[t] = lost;
	} else {
		make_incremental(f, t);
		make_incremental(later, t);
		double share = later->c[t] / n;
		f->a[t] *= f->c[t] / n;
		f->b[t] *= f->c[t] / n;
		kahan_add(&f->a[t], &f->b[t], later->a[t] * share);
		kahan_add(&f->a[t], &f->b[t], later->b[t] * share);
	}
	f->c[t] = n;
}

/* Two variances become one (Chan, Golub and LeVeque). */
static void merge_variance(struct fold *f, const struct fold *later, uint32_t t)
{
	double n = f->c[t] + later->c[t], delta = later->b[t] - f->b[t];
	f->a[t] += later->a[t] + delta * delta * f->c[t] * later->c[t] / n;
	f->b[t] += delta * later->c[t] / n;
	f->c[t] = n;
}

static void merge_floats(struct fold *f, struct fold *later, uint32_t t)
{
	switch (f->expr->aggregate.op) {
	case AGG_SUM:
		kahan_add(&f->a[t], &f->b[t], later->a[t]);
		kahan_add(&f->a[t], &f->b[t], later->b[t]);
		break;
	case AGG_AVG: merge_avg(f, later, t); break;
	case AGG_MIN: keep_least(&f->a[t], &later->a[t], 1); break;
	case AGG_MAX: keep_greatest(&f->a[t], &later->a[t], 1); break;
	case AGG_STDDEV:
	case AGG_STDVAR: merge_variance(f, later, t); break;
	default: f->c[t] += later->c[t];
	}
}

void fold_merge(struct fold *f, struct exec *x, struct fold *later, struct text name)
{
	settle_infinite(f);
	settle_infinite(later);
	for (uint32_t t = 0; t < f->n; t++) {
		if (later->h && later->h[t] && interrupt_after(CELL_WORK) == 0)
			fold_histogram_merge(histogram_at(f, t), x, later->h[t], name);
		if (f->seen[t] & later->seen[t] & HAS_FLOAT) {
			merge_floats(f, later, t);
		} else if (later->seen[t] & HAS_FLOAT) {
			f->a[t] = later->a[t];
			f->b[t] = later->b[t];
			f->c[t] = later->c[t];
		}
		f->seen[t] |= later->seen[t];
	}
}

static double value_at(const struct fold *f, uint32_t t)
{
	switch (f->expr->aggregate.op) {
	case AGG_SUM: return f->a[t] + f->b[t];
	case AGG_AVG:
		if (f->seen[t] & IS_INCREMENTAL)
			return f->a[t] + f->b[t];
		return f->a[t] / f->c[t] + f->b[t] / f->c[t];
	case AGG_COUNT: return f->c[t];
	case AGG_GROUP: return 1;
	case AGG_STDVAR: return f->a[t] / f->c[t];
	case AGG_STDDEV: return sqrt(f->a[t] / f->c[t]);
	default: return f->a[t];
	}
}

void fold_finish(struct fold *f, struct exec *x)
{
	bool is_mixed = false;
	settle_infinite(f);
	for (uint32_t t = 0; t < f->n; t++) {
		is_mixed |= (f->seen[t] & HAS_FLOAT) && (f->seen[t] & HAS_HISTOGRAM);
		if (f->h && f->h[t] && interrupt_after(CELL_WORK) == 0)
			fold_histogram_finish(f->h[t], x, !(f->seen[t] & HAS_FLOAT));
	}
	if (is_mixed)
		annotations_add(x->annotations, ANNOTATION_WARNING, expr_place(f->expr->aggregate.inner),
			"encountered a mix of histograms and floats for aggregation");
}

void fold_row(const struct fold *f, struct worker *w, struct row *out)
{
	for (uint32_t t = 0; t < f->n; t++) {
		bool has_float = f->seen[t] & HAS_FLOAT, has_histogram = f->seen[t] & HAS_HISTOGRAM;
		const struct float_histogram *h = has_histogram ? fold_histogram_result(f->h[t]) : NULL;
		if (has_float && !has_histogram)
			row_set(out, t, value_at(f, t));
		else if (h && interrupt_after(CELL_WORK) == 0)
			row_set_histogram(w, out, t, float_histogram_copy(h));
	}
}
