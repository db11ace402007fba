/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/append_file.h"

#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PUSH_BYTES (8u << 20) /* written back at a time */

int append_file_open(struct append_file *f, const char *path, struct err *e)
{
	*f = (struct append_file){ .fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) };
	if (f->fd < 0)
		return err_errno(e, -errno, "creating %s", path);
	f->path = xstrdup(path);
	f->buf = xmalloc(APPEND_BUFFER_BYTES);
	return 0;
}

/* Where the filesystem can't make a file without a name, one with a name loses it at once. */
static int open_nameless(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	auto_free char *name = xasprintf("%s/scratch.XXXXXX", dir);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(name);
	return fd;
}

int append_file_open_scratch(struct append_file *f, const char *beside, struct err *e)
{
	const char *slash = strrchr(beside, '/');
	auto_free char *dir =
		slash ? xstrndup(beside, slash == beside ? 1 : (size_t)(slash - beside)) : xstrdup(".");
	*f = (struct append_file){ .fd = open_nameless(dir), .pushed = UINT64_MAX };
	if (f->fd < 0) {
		int r = f->fd;
		f->fd = -1;
		return err_errno(e, r, "creating a scratch file in %s", dir);
	}
	f->path = xasprintf("a scratch file in %s", dir);
	f->buf = xmalloc(APPEND_BUFFER_BYTES);
	return 0;
}

void append_file_close(struct append_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f->buf);
	*f = (struct append_file){ .fd = -1 };
}

static int write_out(struct append_file *f, const void *p, size_t n, struct err *e)
{
	int r = file_pwrite_all(f->fd, p, n, f->flushed);
	if (r < 0)
		return f->failed = err_errno(e, r, "writing %s", f->path);
	f->flushed += n;
	if (f->pushed != UINT64_MAX && f->flushed - f->pushed >= PUSH_BYTES) {
		/* Only a hint: where it fails, the fsync says so. */
		sync_file_range(
			f->fd, (off_t)f->pushed, (off_t)(f->flushed - f->pushed), SYNC_FILE_RANGE_WRITE);
		f->pushed = f->flushed;
	}
	return 0;
}

int append_file_flush(struct append_file *f, struct err *e)
{
	int r = f->len ? write_out(f, f->buf, f->len, e) : 0;
	if (r == 0)
		f->len = 0;
	return r;
}

int append_file_add(struct append_file *f, const void *p, size_t n, struct err *e)
{
	if (n >= APPEND_BUFFER_BYTES) {
		int r = append_file_flush(f, e);
		return r < 0 ? r : write_out(f, p, n, e);
	}
	uint8_t *to = append_file_reserve(f, n, e);
	if (!to)
		return f->failed;
	if (n)
		memcpy(to, p, n);
	f->len += n;
	return 0;
}

int append_file_align(struct append_file *f, unsigned align, struct err *e)
{
	static const uint8_t zeros[64];
	return append_file_add(f, zeros, -append_file_at(f) & (align - 1), e);
}

int append_file_patch(struct append_file *f, const void *p, size_t n, uint64_t at, struct err *e)
{
	int r = append_file_flush(f, e);
	if (r == 0) {
		r = file_pwrite_all(f->fd, p, n, at);
		if (r < 0)
			err_errno(e, r, "writing %s", f->path);
	}
	return r;
}

int append_file_sync(struct append_file *f, struct err *e)
{
	int r = append_file_flush(f, e);
	if (r == 0 && f->pushed != UINT64_MAX && fsync(f->fd) < 0)
		r = err_errno(e, -errno, "syncing %s", f->path);
	return r;
}
