/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify's protocol by hand: one datagram to the socket that $NOTIFY_SOCKET names, a path or, with '@' for
 * the first byte, a name in the abstract namespace.
 */
#include "lib/base/notify.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int notify_send(const char *state, struct err *e)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	if (!path || !*path)
		return 0;
	size_t n = strlen(path);
	if ((*path != '/' && *path != '@') || n < 2 || n >= sizeof to.sun_path)
		return err_set(
			e, -EINVAL, "NOTIFY_SOCKET \"%.128s\" is neither a path nor an abstract name", path);
	memcpy(to.sun_path, path, n);
	if (*path == '@')
		to.sun_path[0] =
			0; /* an abstract name is as long as the address says, without a NUL behind */
	socklen_t to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*path == '/'));
	auto_close_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, -errno, "making a socket for NOTIFY_SOCKET");
	ssize_t sent;
	do
		sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, to_bytes);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? err_errno(e, -errno, "sending to NOTIFY_SOCKET %.128s", path) : 1;
}

int notify_ready(struct err *e)
{
	return notify_send("READY=1", e);
}

int notify_stopping(struct err *e)
{
	return notify_send("STOPPING=1", e);
}

int notify_status(const char *words, struct err *e)
{
	auto_free char *state = xasprintf("STATUS=%.*s", (int)strcspn(words, "\n"), words);
	return notify_send(state, e);
}

int notify_extend_timeout(uint64_t microseconds, struct err *e)
{
	char state[64];
	snprintf(state, sizeof state, "EXTEND_TIMEOUT_USEC=%" PRIu64, microseconds);
	return notify_send(state, e);
}
