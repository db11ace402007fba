/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket in memory, for tests: the store that everything else is tried on first. */
#ifndef TESTS_BUCKET_MEMORY_H
#define TESTS_BUCKET_MEMORY_H

#include "store/bucket.h"

/* `flat_listing` as in struct bucket: it lets a test play an object store as well as a directory. */
struct bucket *bucket_memory_new(bool flat_listing);

/* Stores text under a name; ends the test where that fails. For any bucket. */
void bucket_put_text(struct bucket *b, const char *name, const char *text);

#endif
