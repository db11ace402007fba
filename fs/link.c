/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/link.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr head;
	char space[CMSG_SPACE(LINK_FDS * sizeof(int))];
};

int link_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

int link_send(int fd, const struct link_message *m, const int *fds, unsigned n)
{
	union control control = { 0 };
	struct iovec part = { (void *)(uintptr_t)m, sizeof *m };
	struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1 };
	if (n) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(n * sizeof *fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, n * sizeof *fds);
	}
	ssize_t sent;
	while ((sent = sendmsg(fd, &h, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	return sent < 0 ? -errno : 0;
}

/* Takes the descriptors out of their envelope. */
static void unpack(struct msghdr *h, int *fds)
{
	for (unsigned i = 0; i < LINK_FDS; i++)
		fds[i] = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(c), MIN_OF(c->cmsg_len - CMSG_LEN(0), LINK_FDS * sizeof *fds));
}

int link_receive(int fd, struct link_message *m, int *fds, int flags)
{
	union control control = { 0 };
	struct iovec part = { m, sizeof *m };
	struct msghdr h = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t n;
	while ((n = recvmsg(fd, &h, flags | MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (n <= 0)
		return n < 0 && errno != ECONNRESET ? -errno : 0;
	unpack(&h, fds);
	if ((size_t)n == sizeof *m && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && m->kind >= LINK_HELLO &&
		m->kind < LINK_KINDS && memchr(m->name, 0, sizeof m->name))
		return 1;
	for (unsigned i = 0; i < LINK_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return -EBADMSG;
}
