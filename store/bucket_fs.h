/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket that is a local directory (Thanos' type FILESYSTEM): an object's name is its path below it.
 *
 * Symbolic links are followed. An empty directory is listed; what is neither a regular file nor a directory
 * isn't. A root that doesn't exist is -ENOENT, for it is more likely a disk that isn't mounted than a bucket
 * with nothing in it.
 */
#ifndef STORE_BUCKET_FS_H
#define STORE_BUCKET_FS_H

#include "store/bucket.h"

/* A relative `directory` is taken from where the process is now. Nothing needs to be there yet. */
int bucket_fs_new(const char *directory, struct bucket **out, struct err *e);

#endif
