/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the upper directory's nodes: how an inode becomes an id, an id a node, and which nodes and descriptors go when
 * nobody uses them.
 */
#include "fs/upper.h"

#include "fs/fd_keeper.h"
#include "fs/open_count.h"
#include "lib/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define HANDLE_BYTES   128u
#define IDLE_FDS_MIN   64u
#define IDLE_FDS_LIMIT 1024u

/*
 * The id of an inode: number, and what tells it from an earlier file of that number. File handles hold the
 * backing filesystem's own generation; where there are none the time of birth serves.
 */
static uint64_t identify(int dir_fd, const char *name, const struct stat *st, uint64_t *generation)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + HANDLE_BYTES];
	} h = { 0 };
	h.handle.handle_bytes = HANDLE_BYTES;
	int mount_id, flags = *name ? 0 : AT_EMPTY_PATH;
	uint64_t id;
	if (name_to_handle_at(dir_fd, name, &h.handle, &mount_id, flags) == 0) {
		id = node_upper(st->st_ino, h.handle.f_handle, h.handle.handle_bytes);
	} else {
		struct statx sx;
		int r = statx(dir_fd, name, flags | AT_SYMLINK_NOFOLLOW, STATX_BTIME, &sx);
		bool has_birth = r == 0 && (sx.stx_mask & STATX_BTIME);
		struct {
			int64_t s, ns;
		} birth = { has_birth ? sx.stx_btime.tv_sec : 0, has_birth ? sx.stx_btime.tv_nsec : 0 };
		id = node_upper(st->st_ino, &birth, has_birth ? sizeof birth : 0);
	}
	*generation = id >> 40 & 0xfffff;
	return id;
}

static struct upper_node *find_locked(struct upper *u, uint64_t id)
{
	return (struct upper_node *)node_table_find(&u->nodes, id);
}

static struct upper_node *add_locked(struct upper *u, uint64_t id, uint64_t generation, const struct stat *st)
{
	struct upper_node *n = xcalloc(1, sizeof *n);
	n->node.id = id;
	n->generation = generation;
	n->dev = st->st_dev;
	n->ino = st->st_ino;
	n->mode = st->st_mode;
	n->path_fd = n->read_fd = n->write_fd = -1;
	node_table_add(&u->nodes, &n->node);
	return n;
}

static unsigned fds_of(const struct upper_node *n)
{
	return (n->path_fd >= 0) + (n->read_fd >= 0) + (n->write_fd >= 0);
}

static void leave_list_locked(struct upper *u, struct upper_node *n)
{
	if (!n->next)
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->prev = n->next = NULL;
	u->n_idle_fds -= fds_of(n);
}

static void pin_locked(struct upper *u, struct upper_node *n)
{
	if (!n->pins++)
		leave_list_locked(u, n);
}

