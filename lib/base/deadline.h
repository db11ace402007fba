/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long what the calling thread does now may take. Whoever answers a request sets it; layers far below, which see one
 * operation of many, ask. It is a property of the thread: work handed to another thread doesn't have it.
 *
 *	struct deadline before = deadline_enter((struct deadline){ .until_us = clock_monotonic_us() + 10000000 });
 *	...
 *	deadline_leave(before);
 */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdint.h>

struct deadline {
	int64_t until_us; /* by the monotonic clock: all of it together; 0: no such limit */
	int64_t each_ms; /* each remote operation, its tries counted together; 0: as the retrying layer was told */
};

/* Sets what holds from now on, though no later end than the one that held before, which is returned. */
struct deadline deadline_enter(struct deadline d);
void deadline_leave(struct deadline before);

struct deadline deadline_get(void);

/* Until the end, at least 0; INT64_MAX where there is none. */
int64_t deadline_left_us(void);

#endif
