/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/bucket_quantile.h"

#include "lib/base/almost.h"

#include <math.h>

/* Counts that differ by less are the same but for rounding: 10^12 observations don't make one that is seen. */
#define ROUNDING 1e-12

/* Adds up buckets of the same bound (le="1" and le="1.0"). */
static size_t coalesce(struct classic_bucket *b, size_t n)
{
	size_t last = 0;
	for (size_t i = 1; i < n; i++) {
		if (b[i].bound == b[last].bound)
			b[last].count += b[i].count;
		else
			b[++last] = b[i];
	}
	return last + 1;
}

static void raise_fallen(struct classic_bucket *b, size_t n, struct bucket_fix *fix)
{
	double before = b[0].count;
	for (size_t i = 1; i < n; i++) {
		double now = b[i].count;
		if (now == before)
			continue;
		if (is_almost(before, now, ROUNDING)) {
			b[i].count = before;
		} else if (now < before) {
			b[i].count = before;
			fix->is_forced = true;
			fix->lowest = fmin(fix->lowest, b[i].bound);
			fix->highest = fmax(fix->highest, b[i].bound);
			fix->difference = fmax(fix->difference, before - now);
		} else {
			before = now;
		}
	}
}

/* The first bucket but the last whose count reaches the rank; else the last. */
static size_t bucket_of_rank(const struct classic_bucket *b, size_t n, double rank)
{
	size_t low = 0, high = n - 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (b[middle].count >= rank)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

double bucket_quantile(double q, struct classic_bucket *b, size_t n, struct bucket_fix *fix)
{
	*fix = (struct bucket_fix){ .lowest = INFINITY, .highest = -INFINITY };
	if (isnan(q))
		return NAN;
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	if (b[n - 1].bound != INFINITY)
		return NAN;
	n = coalesce(b, n);
	raise_fallen(b, n, fix);
	double observations = b[n - 1].count;
	if (n < 2 || observations == 0)
		return NAN;
	double rank = q * observations;
	size_t i = bucket_of_rank(b, n, rank);
	if (i == n - 1)
		return b[n - 2].bound;
	if (i == 0 && b[0].bound <= 0)
		return b[0].bound;
	double start = 0, count = b[i].count;
	if (i) {
		start = b[i - 1].bound;
		count -= b[i - 1].count;
		rank -= b[i - 1].count;
	}
	return start + (b[i].bound - start) * (rank / count);
}

/* Where a value stands among all observations, once that is known. */
struct place {
	double value, rank;
	bool is_known;
};

/* `before` observations lie below the bucket (lower, upper]. */
static void find_place(struct place *p, double lower, double upper, double before, double count)
{
	if (p->is_known)
		return;
	if (lower >= p->value)
		p->rank = before;
	else if (!(upper > p->value))
		return;
	else if (lower == -INFINITY)
		p->rank = count; /* nothing can be said of a bucket without an end */
	else
		p->rank = before + (count - before) * (p->value - lower) / (upper - lower);
	p->is_known = true;
}

double bucket_fraction(double lower, double upper, struct classic_bucket *b, size_t n)
{
	if (b[n - 1].bound != INFINITY)
		return NAN;
	n = coalesce(b, n);
	double count = b[n - 1].count;
	if (count == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	struct place from = { .value = lower }, to = { .value = upper };
	double before = 0, start = b[0].bound <= 0 ? -INFINITY : 0;
	for (size_t i = 0; i < n && !(from.is_known && to.is_known); i++) {
		find_place(&from, start, b[i].bound, before, b[i].count);
		find_place(&to, start, b[i].bound, before, b[i].count);
		before = b[i].count;
		start = b[i].bound;
	}
	if (!from.is_known || from.rank > count)
		from.rank = count;
	if (!to.is_known || to.rank > count)
		to.rank = count;
	return (to.rank - from.rank) / count;
}
