/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on the files of the upper directory and on attributes. The kernel's page cache stands before all
 * of it; a write that returned is in the backing file, an fsync that returned is on its disk.
 */
#include "fs/upper.h"

#include "fs/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define COPY_MAX_BYTES  (64u << 20) /* of one request: the reply must not take too long */
#define XATTR_MAX_BYTES 65536u

int upper_getattr(struct fs *fs, uint64_t id, struct stat *out, double *timeout)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	*timeout = FS_A_MOMENT_S;
	int r = upper_stat_fd(f.fd, id, out);
	if (r == 0)
		f.node->mode = out->st_mode;
	return r;
}

static int set_times(int fd, const struct stat *to, int which)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
	if (which & FUSE_SET_ATTR_ATIME_NOW)
		t[0].tv_nsec = UTIME_NOW;
	else if (which & FUSE_SET_ATTR_ATIME)
		t[0] = to->st_atim;
	if (which & FUSE_SET_ATTR_MTIME_NOW)
		t[1].tv_nsec = UTIME_NOW;
	else if (which & FUSE_SET_ATTR_MTIME)
		t[1] = to->st_mtim;
	/* By descriptor since Linux 5.8: this reaches symbolic links too. */
	if (utimensat(fd, "", t, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	return utimensat(AT_FDCWD, upper_proc_path(fd).s, t, 0) < 0 ? -errno : 0;
}

int upper_setattr(struct fs *fs, uint64_t id, const struct stat *to, int which)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	if (which & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
		uid_t uid = which & FUSE_SET_ATTR_UID ? to->st_uid : (uid_t)-1;
		gid_t gid = which & FUSE_SET_ATTR_GID ? to->st_gid : (gid_t)-1;
		if (fchownat(f.fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	if ((which & FUSE_SET_ATTR_MODE) &&
		fchmodat(AT_FDCWD, upper_proc_path(f.fd).s, to->st_mode & 07777, 0) < 0)
		return -errno;
	if (which & FUSE_SET_ATTR_SIZE) {
		int fd = upper_write_fd(fs->upper, f.node);
		if (fd < 0)
			return fd;
		if (ftruncate(fd, to->st_size) < 0)
			return -errno;
	}
	if (which & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			    FUSE_SET_ATTR_MTIME_NOW))
		return set_times(f.fd, to, which);
	return 0;
}

int upper_readlink(struct fs *fs, uint64_t id, char *out, size_t n)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	ssize_t r = readlinkat(f.fd, "", out, n);
	/* readlinkat says ENOENT of a descriptor that is no link. */
	return r < 0 ? (errno == ENOENT ? -EINVAL : -errno) : (int)r;
}

/*
 * Once for an open: nobody has the file locked meanwhile, and what others have written since the first time must not go. If
 * the file has become smaller than it was found, or was found empty, that was the first time; that others have made it
 * smaller in the same moment is the same to them as if they had come first.
 */
int upper_truncate_once(int fd)
{
	struct journal_op *op = journal_now();
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (journal_found(op, JOURNAL_SIZE) && (!op->fact || (uint64_t)st.st_size < op->fact))
		return 0;
	journal_note(op, JOURNAL_SIZE, (uint64_t)st.st_size, 0);
	return ftruncate(fd, 0) < 0 ? -errno : 0;
}

int upper_open_file(struct fs *fs, uint64_t id, struct fuse_file_info *fi)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	upper_keep_opened(fs->upper, f.node);
	if (S_ISDIR(f.node->mode))
		return 0;
	bool writes = (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC);
	int fd = writes ? upper_write_fd(fs->upper, f.node) : upper_read_fd(fs->upper, f.node);
	if (fd < 0)
		return fd;
	int r = (fi->flags & O_TRUNC) ? upper_truncate_once(fd) : 0;
	if (r < 0)
		return r;
	/* All changes pass through this kernel, so what it has cached is right. */
	fi->keep_cache = 1;
	return 0;
}

/* Bits that some writers take away and others don't are drop_privileges_bits' business, not the kernel's alone. */
int upper_whole(struct fs *fs, uint64_t id)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	struct stat st;
	if (f.fd < 0)
		return f.fd;
	if (fstat(f.fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_mode & (S_ISUID | S_ISGID))
		return -EOPNOTSUPP;
	/* Which of its descriptors doesn't matter: it is opened anew for each use. */
	int fd = upper_read_fd(fs->upper, f.node);
	if (fd == -EACCES)
		fd = upper_write_fd(fs->upper, f.node);
	if (fd < 0)
		return fd;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return own < 0 ? -errno : own;
}

static void read_done(struct fs *fs, struct fs_range *r)
{
	upper_put(fs->upper, r->owner);
}

int upper_read(struct fs *fs, uint64_t id, size_t n, uint64_t at, struct fs_range *out)
{
	struct upper_use f = upper_use(fs->upper, id);
	int fd = f.fd < 0 ? f.fd : upper_read_fd(fs->upper, f.node);
	if (fd < 0) {
		upper_put(fs->upper, f.node);
		return fd;
	}
	out->fd = fd;
	out->fd_at = at;
	out->n = n;
	out->owner = f.node;
	out->done = read_done;
	return 0;
}

/* The backing kernel does this for others, but not for a process that may act for everybody. */
static void drop_privileges_bits(struct upper *u, struct upper_node *n, const struct fs_caller *caller)
{
	mode_t mode = n->mode;
	mode_t drop = mode & (S_ISUID | ((mode & S_IXGRP) ? S_ISGID : 0));
	if (!drop || !u->is_root || caller->uid == 0)
		return;
	if (fchmodat(AT_FDCWD, upper_proc_path(n->path_fd).s, mode & 07777 & ~drop, 0) == 0)
		n->mode = mode & ~drop;
}

