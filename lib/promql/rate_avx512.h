/* SPDX-License-Identifier: Apache-2.0 */
/* The part of lib/promql/rate_batch.c that is for processors with AVX-512. */
#ifndef PROMQL_RATE_AVX512_H
#define PROMQL_RATE_AVX512_H

#include "lib/promql/range.h"

#define RATE_AVX512_STEPS 8

/*
 * Fills the cells of steps [i, i + RATE_AVX512_STEPS) whose windows are of the usual kind, in which no reset may lie. Returns as bits the steps
 * that are still to be done: unusual ones. `divisor` is in seconds, or 1.
 */
unsigned rate_avx512(
	const struct range_series *s, uint32_t i, bool is_counter, double divisor, struct row *out);

#endif
