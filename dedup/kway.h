/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Picks the least among the current items of many sorted sources, and all sources that tie for it. A handful
 * of sources, the usual case, is scanned: two replicas cost one comparison a pair. More are kept in a heap.
 *
 * The comparison is a constant at each place of use, which lets the compiler inline it.
 */
#ifndef DEDUP_KWAY_H
#define DEDUP_KWAY_H

#include "lib/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

#define KWAY_MAX_SOURCES     UINT16_MAX
#define KWAY_SCANNED_AT_MOST 4

/* Compares the current items of two sources. */
#define KWAY_CMP(name) int (*name)(const void *arg, unsigned a, unsigned b)

struct kway {
	uint16_t *in;    /* sources that have an item; a heap where they are many */
	uint16_t *group; /* sources of the last kway_take */
	size_t n, n_group;
	bool is_heap;
};

static inline void kway_init(struct kway *k, size_t most)
{
	*k = (struct kway){
		.in = xcalloc(most, sizeof *k->in),
		.group = xcalloc(most, sizeof *k->group),
		.is_heap = most > KWAY_SCANNED_AT_MOST,
	};
}

static inline void kway_fini(struct kway *k)
{
	free(k->in);
	free(k->group);
	*k = (struct kway){ 0 };
}

/* Adds a source, or puts back one that kway_take gave and that has a new item now. */
static inline void kway_put(struct kway *k, unsigned source, KWAY_CMP(cmp), const void *arg)
{
	size_t at = k->n++;
	if (k->is_heap) {
		for (size_t up; at && cmp(arg, source, k->in[up = (at - 1) / 2]) < 0; at = up)
			k->in[at] = k->in[up];
	}
	k->in[at] = (uint16_t)source;
}

static inline void kway_heap_pop(struct kway *k, KWAY_CMP(cmp), const void *arg)
{
	unsigned moved = k->in[--k->n];
	size_t at = 0, down;
	while ((down = 2 * at + 1) < k->n) {
		if (down + 1 < k->n && cmp(arg, k->in[down + 1], k->in[down]) < 0)
			down++;
		if (cmp(arg, moved, k->in[down]) <= 0)
			break;
		k->in[at] = k->in[down];
		at = down;
	}
	k->in[at] = (uint16_t)moved;
}

/* Takes out every source whose item is the least: k->group. How many; 0: there are no more items. */
static inline size_t kway_take(struct kway *k, KWAY_CMP(cmp), const void *arg)
{
	k->n_group = 0;
	if (k->n == 0)
		return 0;
	if (k->is_heap) {
		do {
			k->group[k->n_group++] = k->in[0];
			kway_heap_pop(k, cmp, arg);
		} while (k->n && cmp(arg, k->in[0], k->group[0]) == 0);
		return k->n_group;
	}
	unsigned ties = 1; /* a bit a place in k->in */
	for (size_t i = 1, least = 0; i < k->n; i++) {
		int c = cmp(arg, k->in[i], k->in[least]);
		if (c < 0) {
			least = i;
			ties = 0;
		}
		if (c <= 0)
			ties |= 1u << i;
	}
	size_t kept = 0;
	for (size_t i = 0; i < k->n; i++) {
		if (ties >> i & 1)
			k->group[k->n_group++] = k->in[i];
		else
			k->in[kept++] = k->in[i];
	}
	k->n = kept;
	return k->n_group;
}

#endif
