/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that serves a mount on behalf of a supervisor (supervisor.h), as that process sees it: same program, same arguments,
 * and an environment variable that makes it a worker.
 *
 *	waiting --LINK_START--> building --LINK_BUILT, LINK_SERVE--> serving --LINK_STOP, or the mount's end--> ending
 *
 * A worker ends with its supervisor, whatever it is doing. It must never touch a path on the mount.
 */
#ifndef FS_WORKER_H
#define FS_WORKER_H

#include "fs/shared_state.h"
#include "lib/base/err.h"

#include <stdbool.h>

#define WORKER_ENVIRONMENT "THANOSFS_WORKER"

struct fd_keeper;
struct worker;

bool worker_is_wanted(void); /* this process was started as one */

/*
 * Before there are threads. Returns once there is something to do, which for a worker that stands by is when the one before it
 * has died; does whatever can be done before that. SIGINT and SIGTERM are the supervisor's business from now on.
 */
int worker_attach(struct worker **out, struct err *e);
void worker_free(struct worker *w); /* NULL is fine */

const char *worker_mountpoint(
	const struct worker *w);                /* absolute; looking it up would mean asking ourselves */
bool worker_takes_over(const struct worker *w); /* there was one before, and what it listed is to be listed */
bool worker_replays(const struct worker *w);    /* requests in the shared slots are to be served first */
struct shared_state *worker_state(struct worker *w);
int worker_link(const struct worker *w);           /* for invalidate_over_link */
struct fd_keeper *worker_keeper(struct worker *w); /* the supervisor keeps them */

/* All is built: waits for the descriptor to serve, which becomes the caller's. */
int worker_wait_serve(struct worker *w, int *fuse_fd, struct err *e);

/*
 * Requests are being answered. `stop` is called, from another thread, when the supervisor wants that to end: soon, and in order;
 * or now, if others wait (is_urgent).
 */
int worker_serving(struct worker *w, void (*stop)(void *arg, bool is_urgent), void *arg, struct err *e);
void worker_not_serving(struct worker *w); /* `stop` is not called any more */

/* What the supervisor will give as the reason. */
void worker_say(struct worker *w, const char *words);

#endif
