/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a window's rate is depends on its two ends alone, and what it costs is divisions. So windows of the usual kind, which need fewer of
 * them, are computed in pairs, by instructions that divide two numbers as fast as one; all others one by one, by extrapolate(). Every
 * operation is one that extrapolate() does too, in the same order, or gives the same bits: see seconds().
 */
#include "lib/promql/rate_pairs.h"

#include "lib/promql/extrapolate.h"

/* A window's. Times are in ms and less than range_ms. */
struct ends {
	uint32_t step;
	double to_start, to_end, sampled;
	double first, change;
};

typedef double pair __attribute__((vector_size(2 * sizeof(double))));

bool rate_pairs_can(const struct range_series *s)
{
	return !s->h.n && !s->f.start && s->input->range_ms <= INT32_MAX;
}

/*
 * Whether both bounds are near, and a counter is so far from having been zero that this isn't to be thought of. What is close to a limit, by
 * more than what rounding takes, isn't usual.
 */
static inline bool is_usual(const struct ends *e, double gaps, bool is_counter)
{
	double limit = e->sampled * 1.09;
	return e->to_start * gaps < limit && e->to_end * gaps < limit &&
	       (!is_counter || !(e->change > 0) || e->first * e->sampled > e->change * e->to_start * 1.01);
}

/*
 * ms / 1000, to the bit, by what is faster than a division. The first factor has 21 bits, so that its product with any int32_t is exact,
 * and the two together are 1/1000 but for 2^-73 of it. No quotient of an integer by 1000 is nearer than 2^-64 to where rounding goes the
 * other way.
 */
static inline pair seconds(pair ms)
{
	return ms * 0x1.0624dp-10 + ms * 0xd.2f1a9fbe76c8b43958p-34;
}

static inline void compute(const struct ends *a, const struct ends *b, double divisor, struct row *out)
{
	pair to_start = seconds((pair){ a->to_start, b->to_start });
	pair to_end = seconds((pair){ a->to_end, b->to_end });
	pair sampled = seconds((pair){ a->sampled, b->sampled });
	pair factor = (sampled + to_start + to_end) / sampled;
	pair v = (pair){ a->change, b->change } * (factor / divisor);
	row_set(out, a->step, v[0]);
	row_set(out, b->step, v[1]);
}

void rate_pairs(const struct range_series *s, const uint32_t *resets, size_t n_resets, bool is_counter,
	bool is_rate, struct row *out)
{
	const int64_t *t = s->f.t;
	const double *v = s->f.v;
	double divisor = is_rate ? (double)s->input->range_ms / 1000 : 1; /* dividing by 1 changes nothing */
	struct ends waits = { 0 };
	bool one_waits = false;
	size_t next = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t lo = s->f.lo[i], hi = s->f.hi[i];
		if (hi - lo < 2)
			continue;
		struct ends e = {
			.step = i,
			.to_start = (double)(t[lo] - s->start[i]),
			.to_end = (double)(s->end[i] - t[hi - 1]),
			.sampled = (double)(t[hi - 1] - t[lo]),
			.first = v[lo],
			.change = v[hi - 1] - v[lo],
		};
		/* Windows' beginnings rise, so the places before them are done with for good. */
		while (next < n_resets && resets[next] <= lo)
			next++;
		for (size_t k = next; k < n_resets && resets[k] < hi; k++)
			e.change += v[resets[k] - 1];
		if (!is_usual(&e, hi - lo - 1, is_counter)) {
			double factor = extrapolate(t[lo], t[hi - 1], hi - lo, s->start[i], s->end[i],
				e.first, e.change, is_counter);
			row_set(out, i, e.change * (factor / divisor));
			continue;
		}
		if (one_waits)
			compute(&waits, &e, divisor, out);
		else
			waits = e;
		one_waits = !one_waits;
	}
	if (one_waits)
		compute(&waits, &waits, divisor, out);
}
