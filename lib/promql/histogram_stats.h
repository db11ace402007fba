/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms of which only count and sum are wanted, as for histogram_count(): their buckets go before they are copied anywhere, but not
 * before they have said whether the counter was reset (promql/histogram_stats_iterator.go).
 */
#ifndef PROMQL_HISTOGRAM_STATS_H
#define PROMQL_HISTOGRAM_STATS_H

#include "lib/tsdb/series_source.h"

/* Replaces all histograms by ones without buckets, bounds and zero bucket; where a hint was unknown, and there is one before, it is known then. */
void histogram_stats(struct samples *s);

#endif
