/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives one source's series back in the order of their edited labels. Series go in in the order of their
 * original ones:
 *
 *	series_order_slot	room to build the next record in
 *	series_order_push	it is complete, but may still be changed until the next slot
 *	series_order_pop	until it gives nothing: what is due
 *	...
 *	series_order_end, series_order_pop
 */
#ifndef DEDUP_SERIES_ORDER_H
#define DEDUP_SERIES_ORDER_H

#include "dedup/series_record.h"

struct series_order;

/*
 * How much may be held back of series that are prefixes of each other; series_order_slot gives -E2BIG past
 * it.
 */
#define SERIES_ORDER_MAX_HELD_BYTES (64u << 20)

/*
 * `sorts`: series may have lost labels or have had some overwritten, so all must be sorted; else they have
 * only gained the same labels, and little is held back. `keep_bytes` is what a sorting one may have in memory
 * after the input's end.
 */
struct series_order *series_order_new(const char *dir, bool sorts, size_t keep_bytes);
void series_order_free(struct series_order *o); /* NULL is fine */

int series_order_slot(struct series_order *o, size_t bytes, struct series_record **out, struct err *e);

/*
 * `common`: how many labels its original ones have in common, at the start, with the ones pushed before;
 * `n_original`: how many original labels it has; `touched`: it has lost a label or had one overwritten.
 */
void series_order_push(struct series_order *o, uint32_t common, uint32_t n_original, bool touched);
int series_order_end(struct series_order *o, struct err *e);

/* 1 with the next series, borrowed until the next call of any function here; 0: none is due. */
int series_order_pop(struct series_order *o, const struct series_record **out, struct err *e);

#endif
