/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The upper directory: a local directory in which everything that is written on the mount lands. Its nodes
 * are known by ids that derive from the backing inodes; a table says under which names each stands, and keeps
 * a bounded number of descriptors. Table and descriptors are caches: an id that the table lacks is found by
 * walking the directory, a descriptor is opened again by name. The one exception is a file that was removed
 * while somebody uses it: its descriptor is all there is of it, and stays until the kernel forgets the node. As
 * long as the file is open a copy is with the keeper, for the process that comes after this one.
 *
 *	upper_node.c   the table
 *	upper_fd.c     descriptors
 *	upper_leave.c  what is open and loses its names
 *	upper_dir.c    operations on names
 *	upper_file.c   operations on files, and attributes
 *	upper_copy.c   copies of merged blocks' files, which link(2) makes
 */
#ifndef FS_UPPER_H
#define FS_UPPER_H

#include "fs/fs.h"
#include "fs/node_table.h"
#include "lib/base/vec.h"

#include <pthread.h>

#define UPPER_DEPTH_MAX 1024u /* of directories in each other */

struct upper_link {
	uint64_t dir;
	char *name;
};

/*
 *	pins > 0	somebody works with it: neither the node nor its descriptors go
 *	lookups > 0	the kernel knows it: it was told so often by this process
 *	may_be_known	a walk has found it: the kernel may know it from a process before this one
 *	links empty	removed; path_fd is held then
 *	leaving > 0	its last name is on its way out: who opens it now sees to it that a descriptor is kept
 */
struct upper_node {
	struct node_entry node; /* of the table */
	uint64_t generation;
	struct upper_node *prev, *next; /* least recently used: nodes with descriptors and no pins */
	unsigned pins;
	uint64_t lookups;
	bool may_be_known;
	_Atomic unsigned leaving;
	dev_t dev;
	ino_t ino;
	_Atomic mode_t mode; /* as last seen; the type never changes */
	int path_fd;         /* O_PATH; -1: none */
	int read_fd;
	int write_fd;
	bool write_fd_reads;
	VEC(struct upper_link) links;
};

struct upper {
	int root_fd;
	bool is_root;             /* this process may act for others */
	struct open_count *opens; /* borrowed, as the next */
	struct fd_keeper *keeper; /* NULL: none */
	pthread_mutex_t keeping;  /* what is told to the keeper, in one order with what `opens` says of it */

	pthread_mutex_t lock;
	pthread_cond_t walked;
	uint64_t walks_begun, walks_ended; /* one at a time */
	struct node_table nodes;
	struct upper_node used; /* head of the list */
	unsigned n_idle_fds;    /* of the nodes in it */
	unsigned max_idle_fds;
};

int upper_open(const char *dir, struct open_count *opens, struct fd_keeper *keeper, struct upper **out,
	struct err *e);
void upper_close(struct upper *u); /* NULL is fine */

/* The node with a pin, found by walking the directory if need be; NULL: there is none. */
struct upper_node *upper_get(struct upper *u, uint64_t id);
void upper_put(struct upper *u, struct upper_node *n); /* NULL is fine */

/*
 * What stands under this name now, entered in the table, with a pin. path_fd of `dir` is open. `lookups` are
 * added to what the kernel knows. *out, where it is not NULL, gets the attributes, node id for inode number.
 */
int upper_enter(struct upper *u, struct upper_node *dir, const char *name, unsigned lookups, struct stat *out,
	struct upper_node **node);

/* The kernel forgets n look-ups; 0: looks whether the node can go for another reason. */
void upper_forget(struct upper *u, uint64_t id, uint64_t n);

/*
 * Around the removal of a name of a pinned node with its path_fd open. If it is the last name, a descriptor of what
 * is open by now is kept before this returns, and of what is opened from now on by upper_keep_opened; so that there
 * is one at any moment in which the file is open and has no name.
 */
void upper_leave_begin(struct upper *u, struct upper_node *n);
void upper_leave_end(struct upper_node *n);

/* After a pinned node was counted as open, and before that is answered. */
void upper_keep_opened(struct upper *u, struct upper_node *n);

/* After the last close of a node that was kept: the keeper drops it, unless it is open again and kept anew. */
void upper_let_go(struct upper *u, uint64_t id);

