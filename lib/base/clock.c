/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

#include "lib/base/mem.h"

#include <stdbool.h>
#include <time.h>

#define SLICE_US 20000 /* how long a pause may overlook that it is to end */

int64_t clock_unix_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool is_set(const atomic_bool *flag)
{
	return flag && atomic_load_explicit(flag, memory_order_relaxed);
}

void clock_pause_us(int64_t us, const atomic_bool *stop)
{
	for (; us > 0 && !is_set(stop); us -= SLICE_US) {
		struct timespec ts = { .tv_nsec = MIN_OF(us, SLICE_US) * 1000 };
		nanosleep(&ts, NULL);
	}
}
