/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread listens to the supervisor and counts up its liveness meanwhile. It does nothing else, so that a worker which doesn't
 * count has been stopped or starved as a whole.
 */
#include "fs/worker.h"

#include "fs/fd_keeper_link.h"
#include "fs/link.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

METRIC_FAMILY(restarts, METRIC_TYPE_COUNTER, "thanosfs_worker_restarts_total",
	"Worker processes that were followed by another one.", "reason");

#define LIVENESS_MS 250

struct worker {
	int link;
	struct fd_keeper_link keeper;
	struct shared_state state;
	bool takes_over, replays;

	pthread_t listener;
	bool listens;
	int wake[2]; /* ends the listener */
	void (*stop)(void *arg, bool is_urgent);
	void *arg;
};

bool worker_is_wanted(void)
{
	return getenv(WORKER_ENVIRONMENT) != NULL;
}

struct fd_keeper *worker_keeper(struct worker *w)
{
	return &w->keeper.base;
}

/* The next message, which must be of this kind; *fd is what came along, or -1. */
static int expect(struct worker *w, enum link_kind kind, struct link_message *m, int *fd, struct err *e)
{
	int fds[LINK_FDS];
	int r = link_receive(w->link, m, fds, 0);
	if (r == 0)
		return err_set(e, -EPIPE, "the supervisor is gone");
	if (r < 0)
		return err_errno(e, r, "listening to the supervisor");
	*fd = fds[0];
	if (fds[1] >= 0)
		close(fds[1]);
	if (m->kind == kind)
		return 0;
	if (fds[0] >= 0)
		close(fds[0]);
	return err_set(e, -EPROTO, "the supervisor says %u instead of %d", m->kind, kind);
}

static int open_link(struct worker *w, struct err *e)
{
	const char *number = getenv(WORKER_ENVIRONMENT);
	char *end = NULL;
	long fd = number ? strtol(number, &end, 10) : -1;
	if (!number || *end || fd < 0 || fd > INT32_MAX || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, -EBADF, "%s names no descriptor", WORKER_ENVIRONMENT);
	w->link = (int)fd;
	unsetenv(WORKER_ENVIRONMENT);
	fd_keeper_link_init(&w->keeper, w->link);
	return 0;
}

static void show_restarts(const struct shared_head *h)
{
	for (unsigned i = 0; i < RESTART_REASONS; i++)
		metric_set(metric_of(&restarts, restart_reason_names[i]), atomic_load(&h->restarts[i]));
}

int worker_attach(struct worker **out, struct err *e)
{
	struct worker *w = xcalloc(1, sizeof *w);
	struct link_message m;
	int fd = -1;
	w->link = w->state.fd = w->wake[0] = w->wake[1] = -1;
	prctl(PR_SET_NAME, "thanosfs-worker");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	int r = open_link(w, e);
	if (r == 0)
		r = expect(w, LINK_HELLO, &m, &fd, e);
	if (r == 0)
		r = shared_state_attach(fd, &w->state, e);
	if (r == 0 && pipe2(w->wake, O_CLOEXEC) < 0)
		r = err_errno(e, -errno, "making a pipe");
	if (r == 0)
		r = link_send(w->link, &(struct link_message){ .kind = LINK_READY }, NULL, 0);
	if (r == 0)
		r = expect(w, LINK_START, &m, &fd, e);
	if (r < 0) {
		worker_free(w);
		return r;
	}
	w->takes_over = m.flags & LINK_TAKES_OVER;
	w->replays = m.flags & LINK_REPLAY;
	show_restarts(w->state.head);
	*out = w;
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_not_serving(w);
	for (unsigned i = 0; i < 2; i++)
		if (w->wake[i] >= 0)
			close(w->wake[i]);
	shared_state_close(&w->state);
	if (w->link >= 0)
		close(w->link);
	free(w);
}

const char *worker_mountpoint(const struct worker *w)
{
	return w->state.head->mountpoint;
}

bool worker_takes_over(const struct worker *w)
{
	return w->takes_over;
}

bool worker_replays(const struct worker *w)
{
	return w->replays;
}

struct shared_state *worker_state(struct worker *w)
{
	return &w->state;
}

int worker_link(const struct worker *w)
{
	return w->link;
}

int worker_wait_serve(struct worker *w, int *fuse_fd, struct err *e)
{
	struct link_message m = { .kind = LINK_BUILT };
	int r = link_send(w->link, &m, NULL, 0);
	if (r < 0)
		return err_errno(e, r, "telling the supervisor");
	r = expect(w, LINK_SERVE, &m, fuse_fd, e);
	if (r == 0 && *fuse_fd < 0)
		r = err_set(e, -EPROTO, "the supervisor sent no descriptor to serve");
	return r;
}

static void *listen_and_count(void *arg)
{
	struct worker *w = arg;
	struct link_message m;
	int fds[LINK_FDS];
	struct pollfd p[] = { { .fd = w->link, .events = POLLIN }, { .fd = w->wake[0], .events = POLLIN } };
	for (;;) {
		atomic_fetch_add(&w->state.head->liveness, 1);
		int r = poll(p, ARRAY_LEN(p), LIVENESS_MS);
		if (r > 0 && p[1].revents)
			return NULL;
		if (r <= 0 || !p[0].revents)
			continue;
		r = link_receive(w->link, &m, fds, MSG_DONTWAIT);
		if (r == 0)
			_exit(1); /* nobody holds the mount any more */
		for (unsigned i = 0; r > 0 && i < LINK_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		if (r > 0 && (m.kind == LINK_STOP || m.kind == LINK_RETIRE))
			w->stop(w->arg, m.kind == LINK_RETIRE);
	}
}

int worker_serving(struct worker *w, void (*stop)(void *arg, bool is_urgent), void *arg, struct err *e)
{
	struct link_message m = { .kind = LINK_SERVING };
	w->stop = stop;
	w->arg = arg;
	int r = thread_start(&w->listener, 0, 0, listen_and_count, w);
	if (r < 0)
		return err_errno(e, r, "starting a thread");
	w->listens = true;
	r = link_send(w->link, &m, NULL, 0);
	return r < 0 ? err_errno(e, r, "telling the supervisor") : 0;
}

void worker_not_serving(struct worker *w)
{
	if (!w->listens)
		return;
	if (write(w->wake[1], "", 1) != 1)
		log_error("a pipe is broken", KV("err", strerror(errno)));
	pthread_join(w->listener, NULL);
	w->listens = false;
}

void worker_say(struct worker *w, const char *words)
{
	shared_state_say(&w->state, words);
}
