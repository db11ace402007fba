/* SPDX-License-Identifier: Apache-2.0 */
/* rate, increase and delta of floats, several steps at a time. */
#ifndef PROMQL_RATE_BATCH_H
#define PROMQL_RATE_BATCH_H

#include "lib/promql/range.h"

/* Whether it knows what this series needs: floats that tell no start times, and windows of less than 24 days. */
bool rate_batch_can(const struct range_series *s);

/*
 * Fills the cells of the steps that have a result. `resets` are the n_resets places, rising, of samples before which the counter began
 * anew; of a delta, which doesn't look for any, there are none.
 */
void rate_batch(const struct range_series *s, const uint32_t *resets, size_t n_resets, bool is_counter,
	bool is_rate, struct row *out);

#endif
