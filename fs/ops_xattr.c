/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for extended attributes. */
#include "fs/ops_private.h"

#include <errno.h>
#include <string.h>

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

void op_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t room)
{
	auto_buf struct buf value = { 0 };
	const struct fs_node_ops *ops = fs_ops_of(id);
	int r = -EOPNOTSUPP;
	if (ops->getxattr && !is_unsupported(name))
		r = ops->getxattr(fs_of(req), id, name, &value);
	reply_xattr(req, r, &value, room);
}

void op_listxattr(fuse_req_t req, fuse_ino_t id, size_t room)
{
	auto_buf struct buf names = { 0 };
	const struct fs_node_ops *ops = fs_ops_of(id);
	reply_xattr(req, ops->listxattr ? ops->listxattr(fs_of(req), id, &names) : 0, &names, room);
}

void op_setxattr(fuse_req_t req, fuse_ino_t id, const char *name, const char *value, size_t n, int flags)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(id);
	change_answer(req, &c,
		c.is_done              ? c.op->result
		: is_unsupported(name) ? -EOPNOTSUPP
		: ops->setxattr        ? ops->setxattr(fs_of(req), id, name, value, n, flags)
				       : -EROFS);
}

void op_removexattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	struct change c;
	if (!change_begin(req, &c))
		return;
	const struct fs_node_ops *ops = fs_ops_of(id);
	change_answer(req, &c,
		c.is_done          ? c.op->result
		: ops->removexattr ? ops->removexattr(fs_of(req), id, name)
				   : -EROFS);
}
