/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors of the upper directory's nodes. They are found from the top down: a node's O_PATH descriptor is opened by name in
 * its directory's, and every other descriptor through that one, so a rename of a directory above does not matter, and a symbolic
 * link is never followed. Who changes a name holds the node's O_PATH descriptor meanwhile, so that everybody else finds that, not
 * the name that is on its way.
 */
#include "fs/upper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define OPEN_TRIES 8u

struct upper_proc_path upper_proc_path(int fd)
{
	struct upper_proc_path p;
	snprintf(p.s, sizeof p.s, "/proc/self/fd/%d", fd);
	return p;
}

/* Opens one of the node's names; -ENOENT where none of them leads to it. */
static int open_by_name(struct upper *u, struct upper_node *n, unsigned depth);

static int path_fd(struct upper *u, struct upper_node *n, unsigned depth)
{
	pthread_mutex_lock(&u->lock);
	int fd = n->path_fd;
	pthread_mutex_unlock(&u->lock);
	if (fd >= 0)
		return fd;
	if (depth > UPPER_DEPTH_MAX)
		return -ENAMETOOLONG;
	int r = -ENOENT;
	/* A try fails where the name changed meanwhile; who changed it has left the descriptor in the node.
	 */
	for (unsigned i = 0; i < OPEN_TRIES && r == -ENOENT; i++)
		r = open_by_name(u, n, depth);
	if (r < 0)
		return r;
	pthread_mutex_lock(&u->lock);
	int spare = -1;
	if (n->path_fd < 0)
		n->path_fd = r;
	else if (n->path_fd != r)
		spare = r;
	fd = n->path_fd;
	pthread_mutex_unlock(&u->lock);
	if (spare >= 0)
		close(spare);
	return fd;
}

static int open_by_name(struct upper *u, struct upper_node *n, unsigned depth)
{
	for (size_t i = 0;; i++) {
		uint64_t dir_id = 0;
		auto_free char *name = NULL;
		pthread_mutex_lock(&u->lock);
		int fd = n->path_fd;
		if (i < n->links.len) {
			dir_id = n->links.data[i].dir;
			name = xstrdup(n->links.data[i].name);
		}
		pthread_mutex_unlock(&u->lock);
		if (fd >= 0)
			return fd;
		if (!name)
			return -ENOENT;
		struct upper_node *dir = upper_get(u, dir_id);
		if (!dir)
			continue;
		int dir_fd = path_fd(u, dir, depth + 1);
		fd = dir_fd < 0 ? dir_fd : openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		int r = fd < 0 ? (dir_fd < 0 ? dir_fd : -errno) : fd;
		upper_put(u, dir);
		if (r == -EMFILE || r == -ENFILE || r == -ENAMETOOLONG)
			return r;
		if (r < 0)
			continue;
		struct stat st;
		if (fstat(r, &st) == 0 && st.st_ino == n->ino && st.st_dev == n->dev)
			return r;
		close(r);
	}
}

int upper_path_fd(struct upper *u, struct upper_node *n)
{
	return path_fd(u, n, 0);
}

static int reopen(struct upper *u, struct upper_node *n, int flags)
{
	int fd = upper_path_fd(u, n);
	if (fd < 0)
		return fd;
	if (!S_ISREG(n->mode) && !S_ISDIR(n->mode))
		return -EINVAL;
	fd = open(upper_proc_path(fd).s, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* Keeps `fd` unless somebody else was faster. */
static int keep_fd(struct upper *u, int *slot, int fd)
{
	pthread_mutex_lock(&u->lock);
	int mine = fd;
	if (*slot < 0)
		*slot = fd;
	else
		mine = -1;
	int kept = *slot;
	pthread_mutex_unlock(&u->lock);
	if (mine < 0)
		close(fd);
	return kept;
}

int upper_read_fd(struct upper *u, struct upper_node *n)
{
	pthread_mutex_lock(&u->lock);
	int fd = n->read_fd >= 0 ? n->read_fd : n->write_fd_reads ? n->write_fd : -1;
	pthread_mutex_unlock(&u->lock);
	if (fd >= 0)
		return fd;
	fd = reopen(u, n, O_RDONLY);
	return fd < 0 ? fd : keep_fd(u, &n->read_fd, fd);
}

int upper_write_fd(struct upper *u, struct upper_node *n)
{
	pthread_mutex_lock(&u->lock);
	int fd = n->write_fd;
	pthread_mutex_unlock(&u->lock);
	if (fd >= 0)
		return fd;
	fd = reopen(u, n, O_RDWR);
	bool reads = fd >= 0;
	if (fd == -EACCES)
		fd = reopen(u, n, O_WRONLY);
	if (fd < 0)
		return fd;
	if (reads) {
		upper_give_write_fd(u, n, fd);
		return n->write_fd;
	}
	return keep_fd(u, &n->write_fd, fd);
}

void upper_give_write_fd(struct upper *u, struct upper_node *n, int fd)
{
	pthread_mutex_lock(&u->lock);
	bool kept = n->write_fd < 0;
	if (kept) {
		n->write_fd = fd;
		n->write_fd_reads = true;
	}
	pthread_mutex_unlock(&u->lock);
	if (!kept)
		close(fd);
}

int upper_stat_fd(int fd, uint64_t id, struct stat *out)
{
	if (fstatat(fd, "", out, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	out->st_ino = id;
	return 0;
}

struct upper_use upper_use(struct upper *u, uint64_t id)
{
	struct upper_use use = { .upper = u, .node = upper_get(u, id) };
	use.fd = use.node ? upper_path_fd(u, use.node) : -ESTALE;
	return use;
}
