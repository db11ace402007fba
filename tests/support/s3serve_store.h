/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test server's objects: files below a directory, a key's parts being directories. What a key can't be here (empty
 * parts, "..", an object below another object) is refused with -EINVAL or -ENOTDIR, though S3 has no such rule.
 *
 * ETag and headers of an object stand in an extended attribute, and hold as long as the file's size and time of
 * modification are those it was written with. For any other file, such as one that a test copied there, the ETag is made
 * from size, time and inode, in a form that nobody takes for an MD5. Directories without a file are as good as not there.
 */
#ifndef TESTS_S3SERVE_STORE_H
#define TESTS_S3SERVE_STORE_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define S3SERVE_ETAG_CHARS 64

struct s3serve_store;

/* Unfinished uploads go to DIR.uploads, which is emptied. */
int s3serve_store_open(const char *dir, struct s3serve_store **out, struct err *e);
void s3serve_store_close(struct s3serve_store *s);
const char *s3serve_store_dir(const struct s3serve_store *s); /* absolute */

bool s3serve_key_is_valid(const char *key);

struct s3serve_object {
	int fd; /* owned by the caller */
	uint64_t size;
	int64_t mtime_seconds;
	char etag[S3SERVE_ETAG_CHARS]; /* without quotes */
};

/* `headers` (may be NULL) gets the "name: value\r\n" lines that the object was stored with. -ENOENT. */
int s3serve_object_open(
	struct s3serve_store *s, const char *key, struct s3serve_object *o, struct buf *headers);

/* The same of what a listing found at an absolute path. */
void s3serve_object_etag(const char *path, const struct stat *st, char etag[S3SERVE_ETAG_CHARS]);

/* A new file to be filled; its name, which is in none of the bucket's directories, is its number. */
int s3serve_upload_new(struct s3serve_store *s, uint64_t *number);
void s3serve_upload_drop(struct s3serve_store *s, uint64_t number);
int s3serve_upload_reopen(struct s3serve_store *s, uint64_t number); /* for reading */

/* Makes the file the object: visible at once. `etag` is replaced by the one it really has. */
int s3serve_upload_commit(struct s3serve_store *s, uint64_t number, int fd, const char *key,
	char etag[S3SERVE_ETAG_CHARS], const char *headers);

/* Removes an object, and the directories it leaves empty. -ENOENT. */
int s3serve_object_remove(struct s3serve_store *s, const char *key);

#endif
