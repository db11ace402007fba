/* SPDX-License-Identifier: Apache-2.0 */
/* A layer that shows what stands below one "directory" of a bucket as a bucket (`prefix:` in Thanos'
 * configuration). */
#ifndef STORE_BUCKET_PREFIX_H
#define STORE_BUCKET_PREFIX_H

#include "store/bucket.h"

/* Takes `inner`, also when it fails. Slashes around `prefix` don't count; nothing else in it: returns `inner`
 * itself. */
int bucket_prefix_new(struct bucket *inner, const char *prefix, struct bucket **out, struct err *e);

#endif
