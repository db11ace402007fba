/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that answer requests share. ops.c has the table of them, and those that look and read; ops_change.c those
 * that change something, ops_open.c those that open and close, ops_xattr.c extended attributes.
 */
#ifndef FS_OPS_PRIVATE_H
#define FS_OPS_PRIVATE_H

#include "fs/fs.h"
#include "fs/journal.h"

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct fs_caller caller_of(fuse_req_t req)
{
	const struct fuse_ctx *c = fuse_req_ctx(req);
	return (struct fs_caller){ c->uid, c->gid };
}

void forget_node(struct fs *fs, uint64_t id, uint64_t n);

/* The answer to what gives an entry, or its error r. */
void reply_entry(fuse_req_t req, int r, const struct fuse_entry_param *entry);
void reply_attr(fuse_req_t req, uint64_t id);

/*
 * A request that changes something, or that counts. What it did is in the journal before it is answered, so that it is
 * done once even if this process is killed on the way and the next one is given the request again.
 *
 *	change_begin, then unless is_done the operation, change_done, the answer, journal_end
 */
struct change {
	struct journal_op *op; /* NULL: not recorded */
	bool is_done;          /* by a process before this one; op->result is to be answered */
};

/* False: the request is over already, and so is this function's caller. */
bool change_begin(fuse_req_t req, struct change *c);

/* Before the answer; returns r. */
int64_t change_done(const struct change *c, int64_t r);

/* What comes after the operation where the answer is no more than r. */
void change_answer(fuse_req_t req, const struct change *c, int64_t r);

/* The entry that an operation which is done has made. */
int change_made(
	fuse_req_t req, const struct change *c, uint64_t dir, const char *name, struct fuse_entry_param *out);

/* ops_change.c */
void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *to, int which, struct fuse_file_info *fi);
void op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir, const char *new_name,
	unsigned flags);
void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t dir, const char *name);
void op_write(fuse_req_t req, fuse_ino_t id, const char *p, size_t n, off_t at, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t at, off_t n, struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_at, struct fuse_file_info *from_fi,
	fuse_ino_t to, off_t to_at, struct fuse_file_info *to_fi, size_t n, int flags);

/* ops_open.c */
void op_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void op_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);

/* ops_xattr.c */
void op_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t room);
void op_listxattr(fuse_req_t req, fuse_ino_t id, size_t room);
void op_setxattr(fuse_req_t req, fuse_ino_t id, const char *name, const char *value, size_t n, int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t id, const char *name);

#endif
