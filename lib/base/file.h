/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes of files, and the ways of replacing one so that a crash leaves the old or the new. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Exactly n bytes, or -errno; -ENODATA where the file ends earlier. */
int file_pread_all(int fd, void *out, size_t n, uint64_t at);
int file_pwrite_all(int fd, const void *p, size_t n, uint64_t at);
int file_write_all(int fd, const void *p, size_t n);

/* Appends the whole file to `out`; -EFBIG past max_bytes. */
int file_read(const char *path, size_t max_bytes, struct buf *out, struct err *e);

/* Writes path.tmp, fsyncs, renames it to path, fsyncs the directory. */
int file_replace(const char *path, const void *p, size_t n, struct err *e);

int file_fsync_dir(const char *path, struct err *e);

/* mkdir -p; the mode is that of every directory made. */
int file_mkdirs(const char *path, unsigned mode, struct err *e);

/* rm -rf; a path that isn't there is fine. Does not follow symbolic links. */
int file_remove_tree(const char *path, struct err *e);

bool file_exists(const char *path);

#endif
