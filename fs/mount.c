/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting and unmounting, and what happens when another set of blocks is published.
 *
 *	starting --INIT answered--> serving --stop asked, or unmounted by others--> ending --threads gone--> ended
 *
 * A mount that is stopped while files are open is detached at once (its names are gone) but serves on for a
 * while. This process never touches a path on the mount itself.
 */
#include "fs/fs.h"

#include "fs/block_set.h"
#include "fs/fd_keeper.h"
#include "fs/invalidate.h"
#include "fs/journal.h"
#include "fs/loop.h"
#include "fs/name_list.h"
#include "fs/open_count.h"
#include "fs/upper.h"
#include "fs/whiteout.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS_DEFAULT 4u
#define THREADS_MAX     32u
#define LINGER_DEFAULT  5000u
#define INIT_LIMIT_S    20

extern char **environ;

struct session {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_ready;   /* INIT was answered */
	bool is_mounted; /* by this process, and not yet by it unmounted */
	bool stop_asked;
};

void fs_mount_init(struct fs *fs, struct fuse_conn_info *conn)
{
	/*
	 * No writeback cache: a write that returned survives the end of every process. No automatic
	 * invalidation: all changes pass through this kernel. Set-user-id bits are dropped here on writes,
	 * which spares a request each.
	 */
	conn->want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS |
		     FUSE_CAP_READDIRPLUS | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
		     FUSE_CAP_ASYNC_DIO | FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_CACHE_SYMLINKS |
		     FUSE_CAP_EXPLICIT_INVAL_DATA;
	conn->want &= conn->capable;
	conn->max_write = MIN_OF(conn->max_write, FS_REQUEST_BYTES);
	conn->time_gran = 1;

	pthread_mutex_lock(&fs->mount->lock);
	fs->mount->is_ready = true;
	pthread_cond_broadcast(&fs->mount->changed);
	pthread_mutex_unlock(&fs->mount->lock);
}

struct published {
	const struct view_snapshot *now;
};

static bool is_published(void *arg, const struct ulid *u)
{
	return view_snapshot_find(((struct published *)arg)->now, u) != NULL;
}

static void invalidate_block(struct fs *fs, const struct ulid *u)
{
	char name[ULID_CHARS + sizeof WHITEOUT_SUFFIX];
	ulid_format(u, name);
	if (whiteouts_state(fs->whiteouts, u) == WHITEOUT_PENDING)
		strcpy(name + ULID_CHARS, WHITEOUT_SUFFIX);
	invalidate_root_entry(fs->invalidate, name);
}

static void on_publish(void *arg, const struct view_snapshot *before, const struct view_snapshot *after)
{
	struct fs *fs = arg;
	block_sets_update(fs->blocks);
	for (size_t i = 0; before && i < before->n; i++) {
		const struct ulid *u = merged_block_ulid(before->blocks[i]);
		if (!view_snapshot_find(after, u))
			invalidate_block(fs, u);
	}
	invalidate_node(fs->invalidate, NODE_ROOT);
	/* An empty set is more likely a bucket that could not be seen than one that has lost all its blocks.
	 */
	if (after->n)
		whiteouts_retain(fs->whiteouts, is_published, &(struct published){ after });
}

