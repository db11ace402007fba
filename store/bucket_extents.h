/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer whose open objects are read through a cache on disk (store/extents.h). Objects that have a descriptor, such as
 * those of a directory, pass through, and so do objects smaller than the cache's min_object_bytes.
 *
 * A read waits for its own bytes only. Ranges announced with blob_will_read, and what lies before a sequential reader,
 * are fetched by the cache's threads; once anything of an open object was announced, nothing more is guessed from its reads.
 * blob_fd of a complete object is the cached file's descriptor: the object is not evicted until that blob is closed; ask only
 * where it is used. It belongs above the retry layer, whose deadline then holds for each fetch.
 */
#ifndef STORE_BUCKET_EXTENTS_H
#define STORE_BUCKET_EXTENTS_H

#include "store/bucket.h"
#include "store/extents.h"

/* Takes `inner`, borrows `x`. Objects are known by inner's name and their own: it must be the same next time. */
struct bucket *bucket_extents_new(struct bucket *inner, struct extents *x);

/* The same where others use `inner` as well, past the cache: it is borrowed. */
struct bucket *bucket_extents_beside(struct bucket *inner, struct extents *x);

#endif
