/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that plays a remote store: reads take time, are counted, can be held up, and objects have no descriptor but a
 * version, which can be pinned.
 */
#ifndef TESTS_BUCKET_SLOW_H
#define TESTS_BUCKET_SLOW_H

#include "store/bucket.h"

/* Takes `inner`. At first without any delay, and without a version. */
struct bucket *bucket_slow_new(struct bucket *inner);

/* Each read takes latency_us, and a second for every bytes_per_s (0: no time). */
void bucket_slow_set(struct bucket *b, int64_t latency_us, uint64_t bytes_per_s);

/* The version that every object has from now on, whenever it was opened; "" for none. */
void bucket_slow_set_version(struct bucket *b, const char *version);

/* With `hold` reads stop where they begin, until it is set to false. */
void bucket_slow_hold(struct bucket *b, bool hold);

/* Waits until this many reads are being held. */
void bucket_slow_await(struct bucket *b, unsigned held);

struct slow_counts {
	unsigned reads, most_at_once;
	uint64_t bytes;
};

/* Since the last call. */
struct slow_counts bucket_slow_counts(struct bucket *b);

#endif
