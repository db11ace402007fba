/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor's files share. */
#ifndef FS_SUPERVISOR_PRIVATE_H
#define FS_SUPERVISOR_PRIVATE_H

#include "fs/fd_store.h"
#include "fs/invalidate.h"
#include "fs/link.h"
#include "fs/shared_state.h"
#include "fs/supervisor.h"

#include <signal.h>
#include <sys/types.h>

#define HANG_DEFAULT_MS   60000
#define LIVENESS_LIMIT_MS 10000
#define STANDBY_RETRY_US  1000000
#define ZOMBIE_LIMIT_MS   500

/*
 * How long to wait before another worker is started. One that served for a while is followed at once, and so are the first few in a
 * row that did not: they may just have been killed from outside in quick succession. After that the pauses double.
 */
#define BACKOFF_AT_ONCE   5
#define BACKOFF_SERVED_US 200000 /* longer than this is a while */
#define BACKOFF_FIRST_US  100000
#define BACKOFF_MAX_US    10000000

struct backoff {
	unsigned failures; /* in a row */
};

int64_t backoff_next_us(struct backoff *b, int64_t served_us);

enum child_phase { CHILD_STANDBY, CHILD_BUILDING, CHILD_SERVING, CHILD_RETIRING };

/* What a worker was seen doing, in looks at it: time that this process doesn't get isn't held against it. */
struct child_watch {
	uint64_t liveness;
	int64_t liveness_looks;
	uint64_t unique[SHARED_SLOTS];
	int64_t unique_looks[SHARED_SLOTS];
};

struct child {
	pid_t pid; /* -1: there is none */
	int link;
	enum child_phase phase;
	int64_t serving_us; /* since when it serves, or retires */
	bool hangs, is_silent, pid_is_gone;
	unsigned zombie_ticks;
	struct child_watch watch;
};

#define CHILD_NONE ((struct child){ .pid = -1, .link = -1 })

/* Starts one that stands by. */
int child_spawn(struct child *c, const struct supervisor_options *o, const struct shared_state *state,
	const sigset_t *mask, struct err *e);
void child_close(struct child *c); /* forgets it; it is gone */
void child_kill(struct child *c);  /* and waits, and forgets it */

bool child_is_zombie(const struct child *c);

/* A look at it. NULL, or what it is that takes more than so many looks. */
const char *child_hangs(
	struct child *c, const struct shared_state *state, int64_t request_looks, int64_t liveness_looks);

struct supervisor {
	struct supervisor_options options;
	struct err *err;
	struct shared_state state;
	struct fd_store *kept;
	struct invalidate *invalidate;
	int fuse_fd, helper_fd, signal_fd;
	sigset_t child_mask;
	bool can_resend;

	struct child worker, standby;
	pid_t abandoned[4]; /* dead workers with a thread that isn't; 0: none */
	struct backoff backoff;
	int64_t died_us;       /* the last worker */
	int64_t start_at_us;   /* when the next is started; 0: there is one */
	int64_t standby_at_us; /* not earlier */
	int64_t extend_at_us;

	bool is_mounted, was_ready;
	bool is_stopping; /* asked to */
	pid_t unmounter;
	int64_t linger_until_us; /* 0: still unmounting */
	bool is_ending;          /* the worker was told so */
	bool has_ended;
	int result;

	/* supervisor_upgrade.c's */
	int listen_fd, client_fd, program_fd, try_fd;
	pid_t try_pid; /* the new program on trial, or 0 */
	bool is_upgrading;
	char was_version[SHARED_VERSION_SIZE];
};

int upgrade_listen(struct supervisor *s, struct err *e);
void upgrade_accept(struct supervisor *s); /* listen_fd is readable */
void upgrade_tried(struct supervisor *s, bool is_accepted);
int upgrade_resume(
	struct supervisor *s, struct err *e); /* what the version before has left; in place of making it */
void upgrade_standby_ready(struct supervisor *s);
void upgrade_standby_died(struct supervisor *s);
void upgrade_serving(struct supervisor *s);

#endif
