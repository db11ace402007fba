/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount: what a view, a bucket and a local directory look like as one directory.
 *
 *	mountpoint/
 *	  ULID/		  the published merged blocks: read-only
 *	  .thanosfs/	  the control directory: bucket/, blocks.json, status.json, metrics, the caller's own files
 *	  everything else the upper directory's
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct bucket;
struct fd_keeper;
struct fs;
struct view;
struct worker;

/* A file of the control directory: a text that is made when somebody looks. */
struct fs_control_file {
	const char *name; /* a name like one of the filesystem's own replaces that */
	void (*render)(void *arg, struct buf *out); /* any thread; must not touch the mount */
	void *arg;
};

struct fs_options {
	struct worker *worker;    /* another process has mounted, or will when asked; NULL: this one mounts */
	const char *mountpoint;   /* not looked at where there is a worker */
	const char *fuse_options; /* comma list for -o, or NULL: allow_other, allow_root, ro, noatime ... */
	const char *upper_dir;    /* is created; what is written on the mount goes there */
	const char *state_dir;    /* is created: whiteouts, known blocks. Not below upper_dir */
	unsigned threads; /* that wait for requests when idle; 0: a default. More start when all are busy */
	unsigned
		linger_ms; /* without a worker: after a lazy unmount, how long files that are still open are served;
			       0: a default */
	bool no_passthrough;   /* the kernel never reads and writes a file in our place */
	struct view *view;     /* borrowed, like the next */
	struct bucket *bucket; /* NULL: no .thanosfs/bucket */
	const struct fs_control_file *control;
	size_t n_control;
	/*
	 * Where another process goes on when this one is killed: memory that it finds as this one left it, of journal_bytes()
	 * and open_count_bytes(), and who keeps descriptors. NULL: memory and descriptors of this process, or with a worker
	 * those of its supervisor. Borrowed.
	 */
	void *journal, *open_count;
	struct fd_keeper *fd_keeper;
};

#define FS_LINGER_DEFAULT_MS 5000u

/*
 * Mounts. What happened is decided when it returns: the mount answers, or the error says why not. The options
 * are copied, what they point to is borrowed until fs_mount_free. Sets view_on_publish, and to NULL at the
 * end.
 */
int fs_mount_start(const struct fs_options *options, struct fs **out, struct err *e);

/* Returns when the mount has ended: by fs_mount_stop, or because somebody unmounted it. One thread only. */
void fs_mount_wait(struct fs *fs);

/*
 * Without a worker. Unmounts, from any thread but not from a signal handler, and returns at once; fs_mount_wait returns when it
 * is done. A mount that is busy leaves the tree of names at once and goes on serving what is open for
 * options.linger_ms.
 */
void fs_mount_stop(struct fs *fs);

/* After fs_mount_wait, and when no view_sync runs any more. NULL is fine. */
void fs_mount_free(struct fs *fs);

#endif
