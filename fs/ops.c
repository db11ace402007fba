/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in, replies out. Each function finds the table of the node's kind, calls one operation, and turns
 * the result into a reply; nothing is decided here but what a missing operation means. A file handle is the
 * node id.
 */
#include "fs/cookie.h"
#include "fs/invalidate.h"
#include "fs/ops_private.h"
#include "fs/upper.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SCRATCH_BYTES FS_REQUEST_BYTES

METRIC_COUNTER(reads_failed, "thanosfs_read_failures_total",
	"Reads of a published block that met an error of the local disk or of the bucket's files, and gave "
	"zeros.");

const struct fs_node_ops *fs_ops_of(uint64_t id)
{
	switch (node_kind(id)) {
	case NODE_BLOCK: return &tree_block_ops;
	case NODE_BUCKET: return &tree_bucket_ops;
	case NODE_UPPER: return &tree_upper_ops;
	case NODE_FIXED: break;
	}
	return id == NODE_ROOT ? &tree_root_ops : id == NODE_RAW ? &tree_bucket_ops : &tree_control_ops;
}

void forget_node(struct fs *fs, uint64_t id, uint64_t n)
{
	const struct fs_node_ops *ops = fs_ops_of(id);
	if (ops->forget)
		ops->forget(fs, id, n);
}

void reply_entry(fuse_req_t req, int r, const struct fuse_entry_param *entry)
{
	struct fs *fs = fs_of(req);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (fuse_reply_entry(req, entry) < 0)
		forget_node(fs, entry->ino, 1); /* nobody waits for it any more */
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	fs_mount_init(userdata, conn);
}

static void op_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fuse_entry_param entry = { 0 };
	const struct fs_node_ops *ops = fs_ops_of(dir);
	reply_entry(req, ops->lookup ? ops->lookup(fs_of(req), dir, name, &entry) : -ENOTDIR, &entry);
}

static void op_forget(fuse_req_t req, fuse_ino_t id, uint64_t n)
{
	forget_node(fs_of(req), id, n);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget_node(fs_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

void reply_attr(fuse_req_t req, uint64_t id)
{
	struct stat st;
	double timeout = 0;
	int r = fs_ops_of(id)->getattr(fs_of(req), id, &st, &timeout);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &st, timeout);
}

static void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)fi;
	reply_attr(req, id);
}

static void op_readlink(fuse_req_t req, fuse_ino_t id)
{
	char target[PATH_MAX + 1];
	const struct fs_node_ops *ops = fs_ops_of(id);
	int r = ops->readlink ? ops->readlink(fs_of(req), id, target, PATH_MAX) : -EINVAL;
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	target[r] = 0;
	fuse_reply_readlink(req, target);
}

static void reply_range(fuse_req_t req, struct fs_range *range)
{
	if (range->fd < 0) {
		fuse_reply_buf(req, (const char *)range->buf.data, range->buf.len);
		return;
	}
	struct fuse_bufvec v = FUSE_BUFVEC_INIT(range->n);
	v.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	v.buf[0].fd = range->fd;
	v.buf[0].pos = (off_t)range->fd_at;
	fuse_reply_data(req, &v, FUSE_BUF_SPLICE_MOVE);
}

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void make_scratch_key(void)
{
	pthread_key_create(&scratch_key, free);
}

/* A buffer that this thread keeps: one from malloc would have its pages made anew for each large read. */
static uint8_t *scratch(void)
{
	pthread_once(&scratch_once, make_scratch_key);
	uint8_t *p = pthread_getspecific(scratch_key);
	if (!p) {
		p = xmalloc(SCRATCH_BYTES);
		pthread_setspecific(scratch_key, p);
	}
	return p;
}

/*
 * Copies a merged block's range, so that a source which fails or has shrunk gives zeros that go again, and not the error
 * that would kill who has it mapped.
 */
