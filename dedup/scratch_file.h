/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that have no name: what doesn't fit into memory while blocks are merged. They vanish with their
 * descriptor.
 */
#ifndef DEDUP_SCRATCH_FILE_H
#define DEDUP_SCRATCH_FILE_H

#include "lib/base/err.h"

#include <stddef.h>

/* An empty file on the file system of directory `dir`. */
int scratch_file_open(const char *dir, int *fd, struct err *e);

/*
 * `bytes` zero bytes of such a file, mapped shared: the kernel may write them out when memory is short. The
 * space on disk is taken at once, so that a full disk is an error here and not a signal later. munmap it.
 */
int scratch_file_map(const char *dir, size_t bytes, void **out, struct err *e);

#endif
