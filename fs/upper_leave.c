/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a file that loses its last name while it is open: a copy of its descriptor goes to the keeper, for the process
 * that comes after this one. Who removes the name and who opens the file at the same time meet here.
 */
#include "fs/fd_keeper.h"
#include "fs/open_count.h"
#include "fs/upper.h"
#include "lib/base/log.h"

static void keep(struct upper *u, struct upper_node *n)
{
	if (!u->keeper || !open_count_set_kept(u->opens, n->node.id))
		return;
	int fd = upper_path_fd(u, n);
	int r = fd < 0 ? fd : u->keeper->keep(u->keeper, n->node.id, fd);
	if (r < 0)
		log_warn("descriptor of a removed file not kept", KV_U64("inode", n->ino),
			KV("err", strerror(-r)));
}

/* Of the two who meet here, the one that looks second sees the other. */
void upper_leave_begin(struct upper *u, struct upper_node *n)
{
	struct stat st;
	unsigned leaving = atomic_fetch_add(&n->leaving, 1) + 1;
	if (!open_count_get(u->opens, n->node.id))
		return;
	if (S_ISDIR(n->mode) || fstat(n->path_fd, &st) < 0 || st.st_nlink <= leaving)
		keep(u, n);
}

void upper_leave_end(struct upper_node *n)
{
	atomic_fetch_sub(&n->leaving, 1);
}

void upper_keep_opened(struct upper *u, struct upper_node *n)
{
	if (n->node.id == NODE_ROOT)
		return;
	bool is_leaving = atomic_load(&n->leaving) > 0;
	pthread_mutex_lock(&u->lock);
	is_leaving |= !n->links.len;
	pthread_mutex_unlock(&u->lock);
	if (is_leaving)
		keep(u, n);
}