static const char *copy_range(struct fs_range *r)
{
	size_t done = 0;
	uint8_t *to = scratch();
	r->n = MIN_OF(r->n, (size_t)SCRATCH_BYTES);
	while (done < r->n) {
		ssize_t got = pread(r->fd, to + done, r->n - done, (off_t)(r->fd_at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	if (done < r->n) {
		memset(to + done, 0, r->n - done);
		metric_add(reads_failed, 1);
		r->merged.incomplete = true;
	}
	return (const char *)to;
}

static void op_read(fuse_req_t req, fuse_ino_t id, size_t n, off_t at, struct fuse_file_info *fi)
{
	(void)fi;
	struct fs *fs = fs_of(req);
	struct fs_range range = { .fd = -1 };
	const struct fs_node_ops *ops = fs_ops_of(id);
	int r = at < 0 || !ops->read ? -EINVAL : ops->read(fs, id, n, (uint64_t)at, &range);
	const char *copy = r >= 0 && node_kind(id) == NODE_BLOCK && range.fd >= 0 ? copy_range(&range) : NULL;
	/* Asked for before the answer, after which this process may die and leave the zeros where they are. */
	if (range.merged.incomplete)
		invalidate_pages(fs->invalidate, id, (uint64_t)at, n);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (copy)
		fuse_reply_buf(req, copy, range.n);
	else
		reply_range(req, &range);
	if (range.done)
		range.done(fs, &range);
	buf_fini(&range.buf);
}

static void op_fsync(fuse_req_t req, fuse_ino_t id, int data_only, struct fuse_file_info *fi)
{
	(void)fi;
	const struct fs_node_ops *ops = fs_ops_of(id);
	fuse_reply_err(req, ops->sync ? -ops->sync(fs_of(req), id, data_only) : 0);
}

/* A reply that is being filled with entries. */
struct listing {
	fuse_req_t req;
	char *bytes;
	size_t n, room;
	bool plus;
};

static int emit(void *arg, const char *name, const struct fuse_entry_param *entry, uint64_t cookie)
{
	struct listing *l = arg;
	char *at = l->bytes + l->n;
	size_t left = l->room - l->n;
	size_t took = l->plus ? fuse_add_direntry_plus(l->req, at, left, name, entry, (off_t)cookie)
			      : fuse_add_direntry(l->req, at, left, name, &entry->attr, (off_t)cookie);
	if (took > left)
		return FS_LIST_DONE;
	l->n += took;
	return 0;
}

/* Node id 0 tells the kernel to make no more of them than names. */
static bool emit_dots(struct listing *l, uint64_t dir, uint64_t cookie)
{
	struct fuse_entry_param entry = { .attr = { .st_ino = dir, .st_mode = S_IFDIR } };
	uint64_t next = cookie_next(cookie, COOKIE_FIXED);
	return !(next <= COOKIE_DOT && emit(l, ".", &entry, COOKIE_DOT)) &&
	       !(next <= COOKIE_DOTDOT && emit(l, "..", &entry, COOKIE_DOTDOT));
}

static void list(fuse_req_t req, fuse_ino_t dir, size_t n, off_t cookie, bool plus)
{
	struct fs *fs = fs_of(req);
	const struct fs_node_ops *ops = fs_ops_of(dir);
	n = MIN_OF(n, (size_t)1 << 20);
	struct listing l = { .req = req, .bytes = xmalloc(n), .room = n, .plus = plus };
	int r = 0;
	if (!ops->list)
		r = -ENOTDIR;
	else if (emit_dots(&l, dir, (uint64_t)cookie))
		r = ops->list(fs, dir, (uint64_t)cookie, plus, emit, &l);
	/* What was emitted counts; the error comes with the next request. */
	if (r < 0 && !l.n)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, l.bytes, l.n);
	free(l.bytes);
}

static void op_readdir(fuse_req_t req, fuse_ino_t dir, size_t n, off_t cookie, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, dir, n, cookie, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t dir, size_t n, off_t cookie, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, dir, n, cookie, true);
}

static void op_statfs(fuse_req_t req, fuse_ino_t id)
{
	(void)id;
	struct statvfs v;
	if (fstatvfs(fs_of(req)->upper->root_fd, &v) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &v);
}

static void op_lseek(fuse_req_t req, fuse_ino_t id, off_t at, int whence, struct fuse_file_info *fi)
{
	(void)fi;
	struct fs *fs = fs_of(req);
	const struct fs_node_ops *ops = fs_ops_of(id);
	off_t found = at;
	int r = 0;
	if (ops->lseek) {
		r = ops->lseek(fs, id, at, whence, &found);
	} else {
		/* A file without holes: data everywhere, and one hole at the end. */
		struct stat st = { 0 };
		double timeout;
		r = ops->getattr(fs, id, &st, &timeout);
		if (r == 0 && (at < 0 || at >= st.st_size))
			r = -ENXIO;
		else if (whence == SEEK_HOLE)
			found = st.st_size;
	}
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_lseek(req, found);
}

/* flush is not there: a close has nothing to write. Neither are locks: the kernel has them. */
const struct fuse_lowlevel_ops fs_fuse_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.rename = op_rename,
	.link = op_link,
	.create = op_create,
	.open = op_open,
	.release = op_release,
	.opendir = op_opendir,
	.releasedir = op_release,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.fsyncdir = op_fsync,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.copy_file_range = op_copy_file_range,
};
