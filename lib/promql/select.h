/* SPDX-License-Identifier: Apache-2.0 */
/* Instant vector selectors: at each step the last sample of a series that isn't older than the lookback, nor a stale marker. */
#ifndef PROMQL_SELECT_H
#define PROMQL_SELECT_H

#include "lib/promql/selected.h"

/* At which time of the data a step looks: its own, or the one that @ gives; less the offset. */
struct lookup {
	bool is_fixed;
	int64_t fixed, offset;
};

static inline int64_t lookup_at(const struct lookup *l, const struct steps *s, uint32_t i)
{
	return (l->is_fixed ? l->fixed : steps_at(s, i)) - l->offset;
}

enum select_what {
	SELECT_VALUES,
	SELECT_STATS,       /* values; of histograms only count and sum (histogram_stats.h) */
	SELECT_TIMES,       /* of the samples, in seconds, without names: timestamp(selector) */
	SELECT_TIMES_NAMED, /* with names */
	SELECT_STARTS       /* from when the samples count, as SELECT_TIMES; 0: not known */
};

/* Takes `from`, whose range it widens by what it reads. */
struct op *select_new(const struct expr *selector, struct selected *from, const struct steps *steps,
	const struct lookup *at, int64_t lookback_ms, enum select_what what);

#endif
