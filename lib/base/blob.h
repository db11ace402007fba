/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that can be read at any offset and never change: a local file, memory, an object of a bucket. What lets the
 * format readers in lib/tsdb/ stream from a bucket they know nothing of.
 */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <stdint.h>
#include <sys/types.h>

#define BLOB_VERSION_BYTES 128

struct blob;

struct blob_ops {
	/*
	 * Reads exactly n bytes at offset `at`, which the caller has checked to lie inside `size`. 0, or -errno
	 * with the object named in `e`. Called from any thread, several at once.
	 */
	int (*read)(struct blob *b, void *out, size_t n, uint64_t at, struct err *e);
	/* A descriptor the same bytes can be read from (pread, splice, mmap), borrowed; NULL or -1: there is none. */
	int (*fd)(struct blob *b);
	/* Said of bytes that will be read soon, so that they can be fetched ahead: never waits. NULL: of no use, as they are
	   at hand. A layer that only passes it on has it where what it wraps has it. */
	void (*will_read)(struct blob *b, uint64_t at, uint64_t n);
	/* What tells this content from another that had or will have the same name, such as an ETag; "" while that is
	 * not known, and at most before the first read. NULL: never known. */
	void (*version)(struct blob *b, char out[BLOB_VERSION_BYTES]);
	/* From now on reads of any other version fail with -EBADMSG. NULL: not needed. */
	void (*pin)(struct blob *b, const char *version);
	/* Said of bytes that were read and turned out wrong: what is kept of them nearby is to be fetched again. NULL:
	 * nothing is kept. */
	void (*forget)(struct blob *b, uint64_t at, uint64_t n);
	void (*close)(struct blob *b);
};

struct blob {
	const struct blob_ops *ops;
	uint64_t size; /* bytes */
	char *name;    /* for messages; owned */
};

/* Reads exactly n bytes; -EBADMSG where the range leaves the blob. */
int blob_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e);

/* Appends up to `n` bytes at `at` to `out`, fewer only at the blob's end. */
int blob_read_buf(struct blob *b, struct buf *out, size_t n, uint64_t at, struct err *e);

int blob_fd(struct blob *b);
void blob_will_read(struct blob *b, uint64_t at, uint64_t n); /* cut to the blob's size */
void blob_version(struct blob *b, char out[BLOB_VERSION_BYTES]);
void blob_pin(struct blob *b, const char *version); /* "" does nothing */
void blob_forget(struct blob *b, uint64_t at, uint64_t n);
void blob_close(struct blob *b); /* NULL is fine */
DEFINE_AUTO(blob, struct blob *, blob_close)

/* A local file, opened read-only. */
int blob_open_file(const char *path, struct blob **out, struct err *e);

/* A copy of memory. */
struct blob *blob_of_memory(const char *name, const void *p, size_t n);

#endif
