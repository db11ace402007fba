/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in, replies out. Each function finds the table of the node's kind, calls one operation, and turns
 * the result into a reply; nothing is decided here but what a missing operation means. A file handle is the
 * node id.
 */
#include "fs/fs.h"

#include "fs/cookie.h"
#include "fs/fd_keeper.h"
#include "fs/invalidate.h"
#include "fs/journal.h"
#include "fs/loop.h"
#include "fs/open_count.h"
#include "fs/passthrough.h"
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

static struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct fs_caller caller_of(fuse_req_t req)
{
	const struct fuse_ctx *c = fuse_req_ctx(req);
	return (struct fs_caller){ c->uid, c->gid };
}

static void forget_one(struct fs *fs, uint64_t id, uint64_t n)
{
	const struct fs_node_ops *ops = fs_ops_of(id);
	if (ops->forget)
		ops->forget(fs, id, n);
}

static void reply_entry(fuse_req_t req, int r, const struct fuse_entry_param *entry)
{
	struct fs *fs = fs_of(req);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (fuse_reply_entry(req, entry) < 0)
		forget_one(fs, entry->ino, 1); /* nobody waits for it any more */
}

/*
 * A request that changes something, or that counts. What it did is in the journal before it is answered, so that it is
 * done once even if this process is killed on the way and the next one is given the request again.
 */
struct change {
	struct journal_op *op; /* NULL: not recorded */
	bool is_done;          /* by a process before this one; op->result is to be answered */
};

/* False: the request is over already, and so is this function's caller. */
static bool change_begin(fuse_req_t req, struct change *c)
{
	enum journal_verdict v = journal_begin(fs_of(req)->journal, loop_request_unique(), &c->op);
	c->is_done = v == JOURNAL_ANSWER;
	if (v == JOURNAL_SILENCE)
		fuse_reply_none(req);
	return v != JOURNAL_SILENCE;
}

/* Before the answer; returns r. */
static int64_t change_done(const struct change *c, int64_t r)
{
	if (!c->is_done)
		journal_done(c->op, r);
	return r;
}

static void answer_err(fuse_req_t req, const struct change *c, int64_t r)
{
	fuse_reply_err(req, (int)-change_done(c, r));
	journal_end(c->op);
}

static void answer_count(fuse_req_t req, const struct change *c, int64_t r)
{
	if (change_done(c, r) < 0)
		fuse_reply_err(req, (int)-r);
	else
		fuse_reply_write(req, (size_t)r);
	journal_end(c->op);
}

static void answer_entry(
	fuse_req_t req, const struct change *c, int64_t r, const struct fuse_entry_param *entry)
{
	reply_entry(req, (int)change_done(c, r), entry);
	journal_end(c->op);
}

/* The entry that an operation which is done has made. */
static int entry_made(
	fuse_req_t req, const struct change *c, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	const struct fs_node_ops *ops = fs_ops_of(dir);
	if (c->op->result < 0)
		return (int)c->op->result;
	return ops->lookup ? ops->lookup(fs_of(req), dir, name, out) : -ENOTDIR;
}

/* What was to go is not there, and it was this operation that saw it last: it has gone by that. */
static int unless_gone_before(const struct change *c, int r)
{
	return r == -ENOENT && journal_found(c->op, JOURNAL_PRESENT) ? 0 : r;
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
	forget_one(fs_of(req), id, n);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget_one(fs_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, fuse_ino_t id)
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

static void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *to, int which, struct fuse_file_info *fi)
{
	(void)fi;
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(id);
	int64_t r = c.is_done      ? c.op->result
		    : ops->setattr ? ops->setattr(fs_of(req), id, to, which)
				   : -EROFS;
	if (change_done(&c, r) < 0)
		fuse_reply_err(req, (int)-r);
	else
		reply_attr(req, id);
	journal_end(c.op);
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

static void make(fuse_req_t req, fuse_ino_t dir, const char *name, const struct fs_new_node *new)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fuse_entry_param entry = { 0 };
	struct fs_caller caller = caller_of(req);
	const struct fs_node_ops *ops = fs_ops_of(dir);
	int r = c.is_done   ? entry_made(req, &c, dir, name, &entry)
		: ops->make ? ops->make(fs_of(req), dir, name, new, &caller, &entry)
			    : -EROFS;
	answer_entry(req, &c, r, &entry);
}

