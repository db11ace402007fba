/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a window's rate is depends on its two ends alone, and what it costs is divisions. So windows of the usual kind, which need fewer of
 * them, are computed together: eight that have no reset by AVX-512, where there is such a thing, others in pairs, by instructions that divide two
 * numbers as fast as one. All that aren't usual are computed one by one, by extrapolate(). Every operation is one that extrapolate() does too, in the
 * same order, or gives the same bits.
 */
#include "lib/promql/rate_batch.h"

#include "lib/base/avx512.h"
#include "lib/promql/extrapolate.h"
#include "lib/promql/rate_avx512.h"
#include "lib/promql/rate_usual.h"

/* A window's. Times are in ms and less than range_ms. */
struct ends {
	uint32_t step;
	double to_start, to_end, sampled;
	double first, change;
};

struct batch {
	const struct range_series *s;
	const uint32_t *resets;
	size_t n_resets,
		next; /* those before `next` are done with for good, since windows' beginnings rise */
	bool is_counter;
	double divisor;
	struct row *out;
	struct ends waits; /* for another one */
	bool one_waits;
};

typedef double pair __attribute__((vector_size(2 * sizeof(double))));

bool rate_batch_can(const struct range_series *s)
{
	return !s->h.n && !s->f.start && s->input->range_ms <= INT32_MAX;
}

static inline bool is_usual(const struct ends *e, double gaps, bool is_counter)
{
	double limit = e->sampled * RATE_NEAR;
	return e->to_start * gaps < limit && e->to_end * gaps < limit &&
	       (!is_counter || !(e->change > 0) ||
		       e->first * e->sampled > e->change * e->to_start * RATE_FAR);
}

static inline pair seconds(pair ms)
{
	return ms * RATE_MILLI_HIGH + ms * RATE_MILLI_LOW;
}

static inline void compute(struct batch *j, const struct ends *a, const struct ends *b)
{
	pair to_start = seconds((pair){ a->to_start, b->to_start });
	pair to_end = seconds((pair){ a->to_end, b->to_end });
	pair sampled = seconds((pair){ a->sampled, b->sampled });
	pair factor = (sampled + to_start + to_end) / sampled;
	pair v = (pair){ a->change, b->change } * (factor / j->divisor);
	row_set(j->out, a->step, v[0]);
	row_set(j->out, b->step, v[1]);
}

/* The first reset behind `lo`. */
static inline size_t next_reset(struct batch *j, uint32_t lo)
{
	while (j->next < j->n_resets && j->resets[j->next] <= lo)
		j->next++;
	return j->next;
}

static inline void add_step(struct batch *j, uint32_t i)
{
	const struct range_series *s = j->s;
	const int64_t *t = s->f.t;
	const double *v = s->f.v;
	uint32_t lo = s->f.lo[i], hi = s->f.hi[i];
	if (hi - lo < 2)
		return;
	struct ends e = {
		.step = i,
		.to_start = (double)(t[lo] - s->start[i]),
		.to_end = (double)(s->end[i] - t[hi - 1]),
		.sampled = (double)(t[hi - 1] - t[lo]),
		.first = v[lo],
		.change = v[hi - 1] - v[lo],
	};
	for (size_t k = next_reset(j, lo); k < j->n_resets && j->resets[k] < hi; k++)
		e.change += v[j->resets[k] - 1];
	if (!is_usual(&e, hi - lo - 1, j->is_counter)) {
		double factor = extrapolate(
			t[lo], t[hi - 1], hi - lo, s->start[i], s->end[i], e.first, e.change, j->is_counter);
		row_set(j->out, i, e.change * (factor / j->divisor));
		return;
	}
	if (j->one_waits)
		compute(j, &j->waits, &e);
	else
		j->waits = e;
	j->one_waits = !j->one_waits;
}

/* Whether the windows of those many steps from i on have no reset in them. */
static bool has_no_reset(struct batch *j, uint32_t i, uint32_t n)
{
	size_t k = next_reset(j, j->s->f.lo[i]);
	return k == j->n_resets || j->resets[k] >= j->s->f.hi[i + n - 1];
}

void rate_batch(const struct range_series *s, const uint32_t *resets, size_t n_resets, bool is_counter,
	bool is_rate, struct row *out)
{
	struct batch j = { .s = s,
		.resets = resets,
		.n_resets = n_resets,
		.is_counter = is_counter,
		.divisor =
			is_rate ? (double)s->input->range_ms / 1000 : 1, /* dividing by 1 changes nothing */
		.out = out };
	bool has_avx512 = avx512_is_there();
	for (uint32_t i = 0; i < s->n;) {
		if (!has_avx512 || s->n - i < RATE_AVX512_STEPS || !has_no_reset(&j, i, RATE_AVX512_STEPS)) {
			add_step(&j, i++);
			continue;
		}
		unsigned rest = rate_avx512(s, i, is_counter, j.divisor, out);
		for (; rest; rest &= rest - 1)
			add_step(&j, i + (uint32_t)__builtin_ctz(rest));
		i += RATE_AVX512_STEPS;
	}
	if (j.one_waits)
		compute(&j, &j.waits, &j.waits);
}
