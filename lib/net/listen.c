/* SPDX-License-Identifier: Apache-2.0 */
/* Without a host one IPv6 socket serves both families; where there is no IPv6, an IPv4 socket takes its place. */
#include "lib/net/listen.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128

/* Splits the address; host is NULL where there is none. */
static int split(const char *address, char **host, const char **port, struct err *e)
{
	const char *colon = strrchr(address, ':');
	const char *why = NULL;
	size_t n = colon ? (size_t)(colon - address) : 0;
	bool has_brackets = n >= 2 && address[0] == '[' && address[n - 1] == ']';
	if (!colon)
		why = "is not of the form HOST:PORT";
	else if (!colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
		 atoi(colon + 1) > 65535)
		why = "has no port from 0 to 65535 behind its last colon";
	else if (!has_brackets && memchr(address, ':', n))
		why = "has an IPv6 host without brackets: [::1]:80";
	else if (has_brackets && n == 2)
		why = "has empty brackets";
	if (why)
		return err_set(e, -EINVAL, "address \"%.128s\" %s", address, why);
	*host = n ? xstrndup(address + has_brackets, n - 2 * has_brackets) : NULL;
	*port = colon + 1;
	return 0;
}

static int listen_on(const struct addrinfo *a, bool both_families)
{
	int on = 1, off = 0;
	auto_close_fd int fd =
		socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return -errno;
	if (a->ai_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? &off : &on, sizeof on) < 0)
		return -errno;
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	int open_fd = fd;
	fd = -1;
	return open_fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	uint16_t port = 0;
	if (getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return 0;
	if (a.ss_family == AF_INET6)
		memcpy(&port, (char *)&a + offsetof(struct sockaddr_in6, sin6_port), sizeof port);
	else
		memcpy(&port, (char *)&a + offsetof(struct sockaddr_in, sin_port), sizeof port);
	return ntohs(port);
}

int listen_tcp(const char *address, uint16_t *port, struct err *e)
{
	auto_free char *host = NULL;
	const char *service = NULL;
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV
	};
	struct addrinfo *found;
	int r = split(address, &host, &service, e);
	if (r < 0)
		return r;
	int why = getaddrinfo(host, service, &hints, &found);
	if (why)
		return err_set(e, -ENOENT, "address \"%.128s\": %s", address, gai_strerror(why));
	int fd = -EADDRNOTAVAIL;
	/* Without a host IPv6 goes first, as it serves both. */
	for (int family = AF_INET6; fd < 0 && family; family = family == AF_INET6 ? AF_INET : 0)
		for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
			if (a->ai_family == family) {
				int got = listen_on(a, !host);
				fd = got >= 0 || fd != -EADDRINUSE ? got : fd;
			}
	freeaddrinfo(found);
	if (fd < 0)
		return err_errno(e, fd, "listening on %.128s", address);
	*port = port_of(fd);
	return fd;
}
