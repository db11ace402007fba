/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link(2) of a merged block's file into the upper directory, as Prometheus' snapshots do it: the name gets a copy. A
 * snapshot is to stay when the block is replaced, and the bucket's chunks can't be linked to.
 */
#include "fs/upper.h"
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)

/* One piece at `at`; returns its length, 0 at the end. */
static ssize_t copy_piece(struct fs *fs, uint64_t id, int to, uint64_t at, struct buf *scratch)
{
	struct fs_range range = { .fd = -1 };
	int r = fs_ops_of(id)->read(fs, id, PIECE_BYTES, at, &range);
	if (r < 0)
		return r;
	const uint8_t *p = range.buf.data;
	size_t n = range.n;
	if (range.merged.incomplete)
		r = -EIO; /* zeros may stand on a page, which is asked for again, but not in a copy */
	if (r == 0 && n && range.fd >= 0) {
		buf_reset(scratch);
		p = buf_reserve(scratch, n);
		r = file_pread_all(range.fd, scratch->data, n, range.fd_at);
	}
	if (r == 0 && n)
		r = file_pwrite_all(to, p, n, at);
	if (range.done)
		range.done(fs, &range);
	buf_fini(&range.buf);
	return r < 0 ? r : (ssize_t)n;
}

int upper_link_copy(struct fs *fs, uint64_t id, int dir_fd, const char *name)
{
	struct stat st;
	double timeout;
	int r = fs_ops_of(id)->getattr(fs, id, &st, &timeout);
	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode))
		return -EPERM;
	auto_close_fd int fd = openat(dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EOPNOTSUPP || errno == EISDIR ? -EXDEV : -errno;
	auto_buf struct buf scratch = { 0 };
	uint64_t at = 0;
	for (ssize_t n; (n = copy_piece(fs, id, fd, at, &scratch)) != 0; at += (uint64_t)n)
		if (n < 0)
			return (int)n;
	struct timespec times[2] = { st.st_atim, st.st_mtim };
	if (futimens(fd, times) < 0)
		return -errno;
	return upper_link_fd(fd, dir_fd, name);
}