/* 0 where it is not mounted any more. */
static int run_fusermount(const char *mountpoint, const char *how)
{
	char *const argv[] = { (char *)"fusermount3", (char *)(uintptr_t)how, (char *)"-q", (char *)"--",
		(char *)(uintptr_t)mountpoint, NULL };
	pid_t pid;
	int status;
	int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

static int unmount(const char *mountpoint, bool lazily)
{
	if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	return run_fusermount(mountpoint, lazily ? "-uz" : "-u");
}

static void copy_options(struct fs *fs, const struct fs_options *o)
{
	fs->options = *o;
	/* Resolved now: later, resolving it would mean asking ourselves. */
	fs->options.mountpoint = realpath(o->mountpoint, NULL);
	fs->options.fuse_options = o->fuse_options ? xstrdup(o->fuse_options) : NULL;
	fs->options.upper_dir = xstrdup(o->upper_dir);
	fs->options.state_dir = xstrdup(o->state_dir);
	if (o->n_control) {
		struct fs_control_file *files = xcalloc(o->n_control, sizeof *files);
		for (size_t i = 0; i < o->n_control; i++) {
			files[i] = o->control[i];
			files[i].name = xstrdup(o->control[i].name);
		}
		fs->options.control = files;
	}
}

static void free_options(struct fs *fs)
{
	free((char *)(uintptr_t)fs->options.mountpoint);
	free((char *)(uintptr_t)fs->options.fuse_options);
	free((char *)(uintptr_t)fs->options.upper_dir);
	free((char *)(uintptr_t)fs->options.state_dir);
	if (!fs->options.n_control)
		return;
	for (size_t i = 0; i < fs->options.n_control; i++)
		free((char *)(uintptr_t)fs->options.control[i].name);
	free((void *)(uintptr_t)fs->options.control);
}

/* What a process before this one has left of its work, if there was one. */
static int attach_memory(struct fs *fs, struct err *e)
{
	const struct fs_options *o = &fs->options;
	fs->journal = o->journal ? journal_attach(o->journal) : journal_new();
	if (!fs->journal)
		return err_set(e, -EPROTO, "the journal is of another version of this program");
	fs->opens =
		o->open_count ? open_count_attach(o->open_count, fs->journal) : open_count_new(fs->journal);
	if (!fs->opens)
		return err_set(e, -EPROTO, "the table of open files is of another version of this program");
	fs->own_keeper = o->fd_keeper ? NULL : fd_keeper_local_new();
	fs->keeper = o->fd_keeper ? o->fd_keeper : fs->own_keeper;
	return 0;
}

static int open_state(struct fs *fs, struct err *e)
{
	const struct fs_options *o = &fs->options;
	auto_free char *whiteouts = xasprintf("%s/whiteouts", o->state_dir);
	auto_free char *known = xasprintf("%s/known-blocks", o->state_dir);
	int r = file_mkdirs(o->state_dir, 0755, e);
	if (r == 0)
		r = upper_open(o->upper_dir, fs->opens, fs->keeper, &fs->upper, e);
	if (r == 0)
		r = whiteouts_open(whiteouts, &fs->whiteouts, e);
	if (r == 0)
		r = block_sets_open(o->view, known, &fs->blocks, e);
	struct stat st;
	if (r == 0 && upper_stat_fd(fs->upper->root_fd, NODE_ROOT, &st) == 0) {
		/* Blocks belong to whom the directory belongs: who may remove one on a disk may do so here.
		 */
		fs->uid = st.st_uid;
		fs->gid = st.st_gid;
	}
	if (o->bucket)
		fs->raw = raw_new();
	fs->control = control_new(fs);
	return r;
}

/* A descriptor for each file that is open on the mount, at worst. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int new_session(struct fs *fs, struct err *e)
{
	const char *more = fs->options.fuse_options;
	auto_free char *options = xasprintf("fsname=thanosfs,subtype=thanosfs,default_permissions%s%s",
		more && *more ? "," : "", more ? more : "");
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	if (fuse_opt_add_arg(&args, "thanosfs") || fuse_opt_add_arg(&args, "-o") ||
		fuse_opt_add_arg(&args, options))
		abort(); /* no memory */
	fs->session = fuse_session_new(&args, &fs_fuse_ops, sizeof fs_fuse_ops, fs);
	fuse_opt_free_args(&args);
	return fs->session ? 0 : err_set(e, -EINVAL, "FUSE refuses the mount options %s", options);
}

static int wait_for_init(struct fs *fs, struct err *e)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += INIT_LIMIT_S;
	int r = 0;
	pthread_mutex_lock(&fs->mount->lock);
	while (!fs->mount->is_ready && r == 0)
		r = pthread_cond_timedwait(&fs->mount->changed, &fs->mount->lock, &until);
	pthread_mutex_unlock(&fs->mount->lock);
	return r ? err_set(e, -ETIMEDOUT, "the kernel did not start to use %s within %d s",
			   fs->options.mountpoint, INIT_LIMIT_S)
		 : 0;
}

static int mount_and_serve(struct fs *fs, struct err *e)
{
	int r = new_session(fs, e);
	if (r < 0)
		return r;
	if (fuse_session_mount(fs->session, fs->options.mountpoint) < 0)
		return err_set(e, -EIO, "mounting on %s failed", fs->options.mountpoint);
	fs->mount->is_mounted = true;
	fs->invalidate = invalidate_start(fs->session);
	unsigned threads = fs->options.threads ? MIN_OF(fs->options.threads, THREADS_MAX) : THREADS_DEFAULT;
	r = loop_start(fs->session, threads, FS_REQUEST_BYTES, &fs->loop, e);
	if (r == 0)
		r = wait_for_init(fs, e);
	if (r == 0) {
		view_on_publish(fs->options.view, on_publish, fs);
		/* What was published between the first look and now. */
		block_sets_update(fs->blocks);
	}
	return r;
}

