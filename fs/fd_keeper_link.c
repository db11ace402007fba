/* SPDX-License-Identifier: Apache-2.0 */
/* Each question brings along the socket that its answer is to go to, so that threads need not take turns. */
#include "fs/fd_keeper_link.h"

#include "fs/link.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <unistd.h>

/* `fd` goes along if it is not -1; *back is a descriptor that came, or -1. 0, or -errno: of the link or of the other end. */
static int ask(int link, enum link_kind kind, uint64_t node, int fd, int *back)
{
	int ends[2], fds[LINK_FDS];
	struct link_message m = { .kind = kind, .node = node };
	int r = link_pair(ends);
	if (r < 0)
		return r;
	auto_close_fd int ours = ends[0], theirs = ends[1];
	const int both[LINK_FDS] = { fd, theirs };
	r = fd >= 0 ? link_send(link, &m, both, 2) : link_send(link, &m, &theirs, 1);
	if (r < 0)
		return r;
	/* So that an end of the other side is seen as one. */
	close(theirs);
	theirs = -1;
	r = link_receive(ours, &m, fds, 0);
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	*back = fds[0];
	if (fds[1] >= 0)
		close(fds[1]);
	return (int)(int64_t)m.bytes;
}

static int keep(struct fd_keeper *k, uint64_t node, int fd)
{
	int none = -1;
	int r = ask(((struct fd_keeper_link *)k)->link, LINK_KEEP, node, fd, &none);
	if (none >= 0)
		close(none);
	return r;
}

static int fetch(struct fd_keeper *k, uint64_t node)
{
	int fd = -1;
	int r = ask(((struct fd_keeper_link *)k)->link, LINK_FETCH, node, -1, &fd);
	if (r == 0 && fd < 0)
		return -EMFILE; /* this process could not take it */
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

static void drop(struct fd_keeper *k, uint64_t node)
{
	link_send(((struct fd_keeper_link *)k)->link,
		&(struct link_message){ .kind = LINK_FORGET, .node = node }, NULL, 0);
}

void fd_keeper_link_init(struct fd_keeper_link *k, int link)
{
	*k = (struct fd_keeper_link){ .base = { keep, fetch, drop }, .link = link };
}
