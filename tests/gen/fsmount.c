/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts the filesystem over a fake view, for tests of the filesystem alone:
 *
 *	fsmount [-o OPTIONS] [-b BLOCKS_DIR] [-n EXTRA_BLOCKS] [-r BUCKET_DIR] [-t THREADS] \
 *	        MOUNTPOINT UPPER_DIR STATE_DIR
 *
 * SIGHUP publishes what is in BLOCKS_DIR then; SIGTERM and SIGINT unmount.
 */
#include "fs/mount.h"
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

int main(int argc, char **argv)
{
	struct fs_options o = { .linger_ms = 1000 };
	const char *blocks = NULL, *bucket_dir = NULL;
	unsigned extra = 0;
	for (int c; (c = getopt(argc, argv, "o:b:n:r:t:")) != -1;) {
		switch (c) {
		case 'o': o.fuse_options = optarg; break;
		case 'b': blocks = optarg; break;
		case 'n': extra = (unsigned)atoi(optarg); break;
		case 'r': bucket_dir = optarg; break;
		case 't': o.threads = (unsigned)atoi(optarg); break;
		default: return 2;
		}
	}
	if (argc - optind != 3) {
		fprintf(stderr, "usage: see the source\n");
		return 2;
	}
	o.mountpoint = argv[optind];
	o.upper_dir = argv[optind + 1];
	o.state_dir = argv[optind + 2];

	struct err e = { .msg = "" };
	struct waiting w = { 0 };
	sigemptyset(&w.signals);
	sigaddset(&w.signals, SIGTERM);
	sigaddset(&w.signals, SIGINT);
	sigaddset(&w.signals, SIGHUP);
	sigaddset(&w.signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &w.signals, NULL);
	if (bucket_dir && bucket_fs_new(bucket_dir, &o.bucket, &e) < 0) {
		log_error("no bucket", KV("err", e.msg));
		return 1;
	}
	struct fs_control_file config = { .name = "config.yaml", .render = render_config };
	o.control = &config;
	o.n_control = 1;
	o.view = w.view = fake_view_new(blocks, extra);
	if (fs_mount_start(&o, &w.fs, &e) < 0) {
		log_error("not mounted", KV("err", e.msg));
		return 1;
	}
	log_info("mounted", KV("mountpoint", o.mountpoint));
	pthread_t signals;
	pthread_create(&signals, NULL, wait_for_signals, &w);
	fs_mount_wait(w.fs);
	pthread_kill(signals, SIGUSR1);
	pthread_join(signals, NULL);
	fs_mount_free(w.fs);
	view_close(w.view);
	bucket_free(o.bucket);
	log_info("unmounted");
	return 0;
}
