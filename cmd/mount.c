/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thanosfs mount: a supervisor that holds the mount, and a worker that serves it: the same program with the same arguments. With
 * --no-supervisor one process is both.
 */
#include "cmd/background.h"
#include "cmd/command.h"
#include "cmd/mount_flags.h"
#include "cmd/mount_secret.h"
#include "cmd/mount_worker.h"
#include "fs/supervisor.h"
#include "fs/upgrade.h"
#include "fs/worker.h"
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_FAILED      1
#define STATUS_USAGE       2
#define DIRECTORY_VARIABLE "THANOSFS_DIRECTORY" /* where a worker's relative paths begin */

struct command_line {
	struct mount_flags flags;
	char *mountpoint; /* absolute */
	int lock_fd;
	int ready_fd;
	int argc;
	char **argv;
};

static void fini(struct command_line *c)
{
	mount_flags_fini(&c->flags);
	free(c->mountpoint);
	if (c->lock_fd >= 0)
		close(c->lock_fd);
}

/* The data directory belongs to one mount. */
static int lock_data_dir(struct command_line *c, struct err *e)
{
	auto_free char *path = xasprintf("%s/lock", c->flags.data_dir);
	c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (c->lock_fd < 0)
		return err_errno(e, -errno, "opening %s", path);
	if (flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "data directory %s is in use by another mount", c->flags.data_dir);
	return 0;
}

/* Whether an absolute path is `dir` or lies below it. */
bool mount_path_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	return !strncmp(path, dir, n) && (path[n] == 0 || path[n] == '/');
}

/*
 * Paths that still mean the same from another directory. What lies below the mount point would be hidden by the mount, and
 * reading it through the mount would wait for itself.
 */
static int resolve_paths(struct command_line *c, struct err *e)
{
	struct stat st;
	c->mountpoint = realpath(c->flags.mountpoint, NULL);
	if (!c->mountpoint || stat(c->mountpoint, &st) < 0)
		return err_errno(e, -errno, "mount point %s", c->flags.mountpoint);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "mount point %s is not a directory", c->flags.mountpoint);
	int r = file_mkdirs(c->flags.data_dir, 0755, e);
	if (r < 0)
		return r;
	char *data = realpath(c->flags.data_dir, NULL);
	if (!data)
		return err_errno(e, -errno, "data directory %s", c->flags.data_dir);
	free(c->flags.data_dir);
	c->flags.data_dir = data;
	if (mount_path_is_below(data, c->mountpoint))
		return err_set(e, -EINVAL, "data directory %s lies below the mount point", data);
	return 0;
}

static void block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

char *mount_fuse_options(const struct mount_flags *f)
{
	struct buf b = { 0 };
	const struct {
		bool on;
		const char *word;
	} own[] = { { f->allow_other, "allow_other" }, { f->allow_root, "allow_root" },
		{ f->read_only, "ro" } };
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (own[i].on)
			buf_printf(&b, "%s%s", b.len ? "," : "", own[i].word);
	for (size_t i = 0; i < f->fuse_options.len; i++)
		buf_printf(&b, "%s%s", b.len ? "," : "", f->fuse_options.data[i]);
	buf_str(&b);
	return (char *)b.data;
}

static void on_ready(void *arg)
{
	struct command_line *c = arg;
	log_info("mounted", KV("mountpoint", c->mountpoint));
	background_ready(c->ready_fd);
	c->ready_fd = -1;
}

static int leave_directory(void)
{
	char *here = getcwd(NULL, 0);
	if (here)
		setenv(DIRECTORY_VARIABLE, here, 1);
	free(here);
	return chdir("/");
}

