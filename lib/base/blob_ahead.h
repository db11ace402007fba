/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a blob that is far away from front to back: parts ahead of the reader are fetched in parallel, and so are the blob's
 * last bytes, where many formats keep their table of contents. What was passed is not kept.
 */
#ifndef BASE_BLOB_AHEAD_H
#define BASE_BLOB_AHEAD_H

#include "lib/base/blob.h"

struct blob_ahead_options {
	size_t part_bytes; /* fetched at once */
	unsigned parts;    /* held at most, the one that is read among them */
	unsigned threads;  /* that fetch */
};

/*
 * Takes `inner`; fetching begins at once. Reads that go back, or past all parts that are held, are served too, but a read
 * that goes forward is what is followed. Errors are those of the inner blob, for the read that meets them; a later read
 * tries again.
 */
struct blob *blob_ahead_new(struct blob *inner, const struct blob_ahead_options *options);

#endif
