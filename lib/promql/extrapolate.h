/* SPDX-License-Identifier: Apache-2.0 */
/* How rate, increase and delta go from the samples to the window's bounds (promql/functions.go: extrapolatedRate). */
#ifndef PROMQL_EXTRAPOLATE_H
#define PROMQL_EXTRAPOLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * By how much the change between the first and the last of n >= 2 samples is scaled for the window (start, end]. Up to a bound that is
 * near, all the way; else by half the distance that samples have. A counter goes no further back than to where it would have been zero.
 */
static inline double extrapolate(int64_t first_t, int64_t last_t, size_t n, int64_t start, int64_t end,
	double first, double change, bool is_counter)
{
	double to_start = (double)(first_t - start) / 1000, to_end = (double)(end - last_t) / 1000;
	double sampled = (double)(last_t - first_t) / 1000, average = sampled / (double)(n - 1);
	double threshold = average * 1.1;
	if (to_start >= threshold)
		to_start = average / 2;
	if (is_counter && change > 0 && first >= 0) {
		double to_zero = sampled * (first / change);
		if (to_zero < to_start)
			to_start = to_zero;
	}
	if (to_end >= threshold)
		to_end = average / 2;
	return sampled != 0 ? (sampled + to_start + to_end) / sampled : 1;
}

/*
 * The same of a counter that is known to have been zero at `since`, which lies within the window: nothing is to be guessed before it.
 * n >= 1; a lone sample says nothing of how far apart they are, so that its change isn't scaled either.
 */
static inline double extrapolate_since(int64_t since, int64_t first_t, int64_t last_t, size_t n, int64_t end)
{
	double to_end = (double)(end - last_t) / 1000, sampled = (double)(last_t - since) / 1000;
	double average = n > 1 ? (double)(last_t - first_t) / 1000 / (double)(n - 1) : 0;
	if (to_end >= average * 1.1)
		to_end = average / 2;
	return (sampled + to_end) / sampled;
}

#endif
