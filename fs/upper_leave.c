/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a file that loses its last name while it is open: a copy of its descriptor goes to the keeper, for the process
 * that comes after this one. Who removes the name and who opens or closes the file at the same time meet here.
 */
#include "fs/fd_keeper.h"
#include "fs/open_count.h"
#include "fs/upper.h"
#include "lib/base/log.h"

/*
 * The last close may come between the mark that the node is kept and the message that has it kept: its own message must not
 * be the first of the two, or the descriptor would stay for good. So the lock is held until the keeper has answered.
 */
static void keep(struct upper *u, struct upper_node *n)
{
	if (!u->keeper)
		return;
	int r = upper_path_fd(u, n);
	pthread_mutex_lock(&u->keeping);
	if (open_count_set_kept(u->opens, n->node.id) && r >= 0)
		r = u->keeper->keep(u->keeper, n->node.id, r);
	pthread_mutex_unlock(&u->keeping);
	if (r < 0)
		log_warn("descriptor of a removed file not kept", KV_U64("inode", n->ino),
			KV("err", strerror(-r)));
}

void upper_let_go(struct upper *u, uint64_t id)
{
	if (!u->keeper)
		return;
	pthread_mutex_lock(&u->keeping);
	if (!open_count_is_kept(u->opens, id))
		u->keeper->drop(u->keeper, id);
	pthread_mutex_unlock(&u->keeping);
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
