/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the filesystem share: the mounted filesystem itself, and the table of operations that
 * each kind of node (node_id.h) implements. ops*.c turn requests into calls of that table and their
 * results into replies.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include "dedup/merged_block.h"
#include "fs/fuse_api.h"
#include "fs/mount.h"
#include "fs/node_id.h"
#include "lib/base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define FS_FOREVER_S     86400.0 /* how long the kernel may keep what never changes */
#define FS_A_MOMENT_S    1.0
#define FS_BLOCK_BYTES   131072 /* st_blksize of what is read through chunks: what one request carries */
#define FS_REQUEST_BYTES (256u << 10) /* the largest read or write */
#define FS_LIST_DONE     1            /* an emit function's answer: the reply is full */

struct fs {
	struct fs_options options; /* with copies of all strings */
	struct fuse_session *session;
	struct loop *loop;
	struct invalidate *invalidate;
	struct journal *journal;
	struct open_count *opens;
	struct inherited *inherited;
	struct fd_keeper *keeper;
	struct fd_keeper *own_keeper;    /* where there is no other; else NULL */
	struct passthrough *passthrough; /* NULL: without a mount */
	struct whiteouts *whiteouts;
	struct block_sets *blocks;
	struct upper *upper;
	struct control *control;
	struct raw *raw; /* NULL: no bucket */
	struct name_cache *listings;
	struct session *mount; /* mount.c's own */
	int64_t start_ms;
	uid_t uid; /* of everything that is not the upper directory's own */
	gid_t gid;
};

/* On whose behalf. */
struct fs_caller {
	uid_t uid;
	gid_t gid;
};

/* A new node that is neither created open nor a link. */
struct fs_new_node {
	mode_t mode; /* with the type */
	dev_t rdev;
	const char *target; /* of a symbolic link */
};

/*
 * Bytes to be read: at `fd_at` of `fd`, or in `buf` where fd is -1. `n` is what there is of what was asked
 * for. `done` (may be NULL) lets go of what the range holds, after the reply.
 */
struct fs_range {
	int fd;
	uint64_t fd_at;
	size_t n;
	struct buf buf;
	void (*done)(struct fs *fs, struct fs_range *r);
	void *owner;
	size_t file; /* of a merged block, and what it says of the range */
	struct merged_range merged;
};

/* One entry of a directory. `attr` counts only where it was asked for; else just its st_ino and st_mode's
 * type. */
typedef int fs_emit_fn(void *arg, const char *name, const struct fuse_entry_param *entry, uint64_t cookie);

/*
 * Each returns 0 (or a count), or -errno. A NULL operation that would change something is EROFS, any other
 * one ENOSYS or what ops*.c say. Called from any thread, several at once; nothing here may wait for a reply
 * of this filesystem.
 */
struct fs_node_ops {
	/* The same node for the same name as `list` gives; fills all of *out. */
	int (*lookup)(struct fs *fs, uint64_t dir, const char *name, struct fuse_entry_param *out);
	void (*forget)(struct fs *fs, uint64_t id, uint64_t n); /* a hint, no more */
	int (*getattr)(struct fs *fs, uint64_t id, struct stat *out, double *timeout);
	int (*setattr)(struct fs *fs, uint64_t id, const struct stat *to, int which);
	int (*readlink)(struct fs *fs, uint64_t id, char *out, size_t n);
	int (*make)(struct fs *fs, uint64_t dir, const char *name, const struct fs_new_node *new,
		const struct fs_caller *caller, struct fuse_entry_param *out);
	/* Like make and open in one; `flags` may lack O_EXCL, and the file be there. */
	int (*create)(struct fs *fs, uint64_t dir, const char *name, mode_t mode, int flags,
		const struct fs_caller *caller, struct fuse_entry_param *out);
	int (*remove)(struct fs *fs, uint64_t dir, const char *name, bool is_dir);
	int (*rename)(struct fs *fs, uint64_t dir, const char *name, uint64_t new_dir, const char *new_name,
		unsigned flags);
	/* `dir` is of this kind, `id` of any. */
	int (*link)(struct fs *fs, uint64_t id, uint64_t dir, const char *name, struct fuse_entry_param *out);
	/* Sets how the kernel caches it (keep_cache, direct_io). Whether it counts as open is ops_open.c's part. */
	int (*open)(struct fs *fs, uint64_t id, struct fuse_file_info *fi);
	/*
	 * A descriptor, the caller's, of a local file with all of the node's bytes, which nobody but the mount changes as long
	 * as anybody has it open or mapped; or -errno: this process is to be asked.
	 */
	int (*whole)(struct fs *fs, uint64_t id);
	/* The first open and the last close of a node. */
	void (*opened)(struct fs *fs, uint64_t id);
	void (*closed)(struct fs *fs, uint64_t id);
	int (*read)(struct fs *fs, uint64_t id, size_t n, uint64_t at, struct fs_range *out);
	int (*write)(struct fs *fs, uint64_t id, const void *p, size_t n, uint64_t at, int flags,
		const struct fs_caller *caller);
	int (*sync)(struct fs *fs, uint64_t id, bool data_only);
	/*
	 * Emits the entries behind `cookie` in the order of their cookies, "." and ".." excepted, until emit
	 * gives FS_LIST_DONE. What it emits counts as looked up if want_attr, unless emit refused it.
	 */
	int (*list)(
		struct fs *fs, uint64_t dir, uint64_t cookie, bool want_attr, fs_emit_fn *emit, void *arg);
	/* Appends the value, or the names each with its NUL. */
	int (*getxattr)(struct fs *fs, uint64_t id, const char *name, struct buf *out);
	int (*listxattr)(struct fs *fs, uint64_t id, struct buf *out);
	int (*setxattr)(struct fs *fs, uint64_t id, const char *name, const void *value, size_t n, int flags);
	int (*removexattr)(struct fs *fs, uint64_t id, const char *name);
	int (*fallocate)(struct fs *fs, uint64_t id, int mode, uint64_t at, uint64_t n);
	int (*lseek)(struct fs *fs, uint64_t id, off_t at, int whence, off_t *out);
};

extern const struct fs_node_ops tree_root_ops, tree_block_ops, tree_control_ops, tree_bucket_ops,
	tree_upper_ops;

/* Which table a node belongs to; never NULL: an id that can't be ours gets the control directory's, which
 * denies it. */
const struct fs_node_ops *fs_ops_of(uint64_t id);

extern const struct fuse_lowlevel_ops fs_fuse_ops; /* ops.c */

/* mount.c: chooses what the kernel and this process will speak. */
void fs_mount_init(struct fs *fs, struct fuse_conn_info *conn);

/* tree_block.c, for the root: attributes of a block's directory; and what removes one. */
void tree_block_entry(struct fs *fs, struct merged_block *b, uint64_t hash, struct fuse_entry_param *out);
int tree_block_rmdir(struct fs *fs, struct merged_block *b);

/* tree_control.c. */
struct control *control_new(struct fs *fs);
void control_free(struct control *c); /* NULL is fine */

#endif
