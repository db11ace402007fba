/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merged blocks that a program on the mount has removed. They are gone for it, here; the bucket is not
 * touched. A whiteout outlives the mount and ends when the block is no longer published.
 *
 *	present --rename to X.tmp-for-deletion--> pending --rmdir--> gone
 *	   \____________________________________rmdir_______________/
 *
 * While present or pending, single files may be removed too.
 */
#ifndef FS_WHITEOUT_H
#define FS_WHITEOUT_H

#include "lib/base/err.h"
#include "lib/base/ulid.h"

#include <stdbool.h>
#include <stddef.h>

#define WHITEOUT_SUFFIX ".tmp-for-deletion" /* what Prometheus appends before it removes a block */

enum whiteout_state { WHITEOUT_NONE, WHITEOUT_PENDING, WHITEOUT_GONE };

struct whiteouts;

/* `path` is the file they are kept in. */
int whiteouts_open(const char *path, struct whiteouts **out, struct err *e);
void whiteouts_close(struct whiteouts *w); /* NULL is fine */

enum whiteout_state whiteouts_state(struct whiteouts *w, const struct ulid *u);
bool whiteouts_has_removed(struct whiteouts *w, const struct ulid *u, unsigned place);

/* 0, or -errno where it could not be written; the state is unchanged then. The first two are durable on
 * return. */
int whiteouts_set_pending(struct whiteouts *w, const struct ulid *u);
int whiteouts_set_gone(struct whiteouts *w, const struct ulid *u);
int whiteouts_remove_place(struct whiteouts *w, const struct ulid *u, unsigned place);

/* Ends those of blocks that is_published denies. */
void whiteouts_retain(struct whiteouts *w, bool (*is_published)(void *arg, const struct ulid *u), void *arg);

/* Calls fn with copies of the ULIDs of the blocks that are pending. */
void whiteouts_each_pending(struct whiteouts *w, void (*fn)(void *arg, const struct ulid *u), void *arg);

/* Blocks that are not present under their own name. */
size_t whiteouts_hidden(struct whiteouts *w);

#endif
