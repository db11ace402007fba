/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int file_pread_all(int fd, void *out, size_t n, uint64_t at)
{
	for (uint8_t *p = out; n;) {
		ssize_t got = pread(fd, p, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ENODATA;
		p += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int file_pwrite_all(int fd, const void *data, size_t n, uint64_t at)
{
	for (const uint8_t *p = data; n;) {
		ssize_t put = pwrite(fd, p, n, (off_t)at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		p += put;
		at += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

int file_write_all(int fd, const void *data, size_t n)
{
	for (const uint8_t *p = data; n;) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

int file_read(const char *path, size_t max_bytes, struct buf *out, struct err *e)
{
	auto_close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, -errno, "opening %s", path);
	size_t start = out->len;
	for (;;) {
		ssize_t got = read(fd, buf_reserve(out, 16384), 16384);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(e, -errno, "reading %s", path);
		if (got == 0)
			return 0;
		out->len += (size_t)got;
		if (out->len - start > max_bytes)
			return err_set(e, -EFBIG, "%s is larger than %zu bytes", path, max_bytes);
	}
}

int file_fsync_dir(const char *path, struct err *e)
{
	auto_close_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_errno(e, -errno, "syncing directory %s", path);
	return 0;
}

int file_replace(const char *path, const void *p, size_t n, struct err *e)
{
	auto_free char *tmp = xasprintf("%s.tmp", path);
	auto_close_fd int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, -errno, "creating %s", tmp);
	int r = file_write_all(fd, p, n);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return err_errno(e, r, "writing %s", path);
	}
	const char *slash = strrchr(path, '/');
	auto_free char *dir =
		slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
	return file_fsync_dir(dir, e);
}

int file_mkdirs(const char *path, unsigned mode, struct err *e)
{
	auto_free char *copy = xstrdup(path);
	for (char *p = copy + 1; *copy; p++) {
		if (*p && *p != '/')
			continue;
		char was = *p;
		*p = 0;
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return err_errno(e, -errno, "creating directory %s", copy);
		if (!was)
			break;
		*p = was;
	}
	struct stat st;
	if (stat(path, &st) < 0)
		return err_errno(e, -errno, "creating directory %s", path);
	return S_ISDIR(st.st_mode) ? 0 : err_set(e, -ENOTDIR, "%s is not a directory", path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int file_remove_tree(const char *path, struct err *e)
{
	if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		return err_errno(e, -errno, "removing %s", path);
	return 0;
}

bool file_exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}
