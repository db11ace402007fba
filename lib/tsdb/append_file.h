/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is written from front to back through one large buffer, with the odd length patched in
 * afterwards. What has been written goes to the disk as it comes, so that the fsync at the end finds little
 * left to do.
 */
#ifndef TSDB_APPEND_FILE_H
#define TSDB_APPEND_FILE_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define APPEND_BUFFER_BYTES (512u << 10)

struct append_file {
	int fd; /* -1: not open */
	char *path;
	uint8_t *buf; /* APPEND_BUFFER_BYTES */
	size_t len;
	uint64_t flushed; /* bytes in the file */
	int failed;       /* -errno of a write that failed */
	uint64_t pushed;  /* of these, on their way to the disk; UINT64_MAX: they needn't go there */
};

/* Creates `path`, or empties it. Close it whatever this returns; a zeroed one with fd -1 may be closed too.
 */
int append_file_open(struct append_file *f, const char *path, struct err *e);

/* A file in the directory of `beside` that has no name and goes away with its descriptor. */
int append_file_open_scratch(struct append_file *f, const char *beside, struct err *e);

void append_file_close(struct append_file *f); /* drops what isn't flushed */

static inline uint64_t append_file_at(const struct append_file *f)
{
	return f->flushed + f->len;
}

int append_file_flush(struct append_file *f, struct err *e);

/* Room for n <= APPEND_BUFFER_BYTES bytes, or NULL with the error and f->failed set; then add to f->len what
 * was used. */
static inline uint8_t *append_file_reserve(struct append_file *f, size_t n, struct err *e)
{
	if (APPEND_BUFFER_BYTES - f->len < n && append_file_flush(f, e) < 0)
		return NULL;
	return f->buf + f->len;
}

int append_file_add(struct append_file *f, const void *p, size_t n, struct err *e);

/* Zeros up to a multiple of `align`, a power of two. */
int append_file_align(struct append_file *f, unsigned align, struct err *e);

/* Overwrites bytes that were added before. */
int append_file_patch(struct append_file *f, const void *p, size_t n, uint64_t at, struct err *e);

/* Flushes, and fsyncs unless `pushed` says that the bytes needn't reach the disk. */
int append_file_sync(struct append_file *f, struct err *e);

/* From now on the bytes needn't reach the disk: for what can be made again. */
static inline void append_file_relax(struct append_file *f)
{
	f->pushed = UINT64_MAX;
}

#endif