static void op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev)
{
	make(req, dir, name, &(struct fs_new_node){ .mode = mode, .rdev = rdev });
}

static void op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	make(req, dir, name, &(struct fs_new_node){ .mode = mode | S_IFDIR });
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name)
{
	make(req, dir, name, &(struct fs_new_node){ .mode = S_IFLNK | 0777, .target = target });
}

static void remove_name(fuse_req_t req, fuse_ino_t dir, const char *name, bool is_dir)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(dir);
	answer_err(req, &c,
		c.is_done     ? c.op->result
		: ops->remove ? unless_gone_before(&c, ops->remove(fs_of(req), dir, name, is_dir))
			      : -EROFS);
}

static void op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_name(req, dir, name, false);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_name(req, dir, name, true);
}

static void op_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir,
	const char *new_name, unsigned flags)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fs *fs = fs_of(req);
	const struct fs_node_ops *ops = fs_ops_of(dir);
	answer_err(req, &c,
		c.is_done     ? c.op->result
		: ops->rename ? unless_gone_before(&c, ops->rename(fs, dir, name, new_dir, new_name, flags))
			      : -EROFS);
}

static void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t dir, const char *name)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fuse_entry_param entry = { 0 };
	const struct fs_node_ops *ops = fs_ops_of(dir);
	int r = c.is_done   ? entry_made(req, &c, dir, name, &entry)
		: ops->link ? ops->link(fs_of(req), id, dir, name, &entry)
			    : -EROFS;
	answer_entry(req, &c, r, &entry);
}

/*
 * Counted before the kernel knows, so that its close can't come first. 0 or -ENFILE. An open that a process before this
 * one has counted is among those that this one took over.
 */
static int count_open(struct fs *fs, uint64_t id, struct journal_op *op)
{
	const struct fs_node_ops *ops = fs_ops_of(id);
	bool is_counted = journal_has(op, JOURNAL_COUNTED);
	int n = open_count_add(fs->opens, id, op, JOURNAL_COUNTED);
	if (n == 1 && !is_counted && ops->opened)
		ops->opened(fs, id);
	return MIN_OF(n, 0);
}

static void count_close(struct fs *fs, uint64_t id, struct journal_op *op, enum journal_flag flag)
{
	const struct fs_node_ops *ops = fs_ops_of(id);
	unsigned left;
	bool is_kept;
	if (!open_count_drop(fs->opens, id, op, flag, &left, &is_kept) || left)
		return;
	passthrough_closed(fs->passthrough, id);
	if (ops->closed)
		ops->closed(fs, id);
	if (is_kept)
		fs->keeper->drop(fs->keeper, id);
}

/*
 * An answer that the kernel doesn't take is no reason to count back what was opened: it waits for the answers it has asked
 * for, until the mount ends. Only of a copy of the request it wants none.
 */
static void op_create(
	fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = { 0 };
	struct fs_caller caller = caller_of(req);
	const struct fs_node_ops *ops = fs_ops_of(dir);
	int r = c.is_done     ? entry_made(req, &c, dir, name, &entry)
		: ops->create ? ops->create(fs, dir, name, mode, fi->flags, &caller, &entry)
			      : -EROFS;
	if (r == 0 && !c.is_done)
		r = count_open(fs, entry.ino, c.op);
	fi->fh = entry.ino;
	fi->keep_cache = 1;
	int32_t backing = r == 0 ? passthrough_open(fs, entry.ino, fi) : 0;
	if (change_done(&c, r) < 0)
		fuse_reply_err(req, -r);
	else if (passthrough_reply_create(req, &entry, fi, backing) < 0)
		forget_one(fs, entry.ino, 1);
	journal_end(c.op);
}

static void open_node(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, bool is_dir)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fs *fs = fs_of(req);
	const struct fs_node_ops *ops = fs_ops_of(id);
	/* Counted before it is opened: a name that goes meanwhile leaves the descriptor behind. */
	int r = c.is_done ? (int)c.op->result : count_open(fs, id, c.op);
	bool is_counted = c.is_done ? journal_has(c.op, JOURNAL_COUNTED) : r == 0;
	if (c.is_done && r == 0) {
		fi->flags &= ~O_TRUNC; /* that is done too */
		if (ops->open)
			ops->open(fs, id, fi); /* for how it is cached; that it is open was decided before */
	} else if (r == 0) {
		r = ops->open ? ops->open(fs, id, fi) : -ENOSYS;
	}
	int32_t backing = r == 0 && !is_dir ? passthrough_open(fs, id, fi) : 0;
	change_done(&c, r);
	fi->fh = id;
	if (r < 0 && is_counted)
		count_close(fs, id, c.op, JOURNAL_RETURNED);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		passthrough_reply_open(req, fi, backing);
	journal_end(c.op);
}

