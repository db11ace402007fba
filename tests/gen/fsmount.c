/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts the filesystem over a fake view, for tests of the filesystem alone:
 *
 *	fsmount [-o OPTIONS] [-b BLOCKS_DIR] [-n EXTRA_BLOCKS] [-r BUCKET_DIR] [-t THREADS] [-P] \
 *	        [-S [-R resend|slots|both] [-H HANG_MS] [-C FILE]] MOUNTPOINT UPPER_DIR STATE_DIR
 *
 * With -P the kernel passes nothing on to local files. SIGHUP publishes what is in BLOCKS_DIR then; SIGTERM and SIGINT unmount. With -S under a supervisor; a worker dies as soon as it
 * serves if FILE is there.
 */
#include "fs/mount.h"
#include "fs/supervisor.h"
#include "fs/worker.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "store/bucket_fs.h"
#include "tests/support/fake_view.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct waiting {
	struct fs *fs;
	struct view *view;
	sigset_t signals;
};

static void *wait_for_signals(void *arg)
{
	struct waiting *w = arg;
	for (;;) {
		int sig;
		sigwait(&w->signals, &sig);
		if (sig == SIGHUP) {
			fake_view_sync(w->view);
			continue;
		}
		if (sig != SIGUSR1)
			fs_mount_stop(w->fs);
		return NULL;
	}
}

static void render_config(void *arg, struct buf *out)
{
	(void)arg;
	buf_add_str(out, "type: FILESYSTEM\n");
}

struct arguments {
	struct fs_options fs;
	struct supervisor_options supervisor;
	const char *blocks, *bucket_dir, *crash_if;
	unsigned extra;
	bool is_supervised;
};

static enum supervisor_replay replay_of(const char *word)
{
	return !strcmp(word, "resend")  ? REPLAY_RESEND
	       : !strcmp(word, "slots") ? REPLAY_SLOTS
	       : !strcmp(word, "both")  ? REPLAY_BOTH
					: REPLAY_AUTO;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
	*a = (struct arguments){ .fs.linger_ms = 1000, .supervisor = { .linger_ms = 1000, .extra_fd = -1 } };
	for (int c; (c = getopt(argc, argv, "o:b:n:r:t:PSR:H:C:")) != -1;) {
		switch (c) {
		case 'o': a->fs.fuse_options = optarg; break;
		case 'b': a->blocks = optarg; break;
		case 'n': a->extra = (unsigned)atoi(optarg); break;
		case 'r': a->bucket_dir = optarg; break;
		case 't': a->fs.threads = (unsigned)atoi(optarg); break;
		case 'P': a->fs.no_passthrough = a->supervisor.no_passthrough = true; break;
		case 'S': a->is_supervised = true; break;
		case 'R': a->supervisor.replay = replay_of(optarg); break;
		case 'H': a->supervisor.hang_ms = atoi(optarg); break;
		case 'C': a->crash_if = optarg; break;
		default: return false;
		}
	}
	if (argc - optind != 3)
		return false;
	a->fs.mountpoint = argv[optind];
	a->fs.upper_dir = argv[optind + 1];
	a->fs.state_dir = argv[optind + 2];
	return true;
}

static void say_mounted(void *arg)
{
	log_info("mounted", KV("mountpoint", arg));
}

static int supervise(struct arguments *a, char **argv)
{
	struct err e = { .msg = "" };
	char *path = realpath(a->fs.mountpoint, NULL);
	a->supervisor.mountpoint = path ? path : a->fs.mountpoint;
	a->supervisor.fuse_options = a->fs.fuse_options;
	a->supervisor.worker_argv = argv;
	a->supervisor.passes_sighup = true;
	a->supervisor.ready = say_mounted;
	a->supervisor.arg = path;
	int r = supervisor_run(&a->supervisor, &e);
	if (r < 0 && e.msg[0])
		log_error("not mounted", KV("err", e.msg));
	free(path);
	log_info("unmounted");
	return r < 0;
}

static int serve(struct arguments *a)
{
	struct err e = { .msg = "" };
	struct waiting w = { 0 };
	sigemptyset(&w.signals);
	if (!a->is_supervised) {
		sigaddset(&w.signals, SIGTERM);
		sigaddset(&w.signals, SIGINT);
	}
	sigaddset(&w.signals, SIGHUP);
	sigaddset(&w.signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &w.signals, NULL);
	if (a->bucket_dir && bucket_fs_new(a->bucket_dir, &a->fs.bucket, &e) < 0) {
		log_error("no bucket", KV("err", e.msg));
		return 1;
	}
	if (a->is_supervised && worker_attach(&a->fs.worker, &e) < 0) {
		log_error("no worker", KV("err", e.msg));
		return 1;
	}
	struct fs_control_file config = { .name = "config.yaml", .render = render_config };
	a->fs.control = &config;
	a->fs.n_control = 1;
	a->fs.view = w.view = fake_view_new(a->blocks, a->extra);
	if (fs_mount_start(&a->fs, &w.fs, &e) < 0) {
		log_error("not mounted", KV("err", e.msg));
		return 1;
	}
	if (a->crash_if && file_exists(a->crash_if))
		raise(SIGKILL);
	if (!a->fs.worker)
		log_info("mounted", KV("mountpoint", a->fs.mountpoint));
	pthread_t signals;
	pthread_create(&signals, NULL, wait_for_signals, &w);
	fs_mount_wait(w.fs);
	pthread_kill(signals, SIGUSR1);
	pthread_join(signals, NULL);
	fs_mount_free(w.fs);
	view_close(w.view);
	bucket_free(a->fs.bucket);
	worker_free(a->fs.worker);
	if (!a->is_supervised)
		log_info("unmounted");
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments a;
	if (!parse(argc, argv, &a)) {
		fprintf(stderr, "usage: see the source\n");
		return 2;
	}
	return a.is_supervised && !worker_is_wanted() ? supervise(&a, argv) : serve(&a);
}