static void close_fds(struct upper_node *n)
{
	int *fds[] = { &n->path_fd, &n->read_fd, &n->write_fd };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static void free_node(struct upper_node *n)
{
	close_fds(n);
	vec_each (l, &n->links)
		free(l->name);
	vec_fini(&n->links);
	free(n);
}

static void free_entry(struct node_entry *e)
{
	free_node((struct upper_node *)e);
}

static void drop_locked(struct upper *u, struct upper_node *n)
{
	node_table_remove(&u->nodes, &n->node);
	leave_list_locked(u, n);
}

/*
 * The end of a pin. Returns a node to be freed, or one whose descriptors are to be closed (they were moved
 * into `spare`): closing may mean I/O, so the caller does it without the lock.
 */
static struct upper_node *unpin_locked(struct upper *u, struct upper_node *n, struct upper_node *spare)
{
	if (--n->pins || n->node.id == NODE_ROOT)
		return NULL;
	bool is_open = open_count_get(u->opens, n->node.id) > 0;
	if (!n->lookups && !n->may_be_known && !is_open) {
		drop_locked(u, n);
		return n;
	}
	/* The descriptors of a removed file are all there is of it; those of an open one will be needed
	 * again. */
	if (!n->links.len || is_open || !fds_of(n))
		return NULL;
	n->prev = &u->used;
	n->next = u->used.next;
	n->prev->next = n->next->prev = n;
	u->n_idle_fds += fds_of(n);
	if (u->n_idle_fds > u->max_idle_fds) {
		struct upper_node *oldest = u->used.prev;
		leave_list_locked(u, oldest);
		*spare = (struct upper_node){
			.path_fd = oldest->path_fd, .read_fd = oldest->read_fd, .write_fd = oldest->write_fd
		};
		oldest->path_fd = oldest->read_fd = oldest->write_fd = -1;
	}
	return NULL;
}

void upper_put(struct upper *u, struct upper_node *n)
{
	if (!n)
		return;
	struct upper_node spare = { .path_fd = -1, .read_fd = -1, .write_fd = -1 };
	pthread_mutex_lock(&u->lock);
	struct upper_node *gone = unpin_locked(u, n, &spare);
	pthread_mutex_unlock(&u->lock);
	close_fds(&spare);
	if (gone)
		free_node(gone);
}

void upper_forget(struct upper *u, uint64_t id, uint64_t count)
{
	pthread_mutex_lock(&u->lock);
	struct upper_node *n = find_locked(u, id);
	if (n && id != NODE_ROOT) {
		/*
		 * More than it was told by this process: that was all it knew. Else it may have known nothing from before, or know
		 * that still; which makes no difference where names lead to the node, and without any it forgets all it knows.
		 */
		if (count > n->lookups || (count && !n->links.len))
			n->may_be_known = false;
		n->lookups -= MIN_OF(n->lookups, count);
		pin_locked(u, n);
	}
	pthread_mutex_unlock(&u->lock);
	if (id != NODE_ROOT)
		upper_put(u, n);
}

static bool is_link(const struct upper_link *l, uint64_t dir, const char *name)
{
	return l->dir == dir && !strcmp(l->name, name);
}

static void add_link_locked(struct upper_node *n, uint64_t dir, const char *name)
{
	vec_each (l, &n->links)
		if (is_link(l, dir, name))
			return;
	vec_push(&n->links, (struct upper_link){ dir, xstrdup(name) });
}

void upper_add_link(struct upper *u, struct upper_node *n, uint64_t dir, const char *name)
{
	pthread_mutex_lock(&u->lock);
	add_link_locked(n, dir, name);
	pthread_mutex_unlock(&u->lock);
}

void upper_remove_link(struct upper *u, struct upper_node *n, uint64_t dir, const char *name)
{
	pthread_mutex_lock(&u->lock);
	vec_each (l, &n->links) {
		if (is_link(l, dir, name)) {
			free(l->name);
			*l = n->links.data[--n->links.len];
			break;
		}
	}
	pthread_mutex_unlock(&u->lock);
}

static int enter(struct upper *u, struct upper_node *dir, const char *name, unsigned lookups, bool is_walk,
	struct stat *out, struct upper_node **node)
{
	struct stat st;
	if (fstatat(dir->path_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	uint64_t generation, id = identify(dir->path_fd, name, &st, &generation);
	pthread_mutex_lock(&u->lock);
	struct upper_node *n = find_locked(u, id);
	/* A walk keeps no names locked: one that the table has lost may have been removed since it was seen. */
	bool has_gone = is_walk && n && !n->links.len;
	if (!n)
		n = add_locked(u, id, generation, &st);
	pin_locked(u, n);
	n->lookups += lookups;
	n->mode = st.st_mode;
	if (!has_gone)
		add_link_locked(n, dir->node.id, name);
	n->may_be_known |= is_walk && !has_gone;
	pthread_mutex_unlock(&u->lock);
	*node = n;
	if (out) {
		*out = st;
		out->st_ino = id;
	}
	return 0;
}

int upper_enter(struct upper *u, struct upper_node *dir, const char *name, unsigned lookups, struct stat *out,
	struct upper_node **node)
{
	return enter(u, dir, name, lookups, false, out, node);
}

/* Enters everything below a directory. The kernel's ids survive this process, the table doesn't. */
static void walk(struct upper *u, struct upper_node *dir, unsigned depth)
{
	if (depth > UPPER_DEPTH_MAX || upper_path_fd(u, dir) < 0)
		return;
	int fd = openat(dir->path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(d));) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		struct upper_node *n = NULL;
		if (enter(u, dir, entry->d_name, 0, true, NULL, &n) < 0)
			continue;
		if (S_ISDIR(n->mode))
			walk(u, n, depth + 1);
		upper_put(u, n);
	}
	closedir(d);
}

/*
 * Walks, unless a walk that began after this call has ended meanwhile: one finds for all who wait what all of them look for.
 * A walk itself needs only what is in the table.
 */
static _Thread_local bool is_walking;

static void walk_once(struct upper *u, struct upper_node *root)
{
	if (is_walking)
		return;
	pthread_mutex_lock(&u->lock);
	uint64_t want = u->walks_begun + 1;
	while (u->walks_ended < want) {
		if (u->walks_begun > u->walks_ended) {
			pthread_cond_wait(&u->walked, &u->lock);
			continue;
		}
		u->walks_begun++;
		pthread_mutex_unlock(&u->lock);
		is_walking = true;
		walk(u, root, 0);
		is_walking = false;
		pthread_mutex_lock(&u->lock);
		u->walks_ended++;
		pthread_cond_broadcast(&u->walked);
	}
	pthread_mutex_unlock(&u->lock);
}

static struct upper_node *find(struct upper *u, uint64_t id)
{
	pthread_mutex_lock(&u->lock);
	struct upper_node *n = find_locked(u, id);
	if (n)
		pin_locked(u, n);
	pthread_mutex_unlock(&u->lock);
	return n;
}

/* A file that has lost its names to an earlier process: the keeper has its descriptor. */
static struct upper_node *find_kept(struct upper *u, uint64_t id)
{
	if (!u->keeper || !open_count_is_kept(u->opens, id))
		return NULL;
	int fd = u->keeper->fetch(u->keeper, id), spare = fd;
	struct stat st;
	if (fd < 0)
		return NULL;
	uint64_t generation;
	if (fstatat(fd, "", &st, AT_EMPTY_PATH) < 0 || identify(fd, "", &st, &generation) != id) {
		close(fd);
		return NULL;
	}
	pthread_mutex_lock(&u->lock);
	struct upper_node *n = find_locked(u, id);
	if (!n)
		n = add_locked(u, id, generation, &st);
	pin_locked(u, n);
	if (n->path_fd < 0) {
		n->path_fd = fd;
		spare = -1;
	}
	pthread_mutex_unlock(&u->lock);
	if (spare >= 0)
		close(spare);
	return n;
}

struct upper_node *upper_get(struct upper *u, uint64_t id)
{
	struct upper_node *n = find(u, id);
	if (!n && node_kind(id) == NODE_UPPER)
		n = find_kept(u, id);
	if (!n && node_kind(id) == NODE_UPPER) {
		struct upper_node *root = find(u, NODE_ROOT);
		walk_once(u, root);
		upper_put(u, root);
		n = find(u, id);
	}
	return n;
}

int upper_open(const char *dir, struct open_count *opens, struct fd_keeper *keeper, struct upper **out,
	struct err *e)
{
	int r = file_mkdirs(dir, 0755, e);
	if (r < 0)
		return r;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = err_errno(e, -errno, "opening the upper directory %s", dir);
		if (fd >= 0)
			close(fd);
		return r;
	}
	struct upper *u = xcalloc(1, sizeof *u);
	u->root_fd = fd;
	u->is_root = geteuid() == 0;
	u->opens = opens;
	u->keeper = keeper;
	pthread_mutex_init(&u->lock, NULL);
	pthread_mutex_init(&u->keeping, NULL);
	pthread_cond_init(&u->walked, NULL);
	node_table_init(&u->nodes);
	u->used.prev = u->used.next = &u->used;
	struct rlimit limit;
	u->max_idle_fds = IDLE_FDS_MIN;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 > IDLE_FDS_MIN)
		u->max_idle_fds = (unsigned)MIN_OF(limit.rlim_cur / 4, IDLE_FDS_LIMIT);
	struct upper_node *root = add_locked(u, NODE_ROOT, 0, &st);
	root->path_fd = fd;
	root->pins = 1;
	*out = u;
	return 0;
}

void upper_close(struct upper *u)
{
	if (!u)
		return;
	node_table_fini(&u->nodes, free_entry);
	pthread_cond_destroy(&u->walked);
	pthread_mutex_destroy(&u->keeping);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
