/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is picked or added up from a window. Numbers come out as upstream's to the last bit, which adds up each window anew with
 * compensation: where values are whole and small no addition rounds, so the sum of a window is the difference of two running sums.
 */
#include "lib/promql/range_kernels.h"

#include "lib/base/interrupt.h"
#include "lib/base/kahan.h"
#include "lib/tsdb/histogram_average.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53: sums up to here of whole numbers are exact */

int range_count(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t n = range_n_floats(s, i) + range_n_histograms(s, i);
		if (n)
			row_set(out, i, n);
	}
	return 0;
}

int range_present(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (range_n_floats(s, i) + range_n_histograms(s, i))
			row_set(out, i, 1);
	return 0;
}

/* The first or last sample of a window; where there are both, what is a float? */
static bool first_is_float(const struct range_series *s, uint32_t i)
{
	uint32_t nf = range_n_floats(s, i), nh = range_n_histograms(s, i);
	return nf && (!nh || s->f.t[s->f.lo[i]] < s->h.t[s->h.lo[i]]);
}

static bool last_is_float(const struct range_series *s, uint32_t i)
{
	uint32_t nf = range_n_floats(s, i), nh = range_n_histograms(s, i);
	return nf && (!nh || s->f.t[s->f.hi[i] - 1] > s->h.t[s->h.hi[i] - 1]);
}

int range_first(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (first_is_float(s, i))
			row_set(out, i, s->f.v[s->f.lo[i]]);
		else if (range_n_histograms(s, i))
			row_set_histogram(s->w, out, i, float_histogram_copy(s->h.h[s->h.lo[i]]));
	return 0;
}

int range_last(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (last_is_float(s, i))
			row_set(out, i, s->f.v[s->f.hi[i] - 1]);
		else if (range_n_histograms(s, i))
			row_set_histogram(s->w, out, i, float_histogram_copy(s->h.h[s->h.hi[i] - 1]));
	return 0;
}

int range_ts_of_first(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (first_is_float(s, i))
			row_set(out, i, (double)s->f.t[s->f.lo[i]] / 1000);
		else if (range_n_histograms(s, i))
			row_set(out, i, (double)s->h.t[s->h.lo[i]] / 1000);
	return 0;
}

int range_ts_of_last(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (last_is_float(s, i))
			row_set(out, i, (double)s->f.t[s->f.hi[i] - 1] / 1000);
		else if (range_n_histograms(s, i))
			row_set(out, i, (double)s->h.t[s->h.hi[i] - 1] / 1000);
	return 0;
}

/*
 * Sums up to each sample, sums[0] = 0, where they are exact: every value whole, and all of them together within 2^53. NULL where they
 * aren't, and where windows hardly overlap, so that it doesn't pay.
 */
static const double *exact_sums(const struct range_series *s)
{
	size_t n = s->f.n;
	uint64_t seen = 0;
	for (uint32_t i = 0; i < s->n; i++)
		seen += range_n_floats(s, i);
	if (seen < 2 * n)
		return NULL;
	double *sums = arena_alloc(s->w->scratch, (n + 1) * sizeof *sums);
	double sum = 0, size = 0;
	bool is_whole = true;
	sums[0] = 0;
	for (size_t k = 0; k < n; k++) {
		double v = s->f.v[k];
		is_whole &= v == trunc(v) && !(v == 0 && signbit(v));
		size += fabs(v);
		sum += v;
		sums[k + 1] = sum;
	}
	return is_whole && size <= WHOLE_MAX ? sums : NULL;
}

/* Four windows are added up side by side: one alone would wait for each addition before the next. */
#define SIDE_BY_SIDE 4u

struct sums {
	double sum[SIDE_BY_SIDE], lost[SIDE_BY_SIDE];
};

#define STRETCH 65536u /* of long windows, between two questions whether to go on */

