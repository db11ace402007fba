/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Least and greatest values of windows, and when they were. Samples that may still become a window's extreme wait in a queue, each
 * better than those behind it, so that a sample comes and goes once whatever the windows' length.
 */
#include "lib/promql/range_kernels.h"

#include <math.h>

/* Indices of samples, queue[head, tail). */
struct queue {
	uint32_t *at, head, tail;
};

/* Whether b, which came later, makes a useless. NaN is worse than anything. */
static inline bool replaces(double b, double a, bool is_max, bool takes_equal)
{
	if (isnan(b))
		return false;
	if (isnan(a))
		return true;
	return is_max ? b > a || (takes_equal && b == a) : b < a || (takes_equal && b == a);
}

/*
 * Of equal ones the value is the first's, as upstream leaves it (which shows in -0 and 0), the time the last's; where all are NaN, the last
 * one's, too.
 */
static inline int extremes(const struct range_series *s, struct row *out, bool is_max, bool gives_time)
{
	const struct range_floats *f = &s->f;
	struct queue q = { .at = arena_alloc(s->w->scratch, (f->n + 1) * sizeof q.at[0]) };
	uint32_t next = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t lo = f->lo[i], hi = f->hi[i];
		for (; next < hi; next++) {
			while (q.tail > q.head &&
				(replaces(f->v[next], f->v[q.at[q.tail - 1]], is_max, gives_time) ||
					(isnan(f->v[next]) && isnan(f->v[q.at[q.tail - 1]]))))
				q.tail--;
			q.at[q.tail++] = next;
		}
		while (q.head < q.tail && q.at[q.head] < lo)
			q.head++;
		if (lo == hi)
			continue;
		if (range_n_histograms(s, i))
			range_say(s, RANGE_IGNORED);
		uint32_t k = q.at[q.head];
		row_set(out, i, gives_time ? (double)f->t[k] / 1000 : f->v[k]);
	}
	return 0;
}

int range_max(const struct range_series *s, struct row *out)
{
	return extremes(s, out, true, false);
}

int range_min(const struct range_series *s, struct row *out)
{
	return extremes(s, out, false, false);
}

int range_ts_of_max(const struct range_series *s, struct row *out)
{
	return extremes(s, out, true, true);
}

int range_ts_of_min(const struct range_series *s, struct row *out)
{
	return extremes(s, out, false, true);
}
