/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A merged block as the mount shows it: a directory of immutable files. Reference counted; what is on disk
 * and in the bucket is opened at the first use of a file and let go when nobody has it open.
 */
#ifndef DEDUP_MERGED_BLOCK_H
#define DEDUP_MERGED_BLOCK_H

#include "dedup/source.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/ulid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block_state;
struct made_slots;
struct prefetch;
struct slot_overrides;
struct merged_block;

struct merged_block *merged_block_ref(struct merged_block *b);
void merged_block_unref(struct merged_block *b); /* NULL is fine */

const struct ulid *merged_block_ulid(const struct merged_block *b);
int64_t merged_block_mtime_ms(const struct merged_block *b);

/* Text of the extended attributes user.thanosfs.{sources,resolution,labels}; appended to out. -ENODATA: no
 * such name. */
int merged_block_xattr(struct merged_block *b, const char *name, struct buf *out);

struct merged_file {
	const char *name; /* "meta.json", "tombstones", "index"; "000001" ... in the directory chunks */
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

	/* The block's own. */
	bool is_held;
	struct made_slots *hold;
};

/*
 * Never fails: once a block is published there is no error on any of its pages, only zeros, counted and logged. What
 * can't be had by the read's deadline is zeros, and what could be had until then is kept for the next read.
 */
void merged_block_read(struct merged_block *b, size_t file, uint64_t at, size_t n, struct buf *out,
	struct merged_range *range);
void merged_block_range_done(struct merged_block *b, size_t file, struct merged_range *range);

/*
 * A descriptor, the caller's, of a local file that has all of the file's bytes and keeps them as long as anybody has it open;
 * -EOPNOTSUPP: there is no such file.
 */
int merged_block_whole_file(struct merged_block *b, size_t file);

/*
 * Says that a file was opened and closed through the mount: sources of an open file stay open, so that it
 * goes on working when its source blocks are deleted from the bucket.
 */
void merged_block_file_opened(struct merged_block *b, size_t file);
void merged_block_file_closed(struct merged_block *b, size_t file);

/* When slots were found too small, by the monotonic clock; 0: none since the last sync that took it up. */
struct news {
	_Atomic int64_t first_us, last_us;
};

/* What all blocks of a view share. */
struct merged_block_env {
	struct bucket *bucket;
	enum dedup_func func;
	struct slot_overrides *overrides; /* learns which slots turned out too small */
	struct news *news;                /* hears of it */
	int64_t read_deadline_ms;         /* of one merged_block_read, whatever it takes; 0: none */
	struct prefetch *prefetch;        /* hears of every read of chunks; NULL: nothing is read ahead */
};

/*
 * The block in local directory `dir`, which a merge of `sources` filled (dedup/block_build.h). Borrows env,
 * which must outlive the block; takes references to the sources.
 */
struct merged_block *merged_block_new(const struct merged_block_env *env, const char *dir,
	const struct ulid *ulid, int64_t min_time, int64_t max_time, struct catalogue_block *const *sources,
	size_t n);

/*
 * The same of which only the local directory is known: which sources it has, and as much of each as reading takes, is read
 * when first needed.
 */
struct merged_block *merged_block_of_disk(const struct merged_block_env *env, const char *dir,
	const struct ulid *ulid, int64_t min_time, int64_t max_time);

/* Gives a block that was made of its directory alone its sources as the listing has them, in the same order. */
void merged_block_learn_sources(struct merged_block *b, struct catalogue_block *const *sources, size_t n);

const char *merged_block_dir(const struct merged_block *b);
int64_t merged_block_min_time(const struct merged_block *b);
int64_t merged_block_max_time(const struct merged_block *b);

/* Borrowed from the block. 0 where they are to be read from the local files, and these are damaged. */
size_t merged_block_sources(struct merged_block *b, struct catalogue_block *const **sources);

/* What the merge counted; NULL where the local files are gone. Borrowed from the block. */
const struct block_state *merged_block_state(struct merged_block *b, struct err *e);

/* Whether any file is open through the mount or being read. */
bool merged_block_is_open(const struct merged_block *b);

/* Lets go of what is loaded unless a file is open or was used since `before_us`. Saves made slots. */
void merged_block_rest(struct merged_block *b, int64_t before_us);

/* Calls fn for each synthetic segment that is on disk: its bytes there and its last use. For the cache's
 * limit. */
void merged_block_each_made(struct merged_block *b,
	void (*fn)(void *arg, struct merged_block *b, uint32_t segment, uint64_t disk_bytes, int64_t used_us),
	void *arg);

/* Starts the segment's made slots from nothing: frees their disk space once nobody reads them. */
void merged_block_discard_made(struct merged_block *b, uint32_t segment);

#endif
