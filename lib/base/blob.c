/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/blob.h"

#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int blob_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	if (at > b->size || n > b->size - at)
		return err_set(e, -EBADMSG, "%s: bytes %llu to %llu lie outside its %llu bytes", b->name,
			(unsigned long long)at, (unsigned long long)(at + n), (unsigned long long)b->size);
	return n ? b->ops->read(b, out, n, at, e) : 0;
}

int blob_read_buf(struct blob *b, struct buf *out, size_t n, uint64_t at, struct err *e)
{
	if (at >= b->size)
		return 0;
	n = MIN_OF(n, b->size - at);
	int r = blob_read(b, buf_reserve(out, n), n, at, e);
	if (r == 0)
		out->len += n;
	return r;
}

int blob_fd(struct blob *b)
{
	return b->ops->fd ? b->ops->fd(b) : -1;
}

void blob_will_read(struct blob *b, uint64_t at, uint64_t n)
{
	if (b->ops->will_read && at < b->size && n > 0)
		b->ops->will_read(b, at, MIN_OF(n, b->size - at));
}

void blob_version(struct blob *b, char out[BLOB_VERSION_BYTES])
{
	out[0] = 0;
	if (b->ops->version)
		b->ops->version(b, out);
}

void blob_pin(struct blob *b, const char *version)
{
	if (b->ops->pin && *version)
		b->ops->pin(b, version);
}

void blob_forget(struct blob *b, uint64_t at, uint64_t n)
{
	if (b->ops->forget && at < b->size && n > 0)
		b->ops->forget(b, at, MIN_OF(n, b->size - at));
}

void blob_close(struct blob *b)
{
	if (b) {
		free(b->name);
		b->ops->close(b);
	}
}

struct file_blob {
	struct blob base;
	int fd;
};

static int file_blob_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	int r = file_pread_all(((struct file_blob *)b)->fd, out, n, at);
	return r < 0 ? err_errno(e, r, "reading %s", b->name) : 0;
}

static int file_blob_fd(struct blob *b)
{
	return ((struct file_blob *)b)->fd;
}

static void file_blob_close(struct blob *b)
{
	close(((struct file_blob *)b)->fd);
	free(b);
}

int blob_open_file(const char *path, struct blob **out, struct err *e)
{
	static const struct blob_ops ops = {
		.read = file_blob_read, .fd = file_blob_fd, .close = file_blob_close
	};
	auto_close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, -errno, "opening %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is not a regular file", path);
	struct file_blob *f = xcalloc(1, sizeof *f);
	f->base = (struct blob){ .ops = &ops, .size = (uint64_t)st.st_size, .name = xstrdup(path) };
	f->fd = fd;
	fd = -1;
	*out = &f->base;
	return 0;
}

struct memory_blob {
	struct blob base;
	uint8_t bytes[];
};

static int memory_read(struct blob *b, void *out, size_t n, uint64_t at, struct err *e)
{
	(void)e;
	memcpy(out, ((struct memory_blob *)b)->bytes + at, n);
	return 0;
}

static void memory_close(struct blob *b)
{
	free(b);
}

struct blob *blob_of_memory(const char *name, const void *p, size_t n)
{
	static const struct blob_ops ops = { .read = memory_read, .close = memory_close };
	struct memory_blob *m = xmalloc(sizeof *m + n);
	m->base = (struct blob){ .ops = &ops, .size = n, .name = xstrdup(name) };
	if (n)
		memcpy(m->bytes, p, n);
	return &m->base;
}
