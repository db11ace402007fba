/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that makes a bucket as bad as a plan says (store/fault_plan.h): it loses, cuts short, delays and falsifies
 * answers, and goes away for a while. For finding out how the rest bears it. Whether an operation fails depends on the
 * seed, its kind, object and offset, and how often the same was asked for before: not on time, nor on other threads.
 *
 * What it opens has no descriptor, so that every read passes through here.
 */
#ifndef STORE_BUCKET_FAULTS_H
#define STORE_BUCKET_FAULTS_H

#include "store/bucket.h"
#include "store/fault_plan.h"

#include <stdatomic.h>

struct faults_options {
	struct fault_plan plan;
	const atomic_bool *stop; /* true ends every delay; borrowed, may be NULL */
	/* Time, for tests: NULL takes the monotonic clock, and sleeps. */
	int64_t (*now_us)(void *arg);
	void (*pause_us)(void *arg, int64_t us);
	void *arg;
};

/* Takes `inner`. */
struct bucket *bucket_faults_new(struct bucket *inner, const struct faults_options *options);

/* False: from now on everything is passed on as it is. At first it is true. */
void bucket_faults_enable(struct bucket *b, bool on);

/* Faults so far, delays not counted. */
uint64_t bucket_faults_count(const struct bucket *b);

#endif