static int supervise(struct command_line *c, struct err *e)
{
	/* "thanosfs mount ..." is the supervisor's name. */
	auto_free char **argv = xcalloc((size_t)c->argc + 2, sizeof *argv);
	argv[0] = (char *)"thanosfs-worker";
	memcpy(argv + 1, c->argv, (size_t)c->argc * sizeof *argv);
	auto_free char *options = mount_fuse_options(&c->flags);
	struct supervisor_options o = { .mountpoint = c->mountpoint,
		.fuse_options = options,
		.worker_argv = argv,
		.replay = (enum supervisor_replay)c->flags.debug_replay,
		.hang_ms = MAX_OF(c->flags.hang_ms, 2 * c->flags.read_deadline_ms),
		.extra_fd = c->lock_fd,
		.no_passthrough = c->flags.no_passthrough,
		.ready = on_ready,
		.arg = c };
	c->lock_fd = -1;
	mount_raise_descriptor_limit();
	int r = supervisor_run(&o, e);
	if (r == 0)
		log_info("unmounted", KV("mountpoint", c->mountpoint ? c->mountpoint : c->flags.mountpoint));
	return r;
}

static int run(struct command_line *c)
{
	struct err e = { .msg = "" };
	int status = 0;
	if (supervisor_is_resumed())
		return supervise(c, &e) < 0 ? STATUS_FAILED : 0;
	int r = mount_secret_hide(c->argc, c->argv, c->flags.objstore_config, &e);
	if (r == 0)
		r = resolve_paths(c, &e);
	if (r == 0 && c->flags.is_daemon && background_start(&c->ready_fd, &status))
		return status;
	if (r == 0)
		r = lock_data_dir(c, &e);
	if (r == 0 && c->flags.no_supervisor) {
		block_signals();
		return mount_worker_run(&c->flags, c->mountpoint, c->ready_fd);
	}
	if (r == 0 && c->flags.is_daemon && leave_directory() < 0)
		r = err_errno(&e, -errno, "leaving the working directory");
	if (r == 0)
		r = supervise(c, &e);
	if (r < 0 && e.msg[0])
		log_error("mount failed", KV("err", e.msg));
	return r < 0 ? STATUS_FAILED : 0;
}

static int upgrade(struct command_line *c)
{
	struct err e;
	char was[UPGRADE_VERSION_BYTES];
	c->mountpoint = realpath(c->flags.mountpoint, NULL);
	int r = c->mountpoint ? upgrade_ask(c->mountpoint, was, &e)
			      : err_errno(&e, -errno, "mount point %s", c->flags.mountpoint);
	if (r < 0) {
		fprintf(stderr, "thanosfs mount: %s\n", e.msg);
		return STATUS_FAILED;
	}
	printf("%s: version %s serves, after %s\n", c->mountpoint, THANOSFS_VERSION, was);
	return 0;
}

/* The supervisor of a mount wants to know whether this program could take its place; the arguments were understood. */
static int be_tried(void)
{
	struct err e;
	if (upgrade_try(&e) == 0)
		return 0;
	fprintf(stderr, "%s\n", e.msg);
	return STATUS_FAILED;
}

static int be_worker(struct command_line *c)
{
	/* Where it is gone, only relative paths are missed, and those say so. */
	const char *directory = getenv(DIRECTORY_VARIABLE);
	if (directory && chdir(directory) < 0)
		log_warn("working directory is gone", KV("directory", directory));
	unsetenv(DIRECTORY_VARIABLE);
	struct err e;
	if (mount_secret_take(&c->flags.objstore_config, &e) < 0) {
		log_error("mount failed", KV("err", e.msg));
		return STATUS_FAILED;
	}
	return mount_worker_run(&c->flags, NULL, -1);
}

int cmd_mount(int argc, char **argv)
{
	struct err e = { .msg = "" };
	struct command_line c = { .lock_fd = -1, .ready_fd = -1, .argc = argc, .argv = argv };
	int status;
	if (mount_flags_parse(argc, argv, &c.flags, &e) < 0) {
		fprintf(stderr, "thanosfs mount: %s\n", e.msg);
		status = STATUS_USAGE;
	} else if (c.flags.help || c.flags.version) {
		status = c.flags.help ? command_help(&mount_flag_set) : command_version();
	} else {
		log_setup(c.flags.log_level, c.flags.log_format);
		status = upgrade_is_tried()   ? be_tried()
			 : worker_is_wanted() ? be_worker(&c)
			 : c.flags.upgrade    ? upgrade(&c)
					      : run(&c);
	}
	fini(&c);
	return status;
}
