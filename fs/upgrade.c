/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/upgrade.h"

#include "fs/shared_state.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <xxhash.h>

#define ANSWER_LIMIT_S 120

unsigned upgrade_address(const char *mountpoint, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "thanosfs-mount:%016" PRIx64,
		XXH64(mountpoint, strlen(mountpoint), 0));
	return (unsigned)offsetof(struct sockaddr_un, sun_path) + 1 + (unsigned)n;
}

/* A supervisor of somebody else's must not be handed anything. */
static int connect_to(const char *mountpoint, struct err *e)
{
	struct sockaddr_un to;
	unsigned n = upgrade_address(mountpoint, &to);
	auto_close_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, -errno, "making a socket");
	if (connect(fd, (const struct sockaddr *)&to, n) < 0)
		return errno == ECONNREFUSED
			       ? err_set(e, -ENOENT, "%s is not a mount with a supervisor", mountpoint)
			       : err_errno(e, -errno, "asking the supervisor of %s", mountpoint);
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return err_errno(e, -errno, "asking who supervises %s", mountpoint);
	if (peer.uid != 0 && peer.uid != geteuid() && geteuid() != 0)
		return err_set(e, -EPERM, "%s is a mount of user %u", mountpoint, (unsigned)peer.uid);
	struct timeval limit = { .tv_sec = ANSWER_LIMIT_S };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	int r = fd;
	fd = -1;
	return r;
}

static int send_program(int to, int program)
{
	struct upgrade_request q = { .magic = UPGRADE_MAGIC, .version = THANOSFS_VERSION };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { &q, sizeof q };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof program);
	memcpy(CMSG_DATA(c), &program, sizeof program);
	return sendmsg(to, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int upgrade_ask(const char *mountpoint, char was[UPGRADE_VERSION_BYTES], struct err *e)
{
	auto_close_fd int fd = connect_to(mountpoint, e);
	if (fd < 0)
		return fd;
	auto_close_fd int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int r = program < 0 ? -errno : send_program(fd, program);
	if (r < 0)
		return err_errno(e, r, "asking the supervisor of %s", mountpoint);
	struct upgrade_answer a;
	ssize_t n;
	while ((n = recv(fd, &a, sizeof a, 0)) < 0 && errno == EINTR)
		;
	if (n < 0 && errno == EAGAIN)
		return err_set(e, -ETIMEDOUT, "no worker of the new version serves %s after %d s", mountpoint,
			ANSWER_LIMIT_S);
	if (n != (ssize_t)sizeof a || memcmp(a.magic, UPGRADE_MAGIC, sizeof a.magic) != 0)
		return err_set(e, -EPROTO, "the supervisor of %s gave no answer", mountpoint);
	a.was[sizeof a.was - 1] = a.words[sizeof a.words - 1] = 0;
	memcpy(was, a.was, UPGRADE_VERSION_BYTES);
	return a.error ? err_set(e, a.error < 0 ? a.error : -EIO, "%s", a.words) : 0;
}

bool upgrade_is_tried(void)
{
	return getenv(UPGRADE_TRY_ENVIRONMENT) != NULL;
}

int upgrade_try(struct err *e)
{
	struct shared_state s;
	int r = shared_state_attach(atoi(getenv(UPGRADE_TRY_ENVIRONMENT)), &s, e);
	if (r == 0)
		shared_state_close(&s);
	return r;
}
