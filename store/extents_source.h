/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of the inner bucket as the cache reads them: open once for all who need it, and always in the version that is cached. */
#ifndef STORE_EXTENTS_SOURCE_H
#define STORE_EXTENTS_SOURCE_H

#include "lib/base/blob.h"
#include "store/extents_state.h"

/* An open object of the inner bucket, shared by its blob and the fetches it began. */
struct extents_source {
	struct blob *inner;
	struct extents_object *o; /* borrowed: who holds a source holds the object too */
	unsigned refs;            /* under the lock, as *open is */
	unsigned *open;           /* sources of this bucket that are not closed */
};

/* Takes `inner`. */
struct extents_source *extents_source_new(
	struct extents *x, struct extents_object *o, struct blob *inner, unsigned *open);
void extents_source_unref(struct extents *x, struct extents_source *s);

/* Reads from the store; -EBADMSG where the object is no longer the one that is cached. */
int extents_source_read(
	struct extents *x, struct extents_source *s, void *out, size_t n, uint64_t at, struct err *e);

#endif
