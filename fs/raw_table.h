/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What .thanosfs/bucket has shown: the names behind its nodes' ids, with sizes and times as they were found, and the blobs of the
 * files that are open. Any thread.
 */
#ifndef FS_RAW_TABLE_H
#define FS_RAW_TABLE_H

#include "store/bucket.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What is known of a node. */
struct raw_info {
	uint64_t id;
	char *name; /* owned; "" is the bucket's root */
	bool is_dir;
	uint64_t size;
	int64_t mtime_ms, found_us;
};
void raw_info_fini(struct raw_info *i);
#define auto_raw_info __attribute__((cleanup(raw_info_fini)))

struct raw_blob {
	_Atomic unsigned refs;
	struct blob *blob;
};
void raw_blob_unref(struct raw_blob *b); /* NULL is fine */

struct raw;

struct raw *raw_new(void);
void raw_free(struct raw *r); /* NULL is fine */

/* Enters or refreshes a node. False: another name has its id, so this one can't be shown; that is in the log. */
bool raw_remember(struct raw *r, const struct raw_info *i);

/* False: the id is not known. */
bool raw_recall(struct raw *r, uint64_t id, struct raw_info *out);

/* Unless it is open. */
void raw_forget(struct raw *r, uint64_t id);

/* The blob of a node, a reference; NULL: it is not open. */
struct raw_blob *raw_blob(struct raw *r, uint64_t id);

/* Makes a blob the node's, unless it has one by now; a reference to the one that it has. Takes `blob`. */
struct raw_blob *raw_blob_opened(struct raw *r, uint64_t id, struct blob *blob);

/* The node's blob goes with its last reference. */
void raw_blob_closed(struct raw *r, uint64_t id);

#endif
