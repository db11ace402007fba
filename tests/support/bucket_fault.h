/* SPDX-License-Identifier: Apache-2.0 */
/* A layer that counts operations and lets a test make them fail. */
#ifndef TESTS_BUCKET_FAULT_H
#define TESTS_BUCKET_FAULT_H

#include "store/bucket.h"

#define FAULT_ALWAYS (~0u)

enum fault_op { FAULT_LIST, FAULT_STAT, FAULT_OPEN, FAULT_READ, FAULT_PUT, FAULT_REMOVE, FAULT_OPS };

/* Takes `inner`. */
struct bucket *bucket_fault_new(struct bucket *inner);

/*
 * The next `times` operations of this kind on names that contain `part` fail with `r` (a negative errno),
 * before they reach the inner bucket. A new rule replaces the one of the same kind; times 0 takes it away.
 */
void bucket_fault_set(struct bucket *b, enum fault_op op, const char *part, int r, unsigned times);

/* Like bucket_fault_set, but the operation is done, and only then fails: an answer that was lost. */
void bucket_fault_set_after(struct bucket *b, enum fault_op op, const char *part, int r, unsigned times);

/* Operations of this kind since the last call, those that were made to fail too. */
unsigned bucket_fault_count(struct bucket *b, enum fault_op op);

#endif
