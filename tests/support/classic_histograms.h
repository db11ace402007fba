/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classic histograms, a series a bucket, made native ones with custom buckets (Prometheus' util/convertnhcb): of m_bucket{le="..."},
 * m_count and m_sum with otherwise equal labels comes m.
 */
#ifndef TESTS_CLASSIC_HISTOGRAMS_H
#define TESTS_CLASSIC_HISTOGRAMS_H

#include "tests/support/noted_series.h"

struct noted_list {
	struct noted_series *data;
	size_t len, cap;
};

/*
 * Appends a series of histograms for every one that is to be found among the first n of the list. -EINVAL: counts that fall from one
 * bucket to the next, or aren't a histogram otherwise.
 */
int classic_histograms_add(struct noted_list *list, size_t n, struct arena *a, struct err *e);

#endif
