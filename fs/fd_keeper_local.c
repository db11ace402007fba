/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors in a list: files that are open and have no name are few. */
#include "fs/fd_keeper.h"

#include "lib/base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

struct kept {
	uint64_t node;
	int fd;
};

struct local {
	struct fd_keeper base;
	pthread_mutex_t lock;
	VEC(struct kept) all;
};

static struct kept *find_locked(struct local *l, uint64_t node)
{
	vec_each (k, &l->all)
		if (k->node == node)
			return k;
	return NULL;
}

static int keep(struct fd_keeper *base, uint64_t node, int fd)
{
	struct local *l = (struct local *)base;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), before = -1;
	if (copy < 0)
		return -errno;
	pthread_mutex_lock(&l->lock);
	struct kept *k = find_locked(l, node);
	if (k) {
		before = k->fd;
		k->fd = copy;
	} else {
		vec_push(&l->all, (struct kept){ node, copy });
	}
	pthread_mutex_unlock(&l->lock);
	if (before >= 0)
		close(before);
	return 0;
}

static int fetch(struct fd_keeper *base, uint64_t node)
{
	struct local *l = (struct local *)base;
	pthread_mutex_lock(&l->lock);
	const struct kept *k = find_locked(l, node);
	int fd = k ? fcntl(k->fd, F_DUPFD_CLOEXEC, 0) : -1;
	int r = fd >= 0 ? fd : k ? -errno : -ENOENT;
	pthread_mutex_unlock(&l->lock);
	return r;
}

static void drop(struct fd_keeper *base, uint64_t node)
{
	struct local *l = (struct local *)base;
	int fd = -1;
	pthread_mutex_lock(&l->lock);
	struct kept *k = find_locked(l, node);
	if (k) {
		fd = k->fd;
		*k = l->all.data[--l->all.len];
	}
	pthread_mutex_unlock(&l->lock);
	if (fd >= 0)
		close(fd);
}

struct fd_keeper *fd_keeper_local_new(void)
{
	struct local *l = xcalloc(1, sizeof *l);
	l->base = (struct fd_keeper){ keep, fetch, drop };
	pthread_mutex_init(&l->lock, NULL);
	return &l->base;
}

void fd_keeper_local_free(struct fd_keeper *base)
{
	struct local *l = (struct local *)base;
	if (!l)
		return;
	vec_each (k, &l->all)
		close(k->fd);
	vec_fini(&l->all);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
