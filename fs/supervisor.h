/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that holds a mount, and does next to nothing else, so that it has no reason to die. A worker (worker.h), which it
 * starts from the same program, serves; when that dies another one gets the requests that were not answered, and who had sent
 * them waited a moment, no more.
 *
 *	building --first worker has built--> mounted --> serving <--worker died, another took over--> waiting
 *	serving --stop asked--> draining --connection ended, or linger_ms over--> ended
 */
#ifndef FS_SUPERVISOR_H
#define FS_SUPERVISOR_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Which way requests of a dead worker reach the next; the last three are for tests. */
enum supervisor_replay {
	REPLAY_AUTO,   /* the kernel gives them again where it can, else they are taken from shared memory */
	REPLAY_RESEND, /* only the former */
	REPLAY_SLOTS,  /* only the latter */
	REPLAY_BOTH
};

struct supervisor_options {
	const char *mountpoint;   /* absolute; not looked at in a process that is resumed */
	const char *fuse_options; /* as mount_point_open takes them */
	char *const *worker_argv; /* how a worker is called; its environment is this one's */
	enum supervisor_replay replay;
	int64_t hang_ms; /* a read or look-up that takes longer means that the worker hangs; 0: a default */
	unsigned
		linger_ms; /* after a lazy unmount, how long files that are still open are served; 0: a default */
	int extra_fd;      /* a descriptor to be held as long as the mount, or -1; taken */
	bool passes_sighup;       /* on to the worker */
	bool no_passthrough;      /* see fs_options */
	void (*ready)(void *arg); /* the mount answers; called once */
	void *arg;
};

/* This process was a supervisor before it became this program (upgrade.h): all there is to do is supervisor_run. */
bool supervisor_is_resumed(void);

/*
 * Mounts, supervises, and returns when the mount has ended: 0, or -errno where it never began; the first worker has logged why,
 * if *e is empty. Blocks SIGTERM and SIGINT, which end the mount, and SIGCHLD. Call it before there are threads.
 */
int supervisor_run(const struct supervisor_options *options, struct err *e);

#endif