/* Descriptors of a pinned node, borrowed as long as the pin is; or -errno. */
int upper_path_fd(struct upper *u, struct upper_node *n);
int upper_read_fd(struct upper *u, struct upper_node *n);
int upper_write_fd(struct upper *u, struct upper_node *n);

/* Hands over a descriptor that was opened to read and write. */
void upper_give_write_fd(struct upper *u, struct upper_node *n, int fd);

/* After a name came or went. Removing the last link of a node needs its path_fd open. */
void upper_add_link(struct upper *u, struct upper_node *n, uint64_t dir, const char *name);
void upper_remove_link(struct upper *u, struct upper_node *n, uint64_t dir, const char *name);

/* The name by which another thread, or a call that takes none of O_PATH, reaches a descriptor. */
struct upper_proc_path {
	char s[32];
};
struct upper_proc_path upper_proc_path(int fd);

/* Attributes of a descriptor's file as the mount shows them. */
int upper_stat_fd(int fd, uint64_t id, struct stat *out);

/* A pinned node and its path_fd; drops the pin at the end of the scope. */
struct upper_use {
	struct upper *upper;
	struct upper_node *node; /* NULL: there is none */
	int fd;                  /* or -errno */
};
struct upper_use upper_use(struct upper *u, uint64_t id);
static inline void upper_use_end(struct upper_use *use)
{
	upper_put(use->upper, use->node);
}
#define auto_upper_use __attribute__((cleanup(upper_use_end)))

/* upper_dir.c: of the operations, those that the root needs for its own. */
int upper_lookup(struct fs *fs, uint64_t dir, const char *name, struct fuse_entry_param *out);
int upper_make(struct fs *fs, uint64_t dir, const char *name, const struct fs_new_node *new,
	const struct fs_caller *caller, struct fuse_entry_param *out);
int upper_create(struct fs *fs, uint64_t dir, const char *name, mode_t mode, int flags,
	const struct fs_caller *caller, struct fuse_entry_param *out);
int upper_remove(struct fs *fs, uint64_t dir, const char *name, bool is_dir);
int upper_rename(struct fs *fs, uint64_t dir, const char *name, uint64_t new_dir, const char *new_name,
	unsigned flags);
int upper_link(struct fs *fs, uint64_t id, uint64_t dir, const char *name, struct fuse_entry_param *out);
/* Leaves out the names that `is_hidden` (may be NULL) claims. */
int upper_list(struct fs *fs, uint64_t dir, uint64_t cookie, bool want_attr, fs_emit_fn *emit, void *arg,
	bool (*is_hidden)(struct fs *fs, const char *name));

/* upper_file.c, likewise; and those that upper_dir.c's table takes from it. */
int upper_getattr(struct fs *fs, uint64_t id, struct stat *out, double *timeout);
int upper_setattr(struct fs *fs, uint64_t id, const struct stat *to, int which);
int upper_readlink(struct fs *fs, uint64_t id, char *out, size_t n);
int upper_open_file(struct fs *fs, uint64_t id, struct fuse_file_info *fi);
int upper_whole(struct fs *fs, uint64_t id);
int upper_truncate_once(int fd);
int upper_read(struct fs *fs, uint64_t id, size_t n, uint64_t at, struct fs_range *out);
int upper_write(struct fs *fs, uint64_t id, const void *p, size_t n, uint64_t at, int flags,
	const struct fs_caller *caller);
int upper_sync(struct fs *fs, uint64_t id, bool data_only);
int upper_fallocate(struct fs *fs, uint64_t id, int mode, uint64_t at, uint64_t n);
int upper_lseek(struct fs *fs, uint64_t id, off_t at, int whence, off_t *out);
int upper_getxattr(struct fs *fs, uint64_t id, const char *name, struct buf *out);
int upper_listxattr(struct fs *fs, uint64_t id, struct buf *out);
int upper_setxattr(struct fs *fs, uint64_t id, const char *name, const void *value, size_t n, int flags);
int upper_removexattr(struct fs *fs, uint64_t id, const char *name);
int64_t upper_copy_range(
	struct fs *fs, uint64_t from, uint64_t from_at, uint64_t to, uint64_t to_at, size_t n, int flags);

/* Links an open file to a name: 0 or -errno. */
int upper_link_fd(int fd, int dir_fd, const char *name);

/* Gives a copy of a merged block's file a name in the upper directory (upper_copy.c). */
int upper_link_copy(struct fs *fs, uint64_t id, int dir_fd, const char *name);

#endif