/* Adds samples lo + first <= k < hi of each; nothing of use where the run is over. */
static void add_up(const double *v, const uint32_t *lo, const uint32_t *hi, uint32_t first, struct sums *s)
{
	uint32_t least = UINT32_MAX;
	for (uint32_t j = 0; j < SIDE_BY_SIDE; j++)
		least = MIN_OF(least, hi[j] - lo[j]);
	for (uint32_t from = first, to; from < least; from = to) {
		to = MIN_OF(from + STRETCH, least);
		for (uint32_t k = from; k < to; k++)
			for (uint32_t j = 0; j < SIDE_BY_SIDE; j++)
				kahan_add(&s->sum[j], &s->lost[j], v[lo[j] + k]);
		if (to - from == STRETCH && interrupt_after(SIDE_BY_SIDE * STRETCH) < 0)
			return;
	}
	for (uint32_t j = 0; j < SIDE_BY_SIDE; j++)
		for (uint32_t k = lo[j] + MAX_OF(first, least); k < hi[j]; k++)
			kahan_add(&s->sum[j], &s->lost[j], v[k]);
}

static uint32_t longest_of(const uint32_t *lo, const uint32_t *hi)
{
	uint32_t n = 0;
	for (uint32_t j = 0; j < SIDE_BY_SIDE; j++)
		n = MAX_OF(n, hi[j] - lo[j]);
	return n;
}

static int sum_floats(const struct range_series *s, struct row *out)
{
	for (uint32_t i = 0; i < s->n; i += SIDE_BY_SIDE) {
		uint32_t lo[SIDE_BY_SIDE] = { 0 }, hi[SIDE_BY_SIDE] = { 0 },
			 n = MIN_OF(SIDE_BY_SIDE, s->n - i);
		struct sums sums = { 0 };
		memcpy(lo, s->f.lo + i, n * sizeof lo[0]);
		memcpy(hi, s->f.hi + i, n * sizeof hi[0]);
		add_up(s->f.v, lo, hi, 0, &sums);
		for (uint32_t j = 0; j < n; j++)
			if (lo[j] < hi[j])
				row_set(out, i + j,
					isinf(sums.sum[j]) ? sums.sum[j] : sums.sum[j] + sums.lost[j]);
		int r = interrupt_after(SIDE_BY_SIDE * longest_of(lo, hi));
		if (r < 0)
			return r;
	}
	return 0;
}

/* The sum divided, until it would be infinite; from there on the mean itself, kept up. */
static double avg_of(const double *v, size_t n)
{
	double sum = v[0], lost = 0;
	size_t k = 1;
	for (; k < n; k++) {
		double next = sum, next_lost = lost;
		kahan_add(&next, &next_lost, v[k]);
		if (isinf(next))
			break;
		sum = next;
		lost = next_lost;
	}
	if (k == n)
		return sum / (double)n + lost / (double)n;
	double mean = sum / (double)k;
	lost /= (double)k;
	for (; k < n; k++) {
		double count = (double)(k + 1), share = (count - 1) / count;
		mean *= share;
		lost *= share;
		kahan_add(&mean, &lost, v[k] / count);
	}
	return mean + lost;
}

static int avg_floats(const struct range_series *s, struct row *out)
{
	const double *v = s->f.v;
	for (uint32_t i = 0; i < s->n; i += SIDE_BY_SIDE) {
		uint32_t lo[SIDE_BY_SIDE] = { 0 }, hi[SIDE_BY_SIDE] = { 0 },
			 n = MIN_OF(SIDE_BY_SIDE, s->n - i);
		struct sums sums = { 0 };
		memcpy(lo, s->f.lo + i, n * sizeof lo[0]);
		memcpy(hi, s->f.hi + i, n * sizeof hi[0]);
		for (uint32_t j = 0; j < n; j++)
			sums.sum[j] = lo[j] < hi[j] ? v[lo[j]] : 0;
		add_up(v, lo, hi, 1, &sums);
		for (uint32_t j = 0; j < n; j++) {
			double count = hi[j] - lo[j], sum = sums.sum[j];
			if (count > 0)
				row_set(out, i + j,
					isfinite(sum) ? sum / count + sums.lost[j] / count
						      : avg_of(v + lo[j], hi[j] - lo[j]));
		}
		int r = interrupt_after(SIDE_BY_SIDE * longest_of(lo, hi));
		if (r < 0)
			return r;
	}
	return 0;
}

