/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory one request may use. Allocation never fails for it: what is taken is counted, and that it was too much is a state
 * that sticks, which whoever takes in a loop asks for once a turn. So a request overdraws by one turn at most, and code that
 * allocates stays flat.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
	uint64_t limit; /* bytes; 0: none */
	_Atomic uint64_t used, peak;
	atomic_bool is_exceeded; /* for good */
};

static inline void budget_take(struct budget *b, uint64_t bytes)
{
	if (!b)
		return;
	uint64_t used = atomic_fetch_add_explicit(&b->used, bytes, memory_order_relaxed) + bytes;
	uint64_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);
	while (used > peak && !atomic_compare_exchange_weak_explicit(
				      &b->peak, &peak, used, memory_order_relaxed, memory_order_relaxed))
		;
	if (b->limit && used > b->limit)
		atomic_store_explicit(&b->is_exceeded, true, memory_order_relaxed);
}

static inline void budget_give(struct budget *b, uint64_t bytes)
{
	if (b)
		atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
}

static inline bool budget_is_exceeded(const struct budget *b)
{
	return b && atomic_load_explicit(&b->is_exceeded, memory_order_relaxed);
}

#endif