int upper_write(struct fs *fs, uint64_t id, const void *data, size_t n, uint64_t at, int flags,
	const struct fs_caller *caller)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	int fd = f.fd < 0 ? f.fd : upper_write_fd(fs->upper, f.node);
	if (fd < 0)
		return fd;
	drop_privileges_bits(fs->upper, f.node, caller);
	int how = (flags & O_SYNC) == O_SYNC ? RWF_SYNC : (flags & O_DSYNC) ? RWF_DSYNC : 0;
	size_t done = 0;
	while (done < n) {
		struct iovec v = { (char *)(uintptr_t)data + done, n - done };
		ssize_t put = pwritev2(fd, &v, 1, (off_t)(at + done), how);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return done ? (int)done : put < 0 ? -errno : -EIO;
		done += (size_t)put;
	}
	return (int)done;
}

int upper_sync(struct fs *fs, uint64_t id, bool data_only)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	if (S_ISDIR(f.node->mode)) {
		auto_close_fd int fd = openat(f.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 || fsync(fd) < 0 ? -errno : 0;
	}
	/* Any descriptor of the file will do: what is synced is the file. */
	int fd = upper_read_fd(fs->upper, f.node);
	if (fd == -EACCES)
		fd = upper_write_fd(fs->upper, f.node);
	if (fd < 0)
		return fd;
	return (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

int upper_fallocate(struct fs *fs, uint64_t id, int mode, uint64_t at, uint64_t n)
{
	/* The others shift what is behind, and would do so twice if they were done twice. */
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	int fd = f.fd < 0 ? f.fd : upper_write_fd(fs->upper, f.node);
	if (fd < 0)
		return fd;
	int r;
	do
		r = fallocate(fd, mode, (off_t)at, (off_t)n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int upper_lseek(struct fs *fs, uint64_t id, off_t at, int whence, off_t *out)
{
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	int fd = f.fd < 0 ? f.fd : upper_read_fd(fs->upper, f.node);
	if (fd < 0)
		return fd;
	/* Moves the descriptor's position, which nothing here uses. */
	*out = lseek(fd, at, whence);
	return *out < 0 ? -errno : 0;
}

int64_t upper_copy_range(
	struct fs *fs, uint64_t from, uint64_t from_at, uint64_t to, uint64_t to_at, size_t n, int flags)
{
	auto_upper_use struct upper_use a = upper_use(fs->upper, from);
	auto_upper_use struct upper_use b = upper_use(fs->upper, to);
	int in = a.fd < 0 ? a.fd : upper_read_fd(fs->upper, a.node);
	int out = b.fd < 0 ? b.fd : upper_write_fd(fs->upper, b.node);
	if (in < 0 || out < 0)
		return in < 0 ? in : out;
	off64_t in_at = (off64_t)from_at, out_at = (off64_t)to_at;
	ssize_t r = copy_file_range(in, &in_at, out, &out_at, MIN_OF(n, COPY_MAX_BYTES), (unsigned)flags);
	return r < 0 ? -errno : r;
}

/* Lists that the backing files have; ops.c refuses them by name. */
static bool is_acl(const char *name)
{
	return !strncmp(name, "system.posix_acl_", 17);
}

int upper_getxattr(struct fs *fs, uint64_t id, const char *name, struct buf *out)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	ssize_t n =
		getxattr(upper_proc_path(f.fd).s, name, buf_reserve(out, XATTR_MAX_BYTES), XATTR_MAX_BYTES);
	if (n < 0)
		return -errno;
	out->len += (size_t)n;
	return 0;
}

int upper_listxattr(struct fs *fs, uint64_t id, struct buf *out)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	auto_buf struct buf all = { 0 };
	ssize_t n = listxattr(
		upper_proc_path(f.fd).s, (char *)buf_reserve(&all, XATTR_MAX_BYTES), XATTR_MAX_BYTES);
	if (n < 0)
		return -errno;
	for (const char *p = (const char *)all.data, *end = p + n; p < end; p += strlen(p) + 1)
		if (!is_acl(p))
			buf_add(out, p, strlen(p) + 1);
	return 0;
}

int upper_setxattr(struct fs *fs, uint64_t id, const char *name, const void *value, size_t n, int flags)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	struct upper_proc_path path = upper_proc_path(f.fd);
	if (flags & XATTR_CREATE) {
		struct journal_op *op = journal_now();
		if (journal_found(op, JOURNAL_ABSENT))
			flags &= ~XATTR_CREATE; /* it was not there, so it is this operation's */
		else if (getxattr(path.s, name, NULL, 0) < 0 && errno == ENODATA)
			journal_note(op, JOURNAL_ABSENT, 0, 0);
	}
	return setxattr(path.s, name, value, n, flags) < 0 ? -errno : 0;
}

int upper_removexattr(struct fs *fs, uint64_t id, const char *name)
{
	auto_upper_use struct upper_use f = upper_use(fs->upper, id);
	if (f.fd < 0)
		return f.fd;
	struct upper_proc_path path = upper_proc_path(f.fd);
	struct journal_op *op = journal_now();
	bool may_be_gone = journal_found(op, JOURNAL_PRESENT);
	if (getxattr(path.s, name, NULL, 0) >= 0)
		journal_note(op, JOURNAL_PRESENT, 0, 0);
	if (removexattr(path.s, name) == 0 || (errno == ENODATA && may_be_gone))
		return 0;
	return -errno;
}
