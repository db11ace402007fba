/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that plays a bucket far away with a cache of ranges before it: segments have no descriptor, each request takes one
 * round trip however much it asks for, any number of requests go at once, and what was fetched stays. The time is the
 * layer's own, counted in round trips, so that how many of them a reader waited for one after the other can be read off it;
 * or it is real.
 */
#ifndef TESTS_BUCKET_FAR_H
#define TESTS_BUCKET_FAR_H

#include "store/bucket.h"

/* Takes `inner`. The cache fetches whole granules. round_trip_us 0: the time is the layer's own. */
struct bucket *bucket_far_new(struct bucket *inner, uint32_t granule, int64_t round_trip_us);

/* The layer's own time, in round trips. A test that plays several threads sets it for each. */
int64_t bucket_far_now(struct bucket *b);
void bucket_far_set_now(struct bucket *b, int64_t now);

struct far_counts {
	uint64_t fetched_bytes; /* of granules */
	uint64_t read_bytes;    /* that readers asked for */
	uint64_t waits;         /* reads that had to wait */
	uint64_t unannounced;   /* of these, for bytes nobody had announced */
	uint64_t endless;       /* reads by threads without a deadline */
};

/* Since the last call. */
struct far_counts bucket_far_counts(struct bucket *b);

/* Forgets what was fetched. */
void bucket_far_forget(struct bucket *b);

#endif
