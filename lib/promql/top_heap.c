/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/top_heap.h"

#include <math.h>
#include <stdlib.h>

#define INSERTION_MAX \
	12u /* up to here Go's sort is an insertion sort, so that equals come out in its order */

/* The worst is on top. Go's Less: true of NaN, whatever the other one is. */
static inline bool is_worse(struct top_entry a, struct top_entry b, bool wants_greatest)
{
	return isnan(a.v) || (wants_greatest ? a.v < b.v : a.v > b.v);
}

static void swap(struct top_entry *e, uint32_t i, uint32_t j)
{
	struct top_entry t = e[i];
	e[i] = e[j];
	e[j] = t;
}

static void rise(struct top_entry *e, uint32_t j, bool wants_greatest)
{
	while (j) {
		uint32_t parent = (j - 1) / 2;
		if (!is_worse(e[j], e[parent], wants_greatest))
			break;
		swap(e, parent, j);
		j = parent;
	}
}

static void sink(struct top_entry *e, uint32_t n, bool wants_greatest)
{
	for (uint32_t i = 0, j; (j = 2 * i + 1) < n; i = j) {
		if (j + 1 < n && is_worse(e[j + 1], e[j], wants_greatest))
			j++;
		if (!is_worse(e[j], e[i], wants_greatest))
			break;
		swap(e, i, j);
	}
}

void top_heap_push(struct top_entry *e, uint32_t *n, uint32_t k, bool wants_greatest, struct top_entry new)
{
	if (*n < k) {
		e[(*n)++] = new;
		rise(e, *n - 1, wants_greatest);
		return;
	}
	bool is_better = wants_greatest ? e[0].v < new.v : e[0].v > new.v;
	if (!is_better && !(isnan(e[0].v) && !isnan(new.v)))
		return;
	e[0] = new;
	sink(e, *n, wants_greatest);
}

static int by_rank(const void *pa, const void *pb, void *wants_greatest)
{
	const struct top_entry *a = pa, *b = pb;
	if (!isnan(a->v) != !isnan(b->v))
		return isnan(a->v) ? 1 : -1;
	int r = (a->v < b->v) - (a->v > b->v);
	if (!r)
		return (a->row > b->row) - (a->row < b->row);
	return *(bool *)wants_greatest ? r : -r;
}

void top_heap_sort(struct top_entry *e, uint32_t n, bool wants_greatest)
{
	if (n > INSERTION_MAX) {
		qsort_r(e, n, sizeof *e, by_rank, &wants_greatest);
		return;
	}
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t j = i; j > 0 && is_worse(e[j - 1], e[j], wants_greatest); j--)
			swap(e, j - 1, j);
}
