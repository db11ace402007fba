/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that open and close. A node counts as open from before the kernel hears of it to after its last close, which
 * the operation's flags in the journal make true whatever process is killed on the way; a file handle is the node id.
 */
#include "fs/open_count.h"
#include "fs/ops_private.h"
#include "fs/passthrough.h"
#include "fs/upper.h"

#include <errno.h>
#include <fcntl.h>

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
		upper_let_go(fs->upper, id);
}

/*
 * An answer that the kernel doesn't take is no reason to count back what was opened: it waits for the answers it has asked
 * for, until the mount ends. Only of a copy of the request it wants none.
 */
void op_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = { 0 };
	struct fs_caller caller = caller_of(req);
	const struct fs_node_ops *ops = fs_ops_of(dir);
	int r = c.is_done     ? change_made(req, &c, dir, name, &entry)
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
		forget_node(fs, entry.ino, 1);
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

void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	open_node(req, id, fi, false);
}

void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	open_node(req, id, fi, true);
}

void op_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)fi;
	struct change c;
	if (!change_begin(req, &c))
		return;
	if (!c.is_done)
		count_close(fs_of(req), id, c.op, JOURNAL_COUNTED);
	change_answer(req, &c, 0);
}
