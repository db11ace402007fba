/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a window's rate is depends on its two ends alone. So the ends of a batch of windows are gathered first, each kind of value in a
 * column of its own, and then there is only arithmetic without a branch, which compilers turn into vectors. Every operation is one that
 * extrapolate() does too, in the same order, or gives the same bits: see seconds().
 */
#include "lib/promql/rate_columns.h"

#define BATCH 128u /* so that the columns stay in the first cache */

/* Of windows. Times are in ms and less than range_ms. */
struct ends {
	int32_t to_start[BATCH], to_end[BATCH], sampled[BATCH];
	int32_t gaps[BATCH]; /* between the samples: at least 1 */
	double first[BATCH], change[BATCH];
};

bool rate_columns_can(const struct range_series *s)
{
	return !s->h.n && !s->f.start && s->input->range_ms <= INT32_MAX;
}

/* A window without two samples gets the series' first ones: what comes out of it is not looked at. */
static void gather(const struct range_series *s, uint32_t from, uint32_t n, struct ends *out)
{
	const struct range_floats *f = &s->f;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t lo = f->lo[from + k], hi = f->hi[from + k];
		bool has_two = hi - lo >= 2;
		lo = has_two ? lo : 0;
		hi = has_two ? hi : 2;
		int64_t first_t = f->t[lo], last_t = f->t[hi - 1];
		out->to_start[k] = (int32_t)(first_t - s->start[from + k]);
		out->to_end[k] = (int32_t)(s->end[from + k] - last_t);
		out->sampled[k] = (int32_t)(last_t - first_t);
		out->gaps[k] = (int32_t)(hi - lo - 1);
		out->first[k] = f->v[lo];
		out->change[k] = f->v[hi - 1] - f->v[lo];
	}
}

/* What the counter had before each reset comes on top. Windows' beginnings rise, so the places before them are done with for good. */
static size_t add_resets(const struct range_series *s, uint32_t from, uint32_t n, const uint32_t *resets,
	size_t n_resets, size_t next, struct ends *out)
{
	for (uint32_t k = 0; k < n; k++) {
		uint32_t lo = s->f.lo[from + k], hi = s->f.hi[from + k];
		while (next < n_resets && resets[next] <= lo)
			next++;
		for (size_t i = next; i < n_resets && resets[i] < hi; i++)
			out->change[k] += s->f.v[resets[i] - 1];
	}
	return next;
}

/*
 * ms / 1000, to the bit, by what is faster than a division. The first factor has 21 bits, so that its product with any int32_t is exact,
 * and the two together are 1/1000 but for 2^-73 of it. No quotient of an integer by 1000 is nearer than 2^-64 to where rounding goes the
 * other way.
 */
static inline double seconds(int32_t ms)
{
	double x = ms;
	return x * 0x1.0624dp-10 + x * 0xd.2f1a9fbe76c8b43958p-34;
}

static inline __attribute__((always_inline)) void compute(
	const struct ends *restrict e, uint32_t n, bool is_counter, double divisor, double *restrict out)
{
	for (uint32_t k = 0; k < n; k++) {
		double to_start = seconds(e->to_start[k]), to_end = seconds(e->to_end[k]);
		double sampled = seconds(e->sampled[k]), average = sampled / e->gaps[k];
		double first = e->first[k], change = e->change[k];
		double threshold = average * 1.1, half = average / 2;
		to_start = to_start >= threshold ? half : to_start;
		if (is_counter) {
			double to_zero = sampled * (first / change);
			bool is_near = (change > 0) & (first >= 0) & (to_zero < to_start);
			to_start = is_near ? to_zero : to_start;
		}
		to_end = to_end >= threshold ? half : to_end;
		double factor = (sampled + to_start + to_end) / sampled;
		out[k] = change * (factor / divisor);
	}
}

void rate_columns(const struct range_series *s, const uint32_t *resets, size_t n_resets, bool is_counter,
	bool is_rate, struct row *out)
{
	/* Dividing by 1 changes nothing. */
	double divisor = is_rate ? (double)s->input->range_ms / 1000 : 1;
	struct ends e;
	size_t next = 0;
	if (s->f.n < 2)
		return;
	for (uint32_t from = 0; from < s->n; from += BATCH) {
		uint32_t n = MIN_OF(s->n - from, BATCH);
		gather(s, from, n, &e);
		if (n_resets)
			next = add_resets(s, from, n, resets, n_resets, next, &e);
		if (is_counter)
			compute(&e, n, true, divisor, out->v + from);
		else
			compute(&e, n, false, divisor, out->v + from);
	}
	for (uint32_t i = 0; i < s->n; i++)
		out->kind[i] = s->f.hi[i] - s->f.lo[i] >= 2 ? CELL_FLOAT : CELL_NONE;
}
