/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches what is sorted: the first i of 0 ... n - 1 for which the expression `is_before`, in which i stands for the place, is
 * false, or n where there is none. It must be true of all places before that one and false of all behind it.
 *
 *	size_t at = lower_bound(i, list->len, list->data[i].time < t);
 */
#ifndef BASE_SORTED_H
#define BASE_SORTED_H

#include <stddef.h>

#define lower_bound(i, n, is_before)                                            \
	({                                                                      \
		size_t bound_low_ = 0, bound_high_ = (n);                       \
		while (bound_low_ < bound_high_) {                              \
			size_t i = bound_low_ + (bound_high_ - bound_low_) / 2; \
			if (is_before)                                          \
				bound_low_ = i + 1;                             \
			else                                                    \
				bound_high_ = i;                                \
		}                                                               \
		bound_low_;                                                     \
	})

#endif
