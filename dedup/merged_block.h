/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A merged block as the mount shows it: a directory of immutable files. Reference counted; what is on disk
 * and in the bucket is opened at the first use of a file and let go when nobody has it open.
 */
#ifndef DEDUP_MERGED_BLOCK_H
#define DEDUP_MERGED_BLOCK_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/ulid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merged_block;

struct merged_block *merged_block_ref(struct merged_block *b);
void merged_block_unref(struct merged_block *b); /* NULL is fine */

const struct ulid *merged_block_ulid(const struct merged_block *b);
int64_t merged_block_mtime_ms(const struct merged_block *b);

/* Text of the extended attributes user.thanosfs.{sources,resolution,labels}; appended to out. -ENODATA: no
 * such name. */
int merged_block_xattr(struct merged_block *b, const char *name, struct buf *out);

struct merged_file {
	const char *name; /* "meta.json", "index"; "000001" ... in the directory chunks */
	bool in_chunks;
	uint64_t size;    /* bytes */
	uint64_t on_disk; /* bytes it takes locally or in the bucket, for st_blocks */
};

/* All files, in a fixed order: a file's place in it is its number. Borrowed from the block. */
int merged_block_files(struct merged_block *b, const struct merged_file **files, size_t *n, struct err *e);

/*
 * A byte range of a file, either at `fd_at` of descriptor `fd`, or appended to a buffer (fd is -1). The
 * descriptor is valid until merged_block_range_done.
 */
struct merged_range {
	int fd;
	uint64_t fd_at;
	size_t n;        /* bytes: as asked for, cut at the file's end */
	bool incomplete; /* zeros stand where bytes could not be had: drop the pages later, so that a new read
			    tries again */
};

/* Never fails: once a block is published there is no error on any of its pages, only zeros, counted and
 * logged. */
void merged_block_read(struct merged_block *b, size_t file, uint64_t at, size_t n, struct buf *out,
	struct merged_range *range);
void merged_block_range_done(struct merged_block *b, size_t file, struct merged_range *range);

/*
 * Says that a file was opened and closed through the mount: sources of an open file stay open, so that it
 * goes on working when its source blocks are deleted from the bucket.
 */
void merged_block_file_opened(struct merged_block *b, size_t file);
void merged_block_file_closed(struct merged_block *b, size_t file);

#endif
