/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that tries again what failed for a reason that passes, with growing, jittered pauses, until a
 * deadline; a store that asks to be left alone for a while is. Reads of what it opened are tried again too. A
 * listing is, as long as nothing of it was delivered: after that it's the caller who knows how to begin again.
 *
 * The deadline is an operation's own, cut by the calling thread's (lib/base/deadline.h): an operation for which no
 * time is left fails with -ETIMEDOUT and isn't begun.
 *
 * A store that is down (bucket_health.h) is not tried: what it said last is the answer at once. Threads with an `each_ms` of
 * their own go on trying instead.
 */
#ifndef STORE_BUCKET_RETRY_H
#define STORE_BUCKET_RETRY_H

#include "store/bucket.h"

#include <stdatomic.h>

struct retry_options {
	int64_t deadline_ms;      /* an operation that failed for this long gives up; 0: never tries again */
	int64_t first_pause_ms;   /* doubled after each try ... */
	int64_t longest_pause_ms; /* ... up to this; each is cut by a random part of its half */
	int64_t probe_ms; /* between two questions to a store that is down; 0: it is never taken for down */
	const atomic_bool
		*stop; /* true ends every pause at once, with the last error; borrowed, may be NULL */
	/* Time, for tests: NULL takes the monotonic clock, and sleeps. */
	int64_t (*now_us)(void *arg);
	void (*pause_us)(void *arg, int64_t us);
	void *arg;
};

#define RETRY_DEFAULTS                                                                                \
	{                                                                                             \
		.deadline_ms = 10000, .first_pause_ms = 50, .longest_pause_ms = 2000, .probe_ms = 500 \
	}

/* Takes `inner`. */
struct bucket *bucket_retry_new(struct bucket *inner, const struct retry_options *options);

/* The errors that pass by themselves: timeouts, lost connections, too much load. `r` is negative. */
bool bucket_error_is_transient(int r);

#endif
