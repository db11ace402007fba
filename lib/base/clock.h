/* SPDX-License-Identifier: Apache-2.0 */
/* The time. Code that decides by it takes it as a parameter, so that tests need no sleep. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

int64_t clock_unix_ms(void);      /* wall clock */
int64_t clock_monotonic_us(void); /* for measuring and for deadlines */

/* Waits, though at most 20 ms longer than until *stop is true; a NULL `stop` never is. */
void clock_pause_us(int64_t us, const atomic_bool *stop);

#endif
