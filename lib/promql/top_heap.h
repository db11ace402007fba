/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The k greatest or least values of those that come, of equal ones the same as Prometheus keeps, which has a heap as Go's container/heap makes it
 * (vectorByValueHeap, vectorByReverseValueHeap). NaN is worst, whichever is wanted.
 */
#ifndef PROMQL_TOP_HEAP_H
#define PROMQL_TOP_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct top_entry {
	double v;
	uint32_t row;
};

/* e has room for k >= 1. */
void top_heap_push(struct top_entry *e, uint32_t *n, uint32_t k, bool wants_greatest, struct top_entry new);

/* From the best to the worst; it is no heap any more. */
void top_heap_sort(struct top_entry *e, uint32_t n, bool wants_greatest);

#endif
