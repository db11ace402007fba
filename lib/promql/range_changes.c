/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes and resets: what neighbouring samples of a window differ in. Whether a sample differs from the one before it has nothing to do
 * with windows, so that is counted once a series, and a window's count is the difference of two running counts.
 */
#include "lib/promql/range_kernels.h"

#include "lib/base/interrupt.h"

#include <math.h>

static bool has_changed(double before, double now)
{
	return now != before && !(isnan(now) && isnan(before));
}

static bool has_fallen(double before, double now)
{
	return now < before;
}

static bool histogram_has_changed(const struct float_histogram *before, const struct float_histogram *now)
{
	return !float_histogram_is_equal(now, before);
}

static bool histogram_was_reset(const struct float_histogram *before, const struct float_histogram *now)
{
	return float_histogram_is_reset(now, before);
}

struct difference {
	bool (*of_floats)(double before, double now);
	bool (*of_histograms)(const struct float_histogram *before, const struct float_histogram *now);
};

/* Floats and histograms in the order of time: where the next one of each is. */
struct both {
	const struct range_series *s;
	uint32_t f, h;
};

static bool next_is_float(const struct both *b)
{
	if (b->f == b->s->f.n)
		return false;
	return b->h == b->s->h.n || b->s->f.t[b->f] < b->s->h.t[b->h];
}

/* From when they count, neighbours of the same kind differ: the next one, and the one before it. */
static bool began_anew(const struct both *b, bool is_float)
{
	const struct range_floats *f = &b->s->f;
	const struct range_histograms *h = &b->s->h;
	if (is_float)
		return start_is_reset(
			range_started(f->t, f->start, b->f - 1), range_started(f->t, f->start, b->f));
	return start_is_reset(range_started(h->t, h->start, b->h - 1), range_started(h->t, h->start, b->h));
}

/* Inline, so that series without starts, nearly all, don't pay for them. */
static inline __attribute__((always_inline)) uint32_t *count_up_as(
	const struct range_series *s, const struct difference *d, bool has_starts)
{
	uint32_t n = (uint32_t)(s->f.n + s->h.n), count = 0;
	uint32_t *counts = arena_alloc(s->w->scratch, (n + 1ul) * sizeof *counts);
	struct both b = { .s = s };
	bool was_float = false;
	counts[0] = 0;
	for (uint32_t k = 0; k < n; k++) {
		bool is_float = next_is_float(&b);
		if (k) {
			bool differs = is_float != was_float ? true
				       : is_float            ? d->of_floats(s->f.v[b.f - 1], s->f.v[b.f])
							     : d->of_histograms(s->h.h[b.h - 1], s->h.h[b.h]);
			count += differs || (has_starts && began_anew(&b, is_float));
		}
		counts[k + 1] = count;
		if (!is_float && interrupt_after(RANGE_HISTOGRAM_WORK) < 0)
			n = k + 1;
		was_float = is_float;
		b.f += is_float;
		b.h += !is_float;
	}
	return counts;
}

/* counts[k]: how many of the first k samples, of both kinds, differ from the one before them. One kind after the other differs. */
static uint32_t *count_up(const struct range_series *s, const struct difference *d)
{
	return s->f.start || s->h.start ? count_up_as(s, d, true) : count_up_as(s, d, false);
}

/*
 * Where an anchored window begins: at the last sample, of either kind, that isn't behind its start. False: no sample lies behind it.
 * lo and hi count samples of both kinds.
 */
static bool find_anchor(const struct range_series *s, uint32_t i, uint32_t *lo, uint32_t hi)
{
	uint32_t f = s->f.lo[i], h = s->h.n ? s->h.lo[i] : 0;
	uint32_t f_hi = s->f.hi[i], h_hi = s->h.n ? s->h.hi[i] : 0;
	while (f < f_hi && s->f.t[f] <= s->start[i])
		f++;
	while (h < h_hi && s->h.t[h] <= s->start[i])
		h++;
	if (f + h == hi)
		return false;
	if (f + h > *lo)
		*lo = f + h - 1;
	return true;
}

static int count_differences(const struct range_series *s, struct row *out, const struct difference *d)
{
	const uint32_t *counts = count_up(s, d);
	int over = interrupt_after(s->f.n + s->h.n);
	if (over < 0)
		return over;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t lo = s->f.lo[i] + (s->h.n ? s->h.lo[i] : 0),
			 hi = s->f.hi[i] + (s->h.n ? s->h.hi[i] : 0);
		if (lo == hi || (s->input->is_anchored && !find_anchor(s, i, &lo, hi)))
			continue;
		row_set(out, i, counts[hi] - counts[lo + 1]);
		int r = s->input->is_anchored ? interrupt_after(hi - lo) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

int range_changes(const struct range_series *s, struct row *out)
{
	static const struct difference changes = { has_changed, histogram_has_changed };
	return count_differences(s, out, &changes);
}

int range_resets(const struct range_series *s, struct row *out)
{
	static const struct difference resets = { has_fallen, histogram_was_reset };
	return count_differences(s, out, &resets);
}
