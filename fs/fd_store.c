/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table with linear probing, never more than half full. One thread. */
#include "fs/fd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PLACES 8192u /* a power of two */

struct kept {
	uint64_t node; /* 0: free */
	int32_t fd;
	uint32_t unused;
};

struct fd_store {
	uint32_t used, unused;
	struct kept at[PLACES];
};

size_t fd_store_bytes(void)
{
	return sizeof(struct fd_store);
}

struct fd_store *fd_store_attach(void *region)
{
	return region;
}

static unsigned home(uint64_t node)
{
	return (unsigned)(node * 0x9e3779b97f4a7c15ull >> 40) & (PLACES - 1);
}

static unsigned find(const struct fd_store *s, uint64_t node)
{
	unsigned i = home(node);
	while (s->at[i].node && s->at[i].node != node)
		i = (i + 1) & (PLACES - 1);
	return i;
}

int fd_store_put(struct fd_store *s, uint64_t node, int fd)
{
	unsigned i = find(s, node);
	bool is_new = !s->at[i].node;
	if (!node || (is_new && s->used >= PLACES / 2)) {
		close(fd);
		return node ? -ENFILE : -EINVAL;
	}
	if (!is_new)
		close(s->at[i].fd);
	s->at[i] = (struct kept){ .node = node, .fd = fd };
	s->used += is_new;
	return 0;
}

int fd_store_get(const struct fd_store *s, uint64_t node)
{
	unsigned i = find(s, node);
	return node && s->at[i].node ? s->at[i].fd : -ENOENT;
}

void fd_store_drop(struct fd_store *s, uint64_t node)
{
	unsigned hole = find(s, node);
	if (!node || !s->at[hole].node)
		return;
	close(s->at[hole].fd);
	/* Closes the gap, so that every chain of probes stays whole. */
	for (unsigned i = (hole + 1) & (PLACES - 1); s->at[i].node; i = (i + 1) & (PLACES - 1)) {
		if (((i - home(s->at[i].node)) & (PLACES - 1)) < ((i - hole) & (PLACES - 1)))
			continue;
		s->at[hole] = s->at[i];
		hole = i;
	}
	s->at[hole] = (struct kept){ 0 };
	s->used--;
}

void fd_store_inherit(struct fd_store *s, bool on)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (s->at[i].node)
			fcntl(s->at[i].fd, F_SETFD, on ? 0 : FD_CLOEXEC);
}
