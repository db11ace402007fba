/* SPDX-License-Identifier: Apache-2.0 */
/* Workers, from the supervisor's side: starting them, ending them, and seeing whether they get on. */
#include "fs/supervisor_private.h"

#include "fs/suspects.h"
#include "fs/worker.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int64_t backoff_next_us(struct backoff *b, int64_t served_us)
{
	b->failures = served_us > BACKOFF_SERVED_US ? 0 : b->failures + 1;
	if (b->failures <= BACKOFF_AT_ONCE)
		return 0;
	unsigned doublings = MIN_OF(b->failures - BACKOFF_AT_ONCE - 1, 20u);
	return MIN_OF((int64_t)BACKOFF_FIRST_US << doublings, (int64_t)BACKOFF_MAX_US);
}

/* This process's environment, but for what concerns this process only, and with `more`. */
static char **make_environment(char *more)
{
	size_t n = 0, kept = 0;
	while (environ[n])
		n++;
	char **env = xcalloc(n + 2, sizeof *env);
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
			env[kept++] = environ[i];
	env[kept] = more;
	return env;
}

int child_spawn(struct child *c, const struct supervisor_options *o, const struct shared_state *state,
	const sigset_t *mask, struct err *e)
{
	int ends[2];
	int r = link_pair(ends);
	if (r < 0)
		return err_errno(e, r, "making a socket");
	auto_free char *variable = xasprintf("%s=%d", WORKER_ENVIRONMENT, ends[1]);
	auto_free char **env = make_environment(variable);
	pid_t pid = fork();
	if (pid == 0) {
		fcntl(ends[1], F_SETFD, 0);
		sigprocmask(SIG_SETMASK, mask, NULL);
		execve("/proc/self/exe", o->worker_argv, env);
		_exit(127);
	}
	r = -errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return err_errno(e, r, "starting a process");
	}
	*c = (struct child){ .pid = pid, .link = ends[0], .phase = CHILD_STANDBY };
	link_send(c->link, &(struct link_message){ .kind = LINK_HELLO }, &state->fd, 1);
	return 0;
}

void child_close(struct child *c)
{
	if (c->link >= 0)
		close(c->link);
	*c = CHILD_NONE;
}

void child_kill(struct child *c)
{
	if (c->pid > 0 && !c->pid_is_gone) {
		kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	child_close(c);
}

bool child_is_zombie(const struct child *c)
{
	char path[32], text[128];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)c->pid);
	auto_close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	const char *name_end = strrchr(text, ')');
	return name_end && !strncmp(name_end, ") Z", 3);
}

/* What is answered from memory, local files, or a bucket within the read deadline. The others may take their time. */
static bool is_bounded(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_LOOKUP:
	case FUSE_GETATTR:
	case FUSE_READLINK:
	case FUSE_OPEN:
	case FUSE_READ:
	case FUSE_STATFS:
	case FUSE_RELEASE:
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
	case FUSE_OPENDIR:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
	case FUSE_RELEASEDIR: return true;
	default: return false;
	}
}

const char *child_hangs(
	struct child *c, const struct shared_state *state, int64_t request_looks, int64_t liveness_looks)
{
	struct child_watch *w = &c->watch;
	uint64_t liveness = atomic_load(&state->head->liveness);
	w->liveness_looks = liveness == w->liveness ? w->liveness_looks + 1 : 0;
	w->liveness = liveness;
	if (w->liveness_looks > liveness_looks)
		return "the whole process stands still";
	const uint8_t *slots = shared_state_region(state, SHARED_REGION_SLOTS);
	/* What stands in a slot but waits until it may be served is no hang. */
	const struct suspects *suspects = suspects_attach(shared_state_region(state, SHARED_REGION_SUSPECTS));
	for (unsigned i = 0; i < SHARED_SLOTS; i++) {
		const struct fuse_in_header *slot = (const void *)(slots + (size_t)i * SHARED_SLOT_BYTES);
		uint64_t unique = suspects_served(suspects, i);
		bool is_same = unique && unique == w->unique[i] && is_bounded(slot->opcode);
		w->unique_looks[i] = is_same ? w->unique_looks[i] + 1 : 0;
		w->unique[i] = unique;
		if (w->unique_looks[i] > request_looks)
			return "a request is not answered";
	}
	return NULL;
}