static void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	open_node(req, id, fi, false);
}

static void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	open_node(req, id, fi, true);
}

static void op_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)fi;
	struct change c;
	if (!change_begin(req, &c))
		return;
	if (!c.is_done)
		count_close(fs_of(req), id, c.op, JOURNAL_COUNTED);
	answer_err(req, &c, 0);
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

/*
 * Writes come with their offset, appended or not, and the kernel has the file locked until they are answered: to do one again
 * is right as long as it was not answered.
 */
static void op_write(
	fuse_req_t req, fuse_ino_t id, const char *p, size_t n, off_t at, struct fuse_file_info *fi)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fs_caller caller = caller_of(req);
	const struct fs_node_ops *ops = fs_ops_of(id);
	answer_count(req, &c,
		c.is_done    ? c.op->result
		: at < 0     ? -EINVAL
		: ops->write ? ops->write(fs_of(req), id, p, n, (uint64_t)at, fi->flags, &caller)
			     : -EROFS);
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

static void reply_xattr(fuse_req_t req, int r, const struct buf *value, size_t room)
{
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (room == 0)
		fuse_reply_xattr(req, value->len);
	else if (value->len > room)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, (const char *)value->data, value->len);
}

/*
 * Access control lists are not evaluated, so none are shown and none are taken; security labels are the kernel's. The answer
 * that there is no such thing makes ls stop asking, for the whole filesystem.
 */
static bool is_unsupported(const char *name)
{
	return !strncmp(name, "system.posix_acl_", 17) || !strcmp(name, "security.selinux");
}

static void op_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t room)
{
	auto_buf struct buf value = { 0 };
	const struct fs_node_ops *ops = fs_ops_of(id);
	int r = -EOPNOTSUPP;
	if (ops->getxattr && !is_unsupported(name))
		r = ops->getxattr(fs_of(req), id, name, &value);
	reply_xattr(req, r, &value, room);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t id, size_t room)
{
	auto_buf struct buf names = { 0 };
	const struct fs_node_ops *ops = fs_ops_of(id);
	reply_xattr(req, ops->listxattr ? ops->listxattr(fs_of(req), id, &names) : 0, &names, room);
}

static void op_setxattr(
	fuse_req_t req, fuse_ino_t id, const char *name, const char *value, size_t n, int flags)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(id);
	answer_err(req, &c,
		c.is_done              ? c.op->result
		: is_unsupported(name) ? -EOPNOTSUPP
		: ops->setxattr        ? ops->setxattr(fs_of(req), id, name, value, n, flags)
				       : -EROFS);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(id);
	answer_err(req, &c,
		c.is_done          ? c.op->result
		: ops->removexattr ? ops->removexattr(fs_of(req), id, name)
				   : -EROFS);
}

static void op_fallocate(
	fuse_req_t req, fuse_ino_t id, int mode, off_t at, off_t n, struct fuse_file_info *fi)
{
	(void)fi;
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(id);
	answer_err(req, &c,
		c.is_done          ? c.op->result
		: at < 0 || n <= 0 ? -EINVAL
		: ops->fallocate   ? ops->fallocate(fs_of(req), id, mode, (uint64_t)at, (uint64_t)n)
				   : -EROFS);
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

static void op_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_at, struct fuse_file_info *from_fi,
	fuse_ino_t to, off_t to_at, struct fuse_file_info *to_fi, size_t n, int flags)
{
	(void)from_fi, (void)to_fi;
	struct change c;
	if (!change_begin(req, &c))
		return;
	bool is_upper = node_kind(from) == NODE_UPPER && node_kind(to) == NODE_UPPER;
	/* Where it is refused the kernel copies by reading and writing. */
	answer_count(req, &c,
		c.is_done ? c.op->result
		: !is_upper || from_at < 0 || to_at < 0
			? -EXDEV
			: upper_copy_range(
				  fs_of(req), from, (uint64_t)from_at, to, (uint64_t)to_at, n, flags));
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
