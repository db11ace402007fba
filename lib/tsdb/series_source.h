/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a query gets its series from: blocks, a head, memory. The engine (lib/promql/) knows nothing else of them.
 *
 *	select		which series match? Their label sets, sorted, before any sample is read
 *	will_read	series [first, first + n) are read soon: announced to whoever can fetch ahead
 *	read		the samples of one series, from any thread, several series at once
 */
#ifndef TSDB_SERIES_SOURCE_H
#define TSDB_SERIES_SOURCE_H

#include "lib/base/budget.h"
#include "lib/tsdb/chunk.h"
#include "lib/tsdb/float_histogram.h"
#include "lib/tsdb/matcher.h"
#include "lib/tsdb/source_stats.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Samples of one series, times in ms, strictly rising. Sample i is a float where h is NULL or h[i] is; v holds doubles, a stale
 * marker among them (STALE_NAN_BITS); of a histogram sample v[i] is its sum, so that staleness is seen in one place.
 */
struct samples {
	size_t n;
	int64_t *t;
	double *v;
	const struct float_histogram **h; /* NULL: floats only. The histograms are owned */
	int64_t *start;                   /* from when each counts, ms; 0: not known. NULL: none is */
	size_t cap;                       /* of the arrays, which are kept from series to series */
	struct budget *budget;            /* that is charged for it all; borrowed, may be NULL */
	uint64_t held;                    /* bytes of histograms that it was charged for */
};

static inline bool sample_is_stale(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits == STALE_NAN_BITS;
}

void samples_fini(struct samples *s);
void samples_clear(struct samples *s); /* empty, arrays kept; frees histograms */
void samples_reserve(struct samples *s, size_t n);
void samples_charge(struct samples *s, uint64_t bytes);             /* for histograms that were put there */
void samples_set_start(struct samples *s, size_t i, int64_t start); /* i < n */

struct selection {
	const struct matcher *matchers; /* at least one; all must accept */
	size_t n_matchers;
	int64_t mint, maxt;    /* ms, both inclusive; no sample outside is wanted */
	int64_t step_ms;       /* what the query is about to do; 0: an instant query. Hints, nothing more: */
	const char *func;      /* the innermost function or aggregation; NULL: none */
	struct budget *budget; /* charged for what is found, as long as the set lives; NULL: nobody counts */
};

struct series_set;

struct series_set_ops {
	/*
	 * Appends the samples of series i with mint <= t <= maxt to `out`. 0 or -errno, with the series named: it fails this query, not
	 * the source. -EBADMSG: a chunk is damaged. Between chunks it asks whether to go on (lib/base/interrupt.h).
	 */
	int (*read)(struct series_set *s, size_t i, int64_t mint, int64_t maxt, struct samples *out,
		struct err *e);
	void (*will_read)(struct series_set *s, size_t first, size_t n); /* NULL: of no use. Never waits */
	void (*free)(struct series_set *s);
};

struct series_set {
	const struct series_set_ops *ops;
	const struct label_set *labels; /* of each series; sorted, none twice; live as long as the set */
	size_t n;
};

struct series_source;

struct series_source_ops {
	/* Once the budget is exceeded, or the interrupt says so, it may fail with -ECANCELED. */
	int (*select)(struct series_source *s, const struct selection *what, struct series_set **out,
		struct err *e);
	/*
	 * Label names, or the values of one, of series that match (n_matchers may be 0: all) and have a chunk in the range, or, where a
	 * source can't tell without going through all series, stand in a block that overlaps it: sorted, none twice, in the arena; at most
	 * `limit` (0: all).
	 */
	int (*label_names)(struct series_source *s, const struct selection *what, size_t limit,
		struct arena *a, struct text **out, size_t *n, struct err *e);
	int (*label_values)(struct series_source *s, struct text name, const struct selection *what,
		size_t limit, struct arena *a, struct text **out, size_t *n, struct err *e);
	/* Of what is newest there, into what source_stats_init made. NULL: there is nothing to be said. */
	int (*stats)(struct series_source *s, struct arena *a, struct source_stats *out, struct err *e);
	void (*free)(struct series_source *s);
};

/* Several queries at a time may use one. */
struct series_source {
	const struct series_source_ops *ops;
};

static inline void series_set_free(struct series_set *s)
{
	if (s)
		s->ops->free(s);
}
DEFINE_AUTO(series_set, struct series_set *, series_set_free)

static inline void series_source_free(struct series_source *s)
{
	if (s)
		s->ops->free(s);
}
DEFINE_AUTO(series_source, struct series_source *, series_source_free)

#endif
