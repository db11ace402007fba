/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting and unmounting, and what happens when another set of blocks is published.
 *
 *	starting --mounted--> serving --stop asked, or unmounted by others--> ending --threads gone--> ended
 *
 * A mount that is stopped while files are open is detached at once (its names are gone) but serves on for a
 * while. This process never touches a path on the mount itself. Where it is a supervisor's worker, it neither mounts nor
 * unmounts.
 */
#include "fs/fs.h"

#include "fs/block_set.h"
#include "fs/fd_keeper.h"
#include "fs/give_up.h"
#include "fs/inherited.h"
#include "fs/invalidate.h"
#include "fs/journal.h"
#include "fs/loop.h"
#include "fs/mount_point.h"
#include "fs/name_list.h"
#include "fs/open_count.h"
#include "fs/passthrough.h"
#include "fs/raw_table.h"
#include "fs/suspects.h"
#include "fs/upper.h"
#include "fs/whiteout.h"
#include "fs/worker.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

METRIC_COUNTER(given_up, "thanosfs_requests_given_up_total",
	"Requests that were answered with zeros or an error because several workers had died or hung over "
	"them.");

#define THREADS_DEFAULT   4u
#define THREADS_MAX       32u
#define INVALIDATE_END_MS 1000

struct session {
	pthread_mutex_t lock;
	bool is_mounted; /* by this process, and not yet by it unmounted */
	bool stop_asked;
	int helper_fd; /* of fusermount3, or -1 */
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
	(void)fs;
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

static void copy_options(struct fs *fs, const struct fs_options *o)
{
	fs->options = *o;
	/* Resolved now: later, resolving it would mean asking ourselves. */
	fs->options.mountpoint =
		o->worker ? xstrdup(worker_mountpoint(o->worker)) : realpath(o->mountpoint, NULL);
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
	struct fs_options *o = &fs->options;
	if (o->worker) {
		o->journal = shared_state_region(worker_state(o->worker), SHARED_REGION_JOURNAL);
		o->open_count = shared_state_region(worker_state(o->worker), SHARED_REGION_OPENS);
		o->fd_keeper = worker_keeper(o->worker);
	}
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
	auto_free char *known = xasprintf("%s/known-blocks", o->state_dir);
	int r = file_mkdirs(o->state_dir, 0755, e);
	if (r == 0)
		r = upper_open(o->upper_dir, fs->opens, fs->keeper, &fs->upper, e);
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

/* The descriptor to serve, and the INIT that was answered on it. */
static int get_connection(struct fs *fs, int *fd, struct fuse_kernel_init *init, struct err *e)
{
	const struct fs_options *o = &fs->options;
	if (o->worker) {
		int r = worker_wait_serve(o->worker, fd, e);
		*init = worker_state(o->worker)->head->init;
		return r;
	}
	bool can_resend;
	int r = mount_point_open(o->mountpoint, o->fuse_options, fd, &fs->mount->helper_fd, e);
	if (r < 0)
		return r;
	fs->mount->is_mounted = true;
	r = mount_point_negotiate(*fd, FS_REQUEST_BYTES, !o->no_passthrough, init, &can_resend, e);
	if (r < 0)
		close(*fd);
	return r;
}

/*
 * Makes libfuse believe that it mounted, and that the kernel has just said hello. Its answer to that has a number that no
 * request has, and goes nowhere.
 */
static int new_session(struct fs *fs, int fd, struct fuse_kernel_init *init, struct err *e)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	const char *options = fs->options.fuse_options;
	if (fuse_opt_add_arg(&args, "thanosfs") ||
		(options && strstr(options, "allow_root") && fuse_opt_add_arg(&args, "-oallow_root")))
		abort(); /* no memory */
	fs->session = fuse_session_new(&args, &fs_fuse_ops, sizeof fs_fuse_ops, fs);
	fuse_opt_free_args(&args);
	auto_free char *path = xasprintf("/dev/fd/%d", fd);
	if (!fs->session || fuse_session_mount(fs->session, path) < 0) {
		close(fd);
		return err_set(e, -EINVAL, "libfuse can't serve the mount");
	}
	init->head.len = sizeof *init;
	init->head.unique = UINT64_MAX / 2 - 1;
	struct fuse_buf hello = { .size = sizeof *init, .mem = init };
	fuse_session_process_buf(fs->session, &hello);
	return 0;
}

/* From a thread of the worker's. */
static void on_stop(void *arg, bool is_urgent)
{
	struct fs *fs = arg;
	if (is_urgent) {
		/* Whoever waits to take over can't begin before this process is gone, and loses nothing by its being gone. */
		loop_end(fs->loop);
		_exit(0);
	}
	pthread_mutex_lock(&fs->mount->lock);
	fs->mount->stop_asked = true;
	pthread_mutex_unlock(&fs->mount->lock);
}

/* What the process before this one may go on writing until it has ended, and this one must know to the last. */
static int open_what_changes(struct fs *fs, struct err *e)
{
	auto_free char *whiteouts = xasprintf("%s/whiteouts", fs->options.state_dir);
	fs->inherited = inherited_new(fs);
	return whiteouts_open(whiteouts, &fs->whiteouts, e);
}

static void on_give_up(void *arg, const struct fuse_in_header *in, size_t n, uint64_t number, unsigned deaths)
{
	struct fs *fs = arg;
	struct suspects *suspects = suspects_attach(
		shared_state_region(worker_state(fs->options.worker), SHARED_REGION_SUSPECTS));
	metric_set(given_up, suspects_gave_up(suspects));
	give_up(fs, in, n, number, deaths);
}

static int mount_and_serve(struct fs *fs, struct err *e)
{
	struct worker *w = fs->options.worker;
	struct fuse_kernel_init init;
	int fd;
	int r = get_connection(fs, &fd, &init, e);
	if (r == 0)
		r = new_session(fs, fd, &init, e);
	if (r == 0)
		r = open_what_changes(fs, e);
	if (r < 0)
		return r;
	fs->invalidate = w ? invalidate_over_link(worker_link(w)) : invalidate_start(fd, NULL);
	fs->passthrough = passthrough_new(fd, fs->opens, !fs->options.no_passthrough);
	struct loop_options loop = { .se = fs->session,
		.fd = fd,
		.idle = fs->options.threads ? MIN_OF(fs->options.threads, THREADS_MAX) : THREADS_DEFAULT };
	if (w) {
		loop.slots = (struct loop_slots){ shared_state_region(worker_state(w), SHARED_REGION_SLOTS),
			SHARED_SLOT_BYTES, SHARED_SLOTS };
		loop.replay = worker_replays(w);
		loop.suspects = suspects_attach(shared_state_region(worker_state(w), SHARED_REGION_SUSPECTS));
		loop.give_up = on_give_up;
		loop.arg = fs;
		metric_set(given_up, suspects_given_up(loop.suspects));
	}
	r = loop_start(&loop, &fs->loop, e);
	if (r < 0)
		return r;
	view_on_publish(fs->options.view, on_publish, fs);
	/* What was published between the first look and now. */
	block_sets_update(fs->blocks);
	inherited_take_up(fs->inherited);
	return w ? worker_serving(w, on_stop, fs, e) : 0;
}

int fs_mount_start(const struct fs_options *options, struct fs **out, struct err *e)
{
	struct fs *fs = xcalloc(1, sizeof *fs);
	copy_options(fs, options);
	fs->mount = xcalloc(1, sizeof *fs->mount);
	pthread_mutex_init(&fs->mount->lock, NULL);
	fs->mount->helper_fd = -1;
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
	if (mine && mount_point_unmount(fs->options.mountpoint, false) < 0) {
		int r = mount_point_unmount(fs->options.mountpoint, true);
		log_info("mount is busy: detached", KV("mountpoint", fs->options.mountpoint),
			KV("err", r < 0 ? strerror(-r) : NULL));
	}
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
		/* A supervisor asks when that time is over. */
		unsigned linger = fs->options.worker      ? 0
				  : fs->options.linger_ms ? fs->options.linger_ms
							  : FS_LINGER_DEFAULT_MS;
		if (loop_wait_ms(fs->loop, linger) < 0) {
			log_warn("files are still open: they are not served any more",
				KV_U64("files", open_count_nodes(fs->opens)));
			/* First what may wait for a request to be answered. */
			invalidate_end_ms(fs->invalidate, INVALIDATE_END_MS);
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

void fs_mount_free(struct fs *fs)
{
	if (!fs)
		return;
	if (fs->options.worker)
		worker_not_serving(fs->options.worker);
	view_on_publish(fs->options.view, NULL, NULL);
	loop_free(fs->loop);
	inherited_free(fs->inherited);
	/* Closes the descriptor: if the connection still lives, it ends now, and what waits for it too. */
	if (fs->invalidate)
		invalidate_end_ms(fs->invalidate, INVALIDATE_END_MS);
	if (fs->session)
		fuse_session_destroy(fs->session);
	invalidate_free(fs->invalidate);
	passthrough_free(fs->passthrough);
	if (fs->mount->helper_fd >= 0)
		close(fs->mount->helper_fd);
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
	pthread_mutex_destroy(&fs->mount->lock);
	free(fs->mount);
	free_options(fs);
	free(fs);
}
