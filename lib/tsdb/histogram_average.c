/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram_average.h"

#include <float.h>

void histogram_average_fini(struct histogram_average *a)
{
	histogram_sum_fini(&a->sum);
	histogram_sum_fini(&a->part);
	*a = (struct histogram_average){ 0 };
}

void histogram_average_reset(struct histogram_average *a)
{
	a->n = a->largest = 0;
	a->is_running = false;
}

static double sum_of_sizes(const double *v, uint32_t n)
{
	double sum = 0;
	for (uint32_t i = 0; i < n; i++)
		if (!isnan(v[i]))
			sum += fabs(v[i]);
	return sum;
}

/* No number that adding h can make grows by more than this, even where buckets are merged. */
static double size_of(const struct float_histogram *h)
{
	return sum_of_sizes(&h->zero_count, 1) + sum_of_sizes(&h->count, 1) + sum_of_sizes(&h->sum, 1) +
	       sum_of_sizes(h->positive, h->n_positive) + sum_of_sizes(h->negative, h->n_negative) +
	       sum_of_sizes(h->custom, h->n_custom);
}

/* What comes after can't be undone, so where an overflow is possible it is done to a copy first. */
static int add_carefully(struct histogram_average *a, const struct float_histogram *h)
{
	histogram_sum_copy(&a->part, &a->sum);
	int noted = histogram_sum_add_exactly(&a->part, h);
	if (noted < 0)
		return noted;
	if (histogram_sum_has_overflow(&a->part)) {
		a->is_running = true;
		histogram_sum_div(&a->sum, a->n - 1);
		return noted;
	}
	struct histogram_sum old = a->sum;
	a->sum = a->part;
	a->part = old;
	return noted;
}

int histogram_average_add(struct histogram_average *a, const struct float_histogram *h)
{
	a->n++;
	a->largest += size_of(h);
	if (a->n == 1) {
		histogram_sum_set(&a->sum, h);
		return 0;
	}
	int noted = 0;
	if (!a->is_running) {
		if (a->largest < DBL_MAX / 2)
			return histogram_sum_add_exactly(&a->sum, h);
		noted = add_carefully(a, h);
		if (noted < 0 || !a->is_running)
			return noted;
	}
	histogram_sum_mul(&a->sum, (a->n - 1) / a->n);
	histogram_sum_set(&a->part, h);
	histogram_sum_div(&a->part, a->n);
	int more = histogram_sum_add_exactly(&a->sum, &a->part.value);
	return more < 0 ? more : noted | more;
}

static void make_running(struct histogram_average *a)
{
	if (!a->is_running)
		histogram_sum_div(&a->sum, a->n);
	a->is_running = true;
}

int histogram_average_merge(struct histogram_average *a, struct histogram_average *later)
{
	if (later->n == 0)
		return 0;
	if (a->n == 0) {
		struct histogram_average none = *a;
		*a = *later;
		*later = none;
		return 0;
	}
	double n = a->n + later->n;
	a->largest += later->largest;
	if (a->is_running || later->is_running || a->largest >= DBL_MAX / 2) {
		make_running(a);
		make_running(later);
		histogram_sum_mul(&a->sum, a->n / n);
		histogram_sum_mul(&later->sum, later->n / n);
	}
	a->n = n;
	histogram_sum_settle(&later->sum);
	int noted = histogram_sum_add_exactly(&a->sum, &later->sum.value);
	histogram_average_reset(later);
	return noted;
}

struct histogram_sum *histogram_average_get(struct histogram_average *a)
{
	if (!a->is_running)
		histogram_sum_div(&a->sum, a->n);
	histogram_sum_settle(&a->sum);
	return &a->sum;
}
