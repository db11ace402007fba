/* SPDX-License-Identifier: Apache-2.0 */
/* Writers rename a complete file into place; a directory that a deletion takes away under a writer is made again. */
#include "tests/support/s3serve_store.h"

#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ATTRIBUTE "user.s3serve"

struct s3serve_store {
	char *dir, *uploads;
	int fd, uploads_fd;
	atomic_ullong next;
};

int s3serve_store_open(const char *dir, struct s3serve_store **out, struct err *e)
{
	int r = file_mkdirs(dir, 0755, e);
	if (r < 0)
		return r;
	struct s3serve_store *s = xcalloc(1, sizeof *s);
	s->dir = realpath(dir, NULL);
	s->uploads = xasprintf("%s.uploads", s->dir ? s->dir : dir);
	s->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->uploads_fd = -1;
	r = s->dir && s->fd >= 0 ? file_remove_tree(s->uploads, e) : err_errno(e, -errno, "opening %s", dir);
	if (r == 0)
		r = file_mkdirs(s->uploads, 0755, e);
	if (r == 0 && (s->uploads_fd = open(s->uploads, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = err_errno(e, -errno, "opening %s", s->uploads);
	if (r < 0) {
		s3serve_store_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void s3serve_store_close(struct s3serve_store *s)
{
	if (!s)
		return;
	if (s->uploads_fd >= 0) {
		close(s->uploads_fd);
		file_remove_tree(s->uploads, NULL);
	}
	if (s->fd >= 0)
		close(s->fd);
	free(s->dir);
	free(s->uploads);
	free(s);
}

const char *s3serve_store_dir(const struct s3serve_store *s)
{
	return s->dir;
}

bool s3serve_key_is_valid(const char *key)
{
	if (strlen(key) > 1024)
		return false;
	for (;;) {
		size_t n = strcspn(key, "/");
		if (n == 0 || n > 255 || !strncmp(key, ".", n) || (n == 2 && !strncmp(key, "..", 2)))
			return false;
		if (!key[n])
			return true;
		key += n + 1;
	}
}

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* "SIZE MTIME_NS ETAG\n" and the headers; n: the attribute's length, or less than 0. Gives what follows the line. */
static const char *read_attribute(char *text, ssize_t n, const struct stat *st, char etag[S3SERVE_ETAG_CHARS])
{
	uint64_t size;
	int64_t at;
	int end = 0;
	text[n > 0 ? n : 0] = 0;
	if (n > 0 && sscanf(text, "%" SCNu64 " %" SCNd64 " %63s%n", &size, &at, etag, &end) == 3 &&
		size == (uint64_t)st->st_size && at == mtime_ns(st) && text[end] == '\n')
		return text + end + 1;
	snprintf(etag, S3SERVE_ETAG_CHARS, "%" PRIx64 "-%" PRIx64 "-%" PRIx64, (uint64_t)st->st_ino,
		(uint64_t)mtime_ns(st), (uint64_t)st->st_size);
	return "";
}

void s3serve_object_etag(const char *path, const struct stat *st, char etag[S3SERVE_ETAG_CHARS])
{
	char text[4096];
	read_attribute(text, getxattr(path, ATTRIBUTE, text, sizeof text - 1), st, etag);
}

int s3serve_object_open(
	struct s3serve_store *s, const char *key, struct s3serve_object *o, struct buf *headers)
{
	struct stat st;
	if (!s3serve_key_is_valid(key))
		return -ENOENT;
	o->fd = openat(s->fd, key, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (o->fd < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (fstat(o->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(o->fd);
		return -ENOENT;
	}
	char text[4096];
	const char *stored =
		read_attribute(text, fgetxattr(o->fd, ATTRIBUTE, text, sizeof text - 1), &st, o->etag);
	if (headers)
		buf_add_str(headers, stored);
	o->size = (uint64_t)st.st_size;
	o->mtime_seconds = st.st_mtim.tv_sec;
	return 0;
}

static void upload_name(uint64_t number, char name[24])
{
	snprintf(name, 24, "%" PRIu64, number);
}

int s3serve_upload_new(struct s3serve_store *s, uint64_t *number)
{
	char name[24];
	*number = s->next++;
	upload_name(*number, name);
	int fd = openat(s->uploads_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

void s3serve_upload_drop(struct s3serve_store *s, uint64_t number)
{
	char name[24];
	upload_name(number, name);
	unlinkat(s->uploads_fd, name, 0);
}

int s3serve_upload_reopen(struct s3serve_store *s, uint64_t number)
{
	char name[24];
	upload_name(number, name);
	int fd = openat(s->uploads_fd, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int make_parents(struct s3serve_store *s, const char *key)
{
	char path[1025];
	snprintf(path, sizeof path, "%s", key);
	for (char *slash = path; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		if (mkdirat(s->fd, path, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int s3serve_upload_commit(struct s3serve_store *s, uint64_t number, int fd, const char *key,
	char etag[S3SERVE_ETAG_CHARS], const char *headers)
{
	struct stat st;
	char name[24];
	if (!s3serve_key_is_valid(key))
		return -EINVAL;
	upload_name(number, name);
	if (fstat(fd, &st) < 0)
		return -errno;
	auto_buf struct buf text = { 0 };
	buf_printf(
		&text, "%" PRIu64 " %" PRId64 " %s\n%s", (uint64_t)st.st_size, mtime_ns(&st), etag, headers);
	if (text.len > 4000 || fsetxattr(fd, ATTRIBUTE, text.data, text.len, 0) < 0)
		read_attribute((char[8]){ 0 }, -1, &st, etag);
	for (int i = 0; i < 100; i++) {
		int r = make_parents(s, key);
		if (r < 0 && r != -ENOENT)
			return r;
		if (renameat(s->uploads_fd, name, s->fd, key) == 0)
			return 0;
		if (errno != ENOENT)
			return -errno;
	}
	return -ENOENT;
}

int s3serve_object_remove(struct s3serve_store *s, const char *key)
{
	char path[1025];
	if (!s3serve_key_is_valid(key))
		return -ENOENT;
	if (unlinkat(s->fd, key, 0) < 0)
		return errno == ENOTDIR || errno == EISDIR ? -ENOENT : -errno;
	snprintf(path, sizeof path, "%s", key);
	for (char *slash; (slash = strrchr(path, '/'));) {
		*slash = 0;
		if (unlinkat(s->fd, path, AT_REMOVEDIR) < 0)
			break;
	}
	return 0;
}