static void from_sums(const struct range_series *s, const double *sums, struct row *out, bool is_avg)
{
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t lo = s->f.lo[i], hi = s->f.hi[i];
		double sum = sums[hi] - sums[lo];
		if (lo < hi)
			row_set(out, i, is_avg ? sum / (hi - lo) : sum);
	}
}

struct histogram_work {
	struct histogram_sum sum;
	struct histogram_average average;
};

/* Flags or -EINVAL as histogram_sum_add has them; the result is in *out. */
static int fold_histograms(struct histogram_work *work, const struct float_histogram *const *h, size_t n,
	bool is_avg, struct histogram_sum **out)
{
	int flags = 0, r = 0;
	histogram_average_reset(&work->average);
	if (!is_avg)
		histogram_sum_set(&work->sum, h[0]);
	for (size_t k = is_avg ? 0 : 1; k < n && r >= 0; k++) {
		r = is_avg ? histogram_average_add(&work->average, h[k])
			   : histogram_sum_add_exactly(&work->sum, h[k]);
		flags |= r;
	}
	if (r < 0)
		return r;
	if (!is_avg)
		histogram_sum_settle(&work->sum);
	*out = is_avg ? histogram_average_get(&work->average) : &work->sum;
	return flags;
}

static void of_histograms(
	const struct range_series *s, struct histogram_work *work, struct row *out, uint32_t i, bool is_avg)
{
	const struct float_histogram *const *h = s->h.h + s->h.lo[i];
	uint32_t n = range_n_histograms(s, i);
	bool has_reset = false, has_none = false;
	for (uint32_t k = 0; k < n; k++) {
		has_reset |= h[k]->reset_hint == RESET_YES;
		has_none |= h[k]->reset_hint == RESET_NO;
	}
	struct histogram_sum *sum;
	int flags = fold_histograms(work, h, n, is_avg, &sum);
	if (flags < 0) {
		range_say(s, RANGE_MIXED_SCHEMAS);
		return;
	}
	range_say(s, (has_reset && has_none ? RANGE_AGG_COLLIDED : 0) |
			     (flags & HISTOGRAM_BOUNDS_RECONCILED ? RANGE_AGG_RECONCILED : 0));
	row_set_histogram(s->w, out, i, float_histogram_copy(&sum->value));
}

static int sum_or_avg(const struct range_series *s, struct row *out, bool is_avg)
{
	const double *sums = exact_sums(s);
	struct histogram_work work = { 0 };
	int r = 0;
	if (sums)
		from_sums(s, sums, out, is_avg);
	else
		r = is_avg ? avg_floats(s, out) : sum_floats(s, out);
	for (uint32_t i = 0; s->h.n && i < s->n && r == 0; i++) {
		if (!range_n_histograms(s, i))
			continue;
		r = interrupt_after(RANGE_HISTOGRAM_WORK * (uint64_t)range_n_histograms(s, i));
		if (!range_n_floats(s, i)) {
			of_histograms(s, &work, out, i, is_avg);
			continue;
		}
		out->kind[i] = CELL_NONE;
		range_say(s, RANGE_MIXED);
	}
	histogram_sum_fini(&work.sum);
	histogram_average_fini(&work.average);
	return r;
}

int range_sum(const struct range_series *s, struct row *out)
{
	return sum_or_avg(s, out, false);
}

int range_avg(const struct range_series *s, struct row *out)
{
	return sum_or_avg(s, out, true);
}
