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

struct blob;

struct blob_ops {
	/*
	 * Reads exactly n bytes at offset `at`, which the caller has checked to lie inside `size`. 0, or -errno
	 * with the object named in `e`. Called from any thread, several at once.
	 */
	int (*read)(struct blob *b, void *out, size_t n, uint64_t at, struct err *e);
	/* A descriptor the same bytes can be read from (pread, splice, mmap), borrowed; NULL or -1: there is none. */
	int (*fd)(struct blob *b);
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
void blob_close(struct blob *b); /* NULL is fine */
DEFINE_AUTO(blob, struct blob *, blob_close)

/* A local file, opened read-only. */
int blob_open_file(const char *path, struct blob **out, struct err *e);

/* A copy of memory. */
struct blob *blob_of_memory(const char *name, const void *p, size_t n);

#endif
