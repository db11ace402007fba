/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all operations on a store together know of it. One that answered nobody for a whole deadline is down: from then on
 * nobody waits for it any more, and a thread of its own asks every `probe_ms` whether it is back. So a process whose threads
 * stand still in page faults, of which it has few, stands still for one deadline at most and not for one after the other.
 *
 * Any answer ends it, "there is no such object" included.
 */
#ifndef STORE_BUCKET_HEALTH_H
#define STORE_BUCKET_HEALTH_H

#include "store/bucket.h"
#include "store/bucket_retry.h"

struct bucket_health;

/* Borrows the bucket, which it asks, and copies the options. It runs no thread where the options have a clock of their own. */
struct bucket_health *bucket_health_new(struct bucket *store, const struct retry_options *options);
void bucket_health_free(struct bucket_health *h); /* ends the thread; NULL is fine */

/* 0, or the error that a store which is down gave last. */
int bucket_health_admits(struct bucket_health *h, const char *name, struct err *e);

/* A try on `name` ("" for a listing) that began then failed with r for a reason that passes. */
void bucket_health_failed(
	struct bucket_health *h, int64_t began_us, const char *name, int r, const struct err *e);
void bucket_health_answered(struct bucket_health *h);

/* Asks the store, if it is down, for what was last in vain. The thread calls it; true: it is not down. */
bool bucket_health_probe(struct bucket_health *h);

#endif
