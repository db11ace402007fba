/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that change something. What an operation did is in the journal before it is answered, so that it is done once
 * even if this process is killed on the way and the next one is given the request again. Where a kind of node has no such
 * operation nothing of it can be changed: EROFS.
 */
#include "fs/loop.h"
#include "fs/ops_private.h"
#include "fs/upper.h"

#include <errno.h>

bool change_begin(fuse_req_t req, struct change *c)
{
	enum journal_verdict v = journal_begin(fs_of(req)->journal, loop_request_unique(), &c->op);
	c->is_done = v == JOURNAL_ANSWER;
	if (v == JOURNAL_SILENCE)
		fuse_reply_none(req);
	return v != JOURNAL_SILENCE;
}

int64_t change_done(const struct change *c, int64_t r)
{
	if (!c->is_done)
		journal_done(c->op, r);
	return r;
}

void change_answer(fuse_req_t req, const struct change *c, int64_t r)
{
	fuse_reply_err(req, (int)-change_done(c, r));
	journal_end(c->op);
}

int change_made(
	fuse_req_t req, const struct change *c, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	const struct fs_node_ops *ops = fs_ops_of(dir);
	if (c->op->result < 0)
		return (int)c->op->result;
	return ops->lookup ? ops->lookup(fs_of(req), dir, name, out) : -ENOTDIR;
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

/* What was to go is not there, and it was this operation that saw it last: it has gone by that. */
static int unless_gone_before(const struct change *c, int r)
{
	return r == -ENOENT && journal_found(c->op, JOURNAL_PRESENT) ? 0 : r;
}

void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *to, int which, struct fuse_file_info *fi)
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

static void make(fuse_req_t req, fuse_ino_t dir, const char *name, const struct fs_new_node *new)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fuse_entry_param entry = { 0 };
	struct fs_caller caller = caller_of(req);
	const struct fs_node_ops *ops = fs_ops_of(dir);
	int r = c.is_done   ? change_made(req, &c, dir, name, &entry)
		: ops->make ? ops->make(fs_of(req), dir, name, new, &caller, &entry)
			    : -EROFS;
	answer_entry(req, &c, r, &entry);
}

void op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev)
{
	make(req, dir, name, &(struct fs_new_node){ .mode = mode, .rdev = rdev });
}

void op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	make(req, dir, name, &(struct fs_new_node){ .mode = mode | S_IFDIR });
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name)
{
	make(req, dir, name, &(struct fs_new_node){ .mode = S_IFLNK | 0777, .target = target });
}

static void remove_name(fuse_req_t req, fuse_ino_t dir, const char *name, bool is_dir)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(dir);
	change_answer(req, &c,
		c.is_done     ? c.op->result
		: ops->remove ? unless_gone_before(&c, ops->remove(fs_of(req), dir, name, is_dir))
			      : -EROFS);
}

void op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_name(req, dir, name, false);
}

void op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_name(req, dir, name, true);
}

void op_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir, const char *new_name,
	unsigned flags)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fs *fs = fs_of(req);
	const struct fs_node_ops *ops = fs_ops_of(dir);
	change_answer(req, &c,
		c.is_done     ? c.op->result
		: ops->rename ? unless_gone_before(&c, ops->rename(fs, dir, name, new_dir, new_name, flags))
			      : -EROFS);
}

void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t dir, const char *name)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fuse_entry_param entry = { 0 };
	const struct fs_node_ops *ops = fs_ops_of(dir);
	int r = c.is_done   ? change_made(req, &c, dir, name, &entry)
		: ops->link ? ops->link(fs_of(req), id, dir, name, &entry)
			    : -EROFS;
	answer_entry(req, &c, r, &entry);
}

/*
 * Writes come with their offset, appended or not, and the kernel has the file locked until they are answered: to do one again
 * is right as long as it was not answered.
 */
void op_write(fuse_req_t req, fuse_ino_t id, const char *p, size_t n, off_t at, struct fuse_file_info *fi)
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

void op_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t at, off_t n, struct fuse_file_info *fi)
{
	(void)fi;
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(id);
	change_answer(req, &c,
		c.is_done          ? c.op->result
		: at < 0 || n <= 0 ? -EINVAL
		: ops->fallocate   ? ops->fallocate(fs_of(req), id, mode, (uint64_t)at, (uint64_t)n)
				   : -EROFS);
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_at, struct fuse_file_info *from_fi,
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
