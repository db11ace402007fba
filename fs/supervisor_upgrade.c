/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a supervisor becomes another version of itself (upgrade.h).
 *
 *	idle --asked--> trying --the new program accepts--> execve --> resumed --a standby is there--> old worker retires
 *	--new worker serves--> idle
 *
 * Until execve everything can be taken back, and the mount goes on as it was.
 */
#include "fs/supervisor_private.h"

#include "fs/upgrade.h"
#include "fs/worker.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESUME_ENVIRONMENT "THANOSFS_RESUME"
#define STOP_LIMIT_MS      2000

extern char **environ;

int upgrade_listen(struct supervisor *s, struct err *e)
{
	struct sockaddr_un at;
	unsigned n = upgrade_address(s->state.head->mountpoint, &at);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, n) == 0 && listen(fd, 4) == 0) {
		s->listen_fd = fd;
		return 0;
	}
	int r = -errno;
	if (fd >= 0)
		close(fd);
	return err_errno(e, r, "listening for upgrades of %s", s->state.head->mountpoint);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void answer(int to, int error, const char *was, const char *words)
{
	struct upgrade_answer a = { .magic = UPGRADE_MAGIC, .error = error };
	snprintf(a.was, sizeof a.was, "%s", was);
	snprintf(a.words, sizeof a.words, "%s", words);
	send(to, &a, sizeof a, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Ends the attempt, successful or not. */
static void end_attempt(struct supervisor *s, int error, const char *words)
{
	if (error)
		log_error("upgrade refused", KV("err", words));
	if (s->client_fd >= 0)
		answer(s->client_fd, error, s->was_version, words);
	close_fd(&s->client_fd);
	close_fd(&s->program_fd);
	close_fd(&s->try_fd);
	s->is_upgrading = false;
}

/* The request, and the program's descriptor; or -errno. */
static int receive(int from, struct upgrade_request *q)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { q, sizeof *q };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	struct timeval limit = { .tv_usec = 200000 };
	setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	int fd = -EBADMSG;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	if (n == (ssize_t)sizeof *q && memcmp(q->magic, UPGRADE_MAGIC, sizeof q->magic) == 0 &&
		memchr(q->version, 0, sizeof q->version))
		return fd;
	if (fd >= 0)
		close(fd);
	return -EBADMSG;
}

static bool is_allowed(int client)
{
	struct ucred peer;
	socklen_t n = sizeof peer;
	return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

/* This process's environment with one more entry. */
static char **environment_with(char *more)
{
	size_t n = 0;
	while (environ[n])
		n++;
	char **env = xcalloc(n + 2, sizeof *env);
	memcpy(env, environ, n * sizeof *env);
	env[n] = more;
	return env;
}

/* Runs the new program, so that what it minds is known while there is still a way back. */
static int start_try(struct supervisor *s)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	auto_free char *variable = xasprintf("%s=%d", UPGRADE_TRY_ENVIRONMENT, s->state.fd);
	auto_free char **env = environment_with(variable);
	pid_t pid = fork();
	if (pid == 0) {
		fcntl(s->state.fd, F_SETFD, 0);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		sigprocmask(SIG_SETMASK, &s->child_mask, NULL);
		execveat(s->program_fd, "", s->options.worker_argv, env, AT_EMPTY_PATH);
		dprintf(STDERR_FILENO, "the new program can't be run: %s", strerror(errno));
		_exit(127);
	}
	int r = -errno;
	close(ends[1]);
	s->try_fd = ends[0];
	s->try_pid = pid < 0 ? 0 : pid;
	return pid < 0 ? r : 0;
}

void upgrade_accept(struct supervisor *s)
{
	struct upgrade_request q;
	int client = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (client < 0)
		return;
	if (!is_allowed(client)) {
		answer(client, -EPERM, THANOSFS_VERSION, "only root and the mount's user may upgrade it");
		close(client);
		return;
	}
	if (s->is_upgrading || s->is_stopping || !s->was_ready) {
		answer(client, -EBUSY, THANOSFS_VERSION,
			s->is_upgrading  ? "another upgrade is under way"
			: s->is_stopping ? "the mount is ending"
					 : "the mount is not ready yet");
		close(client);
		return;
	}
	int program = receive(client, &q);
	if (program < 0) {
		close(client);
		return;
	}
	log_info("upgrade asked for", KV("from", THANOSFS_VERSION), KV("to", q.version));
	s->client_fd = client;
	s->program_fd = program;
	s->is_upgrading = true;
	snprintf(s->was_version, sizeof s->was_version, "%s", THANOSFS_VERSION);
	int r = start_try(s);
	if (r < 0)
		end_attempt(s, r, "the new program can't be tried");
}

/* Whether the descriptors that the mount lives by outlive an execve. */
static void inherit(struct supervisor *s, bool on)
{
	const int fds[] = { s->fuse_fd, s->helper_fd, s->options.extra_fd, s->client_fd, s->worker.link,
		s->state.fd };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			fcntl(fds[i], F_SETFD, on ? 0 : FD_CLOEXEC);
	fd_store_inherit(s->kept, on);
}

/* Returns only where it failed. */
static int become(struct supervisor *s)
{
	struct shared_handover *h = &s->state.head->handover;
	*h = (struct shared_handover){ .fuse_fd = s->fuse_fd,
		.helper_fd = s->helper_fd,
		.extra_fd = s->options.extra_fd,
		.client_fd = s->client_fd,
		.worker_pid = s->worker.pid,
		.worker_socket = s->worker.link,
		.can_resend = s->can_resend };
	snprintf(h->version, sizeof h->version, "%s", THANOSFS_VERSION);
	size_t n = 0;
	while (s->options.worker_argv[n])
		n++;
	auto_free char **argv = xcalloc(n + 1, sizeof *argv);
	memcpy(argv, s->options.worker_argv, n * sizeof *argv);
	argv[0] = (char *)"thanosfs";
	auto_free char *variable = xasprintf("%s=%d", RESUME_ENVIRONMENT, s->state.fd);
	auto_free char **env = environment_with(variable);
	inherit(s, true);
	execveat(s->program_fd, "", argv, env, AT_EMPTY_PATH);
	int r = -errno;
	inherit(s, false);
	return r;
}

void upgrade_tried(struct supervisor *s, bool is_accepted)
{
	char words[UPGRADE_WORDS_BYTES] = "the new program refuses, and doesn't say why";
	ssize_t n = is_accepted ? 0 : read(s->try_fd, words, sizeof words - 1);
	s->try_pid = 0;
	if (n > 0) {
		words[n] = 0;
		words[strcspn(words, "\n")] = 0;
	}
	if (!is_accepted || s->worker.phase != CHILD_SERVING || s->is_stopping) {
		end_attempt(s, -EINVAL, is_accepted ? "the mount has no worker at the moment" : words);
		return;
	}
	/* The thread would not survive execve, and execve would wait for it. */
	if (!invalidate_end_ms(s->invalidate, STOP_LIMIT_MS)) {
		invalidate_go_on(s->invalidate);
		end_attempt(s, -EBUSY, "the kernel is busy with the mount");
		return;
	}
	child_kill(&s->standby);
	int r = become(s);
	invalidate_free(s->invalidate);
	s->invalidate = invalidate_start(s->fuse_fd, shared_state_region(&s->state, SHARED_REGION_OWED));
	end_attempt(s, r, strerror(-r));
}

bool supervisor_is_resumed(void)
{
	return getenv(RESUME_ENVIRONMENT) != NULL;
}

int upgrade_resume(struct supervisor *s, struct err *e)
{
	int fd = atoi(getenv(RESUME_ENVIRONMENT));
	unsetenv(RESUME_ENVIRONMENT);
	prctl(PR_SET_NAME, "thanosfs"); /* else it is called after a descriptor */
	int r = shared_state_attach(fd, &s->state, e);
	if (r < 0)
		return r;
	const struct shared_handover *h = &s->state.head->handover;
	s->kept = fd_store_attach(shared_state_region(&s->state, SHARED_REGION_KEPT));
	s->fuse_fd = h->fuse_fd;
	s->helper_fd = h->helper_fd;
	s->options.extra_fd = h->extra_fd;
	s->options.mountpoint = s->state.head->mountpoint;
	s->client_fd = h->client_fd;
	s->can_resend = h->can_resend;
	s->worker = (struct child){ .pid = h->worker_pid,
		.link = h->worker_socket,
		.phase = CHILD_SERVING,
		.serving_us = clock_monotonic_us() };
	snprintf(s->was_version, sizeof s->was_version, "%.*s", (int)sizeof h->version - 1, h->version);
	s->is_mounted = s->was_ready = s->is_upgrading = true;
	inherit(s, false);
	s->invalidate = invalidate_start(s->fuse_fd, shared_state_region(&s->state, SHARED_REGION_OWED));
	log_info("supervisor is another version now", KV("from", s->was_version), KV("to", THANOSFS_VERSION));
	return 0;
}

void upgrade_standby_ready(struct supervisor *s)
{
	if (!s->is_upgrading || s->worker.phase != CHILD_SERVING || s->try_pid)
		return;
	s->worker.phase = CHILD_RETIRING;
	s->worker.serving_us = clock_monotonic_us();
	link_send(s->worker.link, &(struct link_message){ .kind = LINK_RETIRE }, NULL, 0);
}

void upgrade_serving(struct supervisor *s)
{
	if (s->is_upgrading && !s->try_pid)
		end_attempt(s, 0, "");
}

void upgrade_standby_died(struct supervisor *s)
{
	if (s->is_upgrading && !s->try_pid && s->worker.phase == CHILD_SERVING)
		end_attempt(s, -EIO,
			"the new version's worker doesn't start, the old one goes on; see the mount's log");
}