int fs_mount_start(const struct fs_options *options, struct fs **out, struct err *e)
{
	struct fs *fs = xcalloc(1, sizeof *fs);
	copy_options(fs, options);
	fs->mount = xcalloc(1, sizeof *fs->mount);
	pthread_mutex_init(&fs->mount->lock, NULL);
	pthread_cond_init(&fs->mount->changed, NULL);
	fs->start_ms = clock_unix_ms();
	fs->listings = name_cache_new();
	raise_file_limit();

	int r = 0;
	if (!fs->options.mountpoint)
		r = err_errno(e, -errno, "mount point %s", options->mountpoint);
	if (r == 0)
		r = attach_memory(fs, e);
	if (r == 0)
		r = open_state(fs, e);
	if (r == 0)
		r = mount_and_serve(fs, e);
	if (r < 0) {
		fs_mount_stop(fs);
		if (fs->loop)
			loop_end(fs->loop);
		fs_mount_free(fs);
		return r;
	}
	*out = fs;
	return 0;
}

void fs_mount_stop(struct fs *fs)
{
	pthread_mutex_lock(&fs->mount->lock);
	bool mine = fs->mount->is_mounted;
	fs->mount->is_mounted = false;
	fs->mount->stop_asked = true;
	pthread_mutex_unlock(&fs->mount->lock);
	if (mine && unmount(fs->options.mountpoint, false) < 0) {
		int r = unmount(fs->options.mountpoint, true);
		log_info("mount is busy: detached", KV("mountpoint", fs->options.mountpoint),
			KV("err", r < 0 ? strerror(-r) : NULL));
	}
	pthread_mutex_lock(&fs->mount->lock);
	pthread_cond_broadcast(&fs->mount->changed);
	pthread_mutex_unlock(&fs->mount->lock);
}

void fs_mount_wait(struct fs *fs)
{
	/* A thread ends by itself only when the connection has, so they all do; or somebody asks for the end.
	 */
	bool asked = false;
	while (!asked && loop_wait_ms(fs->loop, 100) < 0) {
		pthread_mutex_lock(&fs->mount->lock);
		asked = fs->mount->stop_asked;
		pthread_mutex_unlock(&fs->mount->lock);
	}
	if (asked) {
		unsigned linger = fs->options.linger_ms ? fs->options.linger_ms : LINGER_DEFAULT;
		if (loop_wait_ms(fs->loop, linger) < 0) {
			log_warn("files are still open: they are not served any more",
				KV_U64("files", open_count_nodes(fs->opens)));
			loop_end(fs->loop);
		}
	}
	pthread_mutex_lock(&fs->mount->lock);
	fs->mount->is_mounted = false;
	pthread_mutex_unlock(&fs->mount->lock);
}

static void close_node(void *arg, uint64_t id, unsigned count)
{
	struct fs *fs = arg;
	const struct fs_node_ops *ops = fs_ops_of(id);
	(void)count;
	if (ops->closed)
		ops->closed(fs, id);
}

/*
 * libfuse frees what it knows of a mount only by unmounting it, which it does by path unless its descriptor says that the
 * connection is dead. The path may be somebody else's by now; so the descriptor becomes one that looks dead, which also
 * ends a connection that still lives.
 */
static void end_session(struct fuse_session *se)
{
	int fd = fuse_session_fd(se), ends[2];
	if (fd >= 0 && pipe2(ends, O_CLOEXEC) == 0) {
		dup2(ends[1], fd);
		close(ends[0]);
		close(ends[1]);
		fuse_session_unmount(se);
	}
	fuse_session_destroy(se);
}

void fs_mount_free(struct fs *fs)
{
	if (!fs)
		return;
	view_on_publish(fs->options.view, NULL, NULL);
	invalidate_stop(fs->invalidate);
	loop_free(fs->loop);
	if (fs->session)
		end_session(fs->session);
	/* What the kernel closes no more. */
	if (fs->upper && fs->blocks && fs->whiteouts)
		open_count_each(fs->opens, close_node, fs);
	control_free(fs->control);
	raw_free(fs->raw);
	block_sets_close(fs->blocks);
	whiteouts_close(fs->whiteouts);
	upper_close(fs->upper);
	name_cache_free(fs->listings);
	fd_keeper_local_free(fs->own_keeper);
	open_count_free(fs->opens);
	journal_free(fs->journal);
	pthread_cond_destroy(&fs->mount->changed);
	pthread_mutex_destroy(&fs->mount->lock);
	free(fs->mount);
	free_options(fs);
	free(fs);
}
