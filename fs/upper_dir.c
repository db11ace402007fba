/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on the names of the upper directory. Each does to the backing directory what was asked, then
 * tells the table. What a name stood for is entered, pinned and opened before the name goes: whoever uses it
 * meanwhile finds the descriptor.
 */
#include "fs/upper.h"

#include "fs/cookie.h"
#include "fs/journal.h"
#include "fs/name_list.h"
#include "fs/open_count.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* The kernel sends nothing else; but a name must never lead out of its directory. */
static bool is_name(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

static void fill_entry(const struct upper_node *n, struct fuse_entry_param *out)
{
	out->ino = n->node.id;
	out->generation = n->generation;
	out->entry_timeout = out->attr_timeout = FS_A_MOMENT_S;
}

/*
 * Before a name is made: notes that it is not there. If an earlier process has noted that, what is there now is what it made
 * for the same request; the kernel has the directory locked until that is answered.
 */
static int note_absent(int dir_fd, const char *name)
{
	struct journal_op *op = journal_now();
	struct stat st;
	if (!op || journal_found(op, JOURNAL_ABSENT))
		return 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	if (errno != ENOENT)
		return -errno;
	journal_note(op, JOURNAL_ABSENT, 0, 0);
	return 0;
}

/* Whether a name that is there after all is this operation's own. */
static bool is_ours(int r)
{
	return r == -EEXIST && journal_found(journal_now(), JOURNAL_ABSENT);
}

static int enter(struct upper *u, struct upper_node *dir, const char *name, struct fuse_entry_param *out)
{
	struct upper_node *n;
	int r = upper_enter(u, dir, name, 1, &out->attr, &n);
	if (r < 0)
		return r;
	fill_entry(n, out);
	upper_put(u, n);
	return 0;
}

int upper_lookup(struct fs *fs, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	if (!is_name(name))
		return -EINVAL;
	auto_upper_use struct upper_use d = upper_use(fs->upper, dir);
	return d.fd < 0 ? d.fd : enter(fs->upper, d.node, name, out);
}

/* A new file belongs to who made it, and has the mode that was asked for whatever this process' umask is. */
static int adopt(struct upper *u, int dir_fd, const char *name, mode_t mode, const struct fs_caller *caller)
{
	struct stat dir_st, st;
	if (fstat(dir_fd, &dir_st) < 0 || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* A directory with the set-group-id bit gives its group, and to directories the bit. */
	bool keeps_group = (dir_st.st_mode & S_ISGID) != 0;
	gid_t gid = keeps_group ? (gid_t)-1 : caller->gid;
	if (u->is_root && (st.st_uid != caller->uid || (!keeps_group && st.st_gid != caller->gid)) &&
		fchownat(dir_fd, name, caller->uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return 0;
	mode_t want = (mode & 07777) | (S_ISDIR(st.st_mode) ? st.st_mode & S_ISGID : 0);
	if ((st.st_mode & 07777) == want && !(want & (S_ISUID | S_ISGID)))
		return 0;
	return fchmodat(dir_fd, name, want, 0) < 0 ? -errno : 0;
}

int upper_make(struct fs *fs, uint64_t dir, const char *name, const struct fs_new_node *new,
	const struct fs_caller *caller, struct fuse_entry_param *out)
{
	if (!is_name(name))
		return -EINVAL;
	auto_upper_use struct upper_use d = upper_use(fs->upper, dir);
	if (d.fd < 0)
		return d.fd;
	int r = note_absent(d.fd, name);
	if (r < 0)
		return r;
	if (S_ISDIR(new->mode))
		r = mkdirat(d.fd, name, new->mode & 07777);
	else if (S_ISLNK(new->mode))
		r = symlinkat(new->target, d.fd, name);
	else
		r = mknodat(d.fd, name, new->mode, new->rdev);
	if (r < 0 && !is_ours(r = -errno))
		return r;
	r = adopt(fs->upper, d.fd, name, new->mode, caller);
	if (r == 0)
		r = enter(fs->upper, d.node, name, out);
	if (r < 0)
		unlinkat(d.fd, name, S_ISDIR(new->mode) ? AT_REMOVEDIR : 0);
	return r;
}

int upper_create(struct fs *fs, uint64_t dir, const char *name, mode_t mode, int flags,
	const struct fs_caller *caller, struct fuse_entry_param *out)
{
	if (!is_name(name))
		return -EINVAL;
	auto_upper_use struct upper_use d = upper_use(fs->upper, dir);
	if (d.fd < 0)
		return d.fd;
	int r = note_absent(d.fd, name), fd = -1;
	bool is_new = r == 0;
	if (is_new) {
		fd = openat(d.fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777);
		r = fd < 0 ? -errno : 0;
		is_new = fd >= 0 || is_ours(r);
	}
	if (!is_new && (r != -EEXIST || (flags & O_EXCL)))
		return r;
	r = is_new ? adopt(fs->upper, d.fd, name, mode, caller) : 0;
	struct upper_node *n = NULL;
	if (r == 0)
		r = upper_enter(fs->upper, d.node, name, 1, &out->attr, &n);
	if (r == 0 && is_new && fd >= 0) {
		upper_give_write_fd(fs->upper, n, fd);
		fd = -1;
	} else if (r == 0 && is_new) {
		/* Made by an earlier process: it is opened when it is used. */
	} else if (r == 0 && !S_ISREG(n->mode)) {
		r = S_ISLNK(n->mode) ? -ELOOP : S_ISDIR(n->mode) ? -EISDIR : -EEXIST;
	} else if (r == 0 && (flags & O_TRUNC)) {
		int write_fd = upper_write_fd(fs->upper, n);
		r = write_fd < 0 ? write_fd : upper_truncate_once(write_fd);
		out->attr.st_size = 0;
	}
	if (r == 0)
		fill_entry(n, out);
	else if (n)
		upper_forget(fs->upper, n->node.id, 1);
	if (r < 0 && is_new)
		unlinkat(d.fd, name, 0);
	if (fd >= 0)
		close(fd);
	upper_put(fs->upper, n);
	return r;
}

int upper_remove(struct fs *fs, uint64_t dir, const char *name, bool is_dir)
{
	struct upper *u = fs->upper;
	if (!is_name(name))
		return -EINVAL;
	auto_upper_use struct upper_use d = upper_use(u, dir);
	if (d.fd < 0)
		return d.fd;
	struct upper_node *n;
	int r = upper_enter(u, d.node, name, 0, NULL, &n);
	if (r < 0)
		return r;
	r = upper_path_fd(u, n);
	if (r >= 0) {
		journal_note(journal_now(), JOURNAL_PRESENT, n->node.id, 0);
		upper_leave_begin(u, n);
		r = unlinkat(d.fd, name, is_dir ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
		if (r == 0)
			upper_remove_link(u, n, dir, name);
		upper_leave_end(n);
	}
	upper_put(u, n);
	return r;
}

/* What the names stand for, told to the table after the rename. */
static void renamed(struct upper *u, struct upper_node *n, uint64_t dir, const char *name,
	struct upper_node *victim, uint64_t new_dir, const char *new_name, bool is_exchange)
{
	upper_remove_link(u, n, dir, name);
	upper_add_link(u, n, new_dir, new_name);
	if (victim)
		upper_remove_link(u, victim, new_dir, new_name);
	if (victim && is_exchange)
		upper_add_link(u, victim, dir, name);
}

int upper_rename(
	struct fs *fs, uint64_t dir, const char *name, uint64_t new_dir, const char *new_name, unsigned flags)
{
	struct upper *u = fs->upper;
	if (!is_name(name) || !is_name(new_name))
		return -EINVAL;
	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	auto_upper_use struct upper_use d = upper_use(u, dir);
	auto_upper_use struct upper_use new_d = upper_use(u, new_dir);
	if (d.fd < 0 || new_d.fd < 0)
		return d.fd < 0 ? d.fd : new_d.fd;

	struct journal_op *op = journal_now();
	bool is_exchange = flags & RENAME_EXCHANGE;
	struct upper_node *n, *victim = NULL;
	int r = upper_enter(u, d.node, name, 0, NULL, &n);
	if (r < 0)
		return r;
	r = upper_path_fd(u, n);
	if (r >= 0)
		r = upper_enter(u, new_d.node, new_name, 0, NULL, &victim);
	if (r == 0)
		r = upper_path_fd(u, victim);
	else if (r == -ENOENT)
		r = 0;
	/* An exchange that is done leaves both names there, each with what the other had. */
	bool is_done = is_exchange && victim && n != victim && journal_found(op, JOURNAL_PRESENT) &&
		       op->fact == victim->node.id && op->fact_2 == n->node.id;
	if (r >= 0 && !is_done) {
		bool leaves = victim && victim != n && !is_exchange;
		journal_note(op, JOURNAL_PRESENT, n->node.id, victim ? victim->node.id : 0);
		if (leaves)
			upper_leave_begin(u, victim);
		r = renameat2(d.fd, name, new_d.fd, new_name, flags) < 0 ? -errno : 0;
		/* Two names of one inode: rename(2) does nothing, and both stay. */
		if (r == 0 && n != victim)
			renamed(u, n, dir, name, victim, new_dir, new_name, is_exchange);
		if (leaves)
			upper_leave_end(victim);
	}
	upper_put(u, n);
	upper_put(u, victim);
	return MIN_OF(r, 0);
}

/* By descriptor where the process may, else through the name that /proc has for it. */
int upper_link_fd(int fd, int dir_fd, const char *name)
{
	if (linkat(fd, "", dir_fd, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == ENOENT && linkat(AT_FDCWD, upper_proc_path(fd).s, dir_fd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return -errno;
}

int upper_link(struct fs *fs, uint64_t id, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	struct upper *u = fs->upper;
	if (!is_name(name))
		return -EINVAL;
	if (node_kind(id) != NODE_UPPER && node_kind(id) != NODE_BLOCK)
		return -EXDEV;
	auto_upper_use struct upper_use d = upper_use(u, dir);
	if (d.fd < 0)
		return d.fd;
	int r = note_absent(d.fd, name);
	if (r < 0)
		return r;
	if (node_kind(id) == NODE_BLOCK) {
		r = upper_link_copy(fs, id, d.fd, name);
	} else {
		auto_upper_use struct upper_use f = upper_use(u, id);
		r = f.fd < 0 ? f.fd : upper_link_fd(f.fd, d.fd, name);
	}
	return r < 0 && !is_ours(r) ? r : enter(u, d.node, name, out);
}

static int read_names(struct upper_use *d, uint64_t dir, struct name_list **out)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *stream = fdopendir(fd);
	if (!stream) {
		int r = -errno;
		close(fd);
		return r;
	}
	struct name_list *l = name_list_new(dir);
	int r = 0;
	for (;;) {
		errno = 0;
		struct dirent *entry = readdir(stream);
		if (!entry) {
			r = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			name_list_add(l, entry->d_name, strlen(entry->d_name))->type = entry->d_type;
	}
	closedir(stream);
	if (r < 0) {
		name_list_unref(l);
		return r;
	}
	name_list_sort(l);
	*out = l;
	return 0;
}

int upper_list(struct fs *fs, uint64_t dir, uint64_t cookie, bool want_attr, fs_emit_fn *emit, void *arg,
	bool (*is_hidden)(struct fs *fs, const char *name))
{
	auto_upper_use struct upper_use d = upper_use(fs->upper, dir);
	if (d.fd < 0)
		return d.fd;
	/* A listing that goes on may use what its beginning saw; what begins, must see the disk. */
	uint64_t next = cookie_next(cookie, COOKIE_NAMES);
	auto_of(name_list) struct name_list *l = next ? name_cache_get(fs->listings, dir) : NULL;
	if (!l) {
		int r = read_names(&d, dir, &l);
		if (r < 0)
			return r;
		name_cache_put(fs->listings, l);
	}
	for (size_t i = name_list_from(l, next); i < l->entries.len; i++) {
		const char *name = name_list_name(l, &l->entries.data[i]);
		if (is_hidden && is_hidden(fs, name))
			continue;
		struct fuse_entry_param entry = { 0 };
		struct upper_node *n;
		if (upper_enter(fs->upper, d.node, name, want_attr, &entry.attr, &n) < 0)
			continue; /* gone meanwhile */
		fill_entry(n, &entry);
		int full = emit(arg, name, &entry, cookie_make(COOKIE_NAMES, l->entries.data[i].hash));
		if (full && want_attr)
			upper_forget(fs->upper, n->node.id, 1);
		upper_put(fs->upper, n);
		if (full)
			return 0;
	}
	return 0;
}

static int list(struct fs *fs, uint64_t dir, uint64_t cookie, bool want_attr, fs_emit_fn *emit, void *arg)
{
	return upper_list(fs, dir, cookie, want_attr, emit, arg, NULL);
}

static void forget(struct fs *fs, uint64_t id, uint64_t n)
{
	upper_forget(fs->upper, id, n);
}

/* Descriptors of a file that nobody has open any more may go. */
static void closed(struct fs *fs, uint64_t id)
{
	upper_forget(fs->upper, id, 0);
}

/* Names move between the root and what is below it; the root knows which of them are not the upper
 * directory's. */
static int rename_below(
	struct fs *fs, uint64_t dir, const char *name, uint64_t new_dir, const char *new_name, unsigned flags)
{
	return tree_root_ops.rename(fs, dir, name, new_dir, new_name, flags);
}

const struct fs_node_ops tree_upper_ops = {
	.lookup = upper_lookup,
	.forget = forget,
	.getattr = upper_getattr,
	.setattr = upper_setattr,
	.readlink = upper_readlink,
	.make = upper_make,
	.create = upper_create,
	.remove = upper_remove,
	.rename = rename_below,
	.link = upper_link,
	.open = upper_open_file,
	.whole = upper_whole,
	.closed = closed,
	.read = upper_read,
	.write = upper_write,
	.sync = upper_sync,
	.list = list,
	.getxattr = upper_getxattr,
	.listxattr = upper_listxattr,
	.setxattr = upper_setxattr,
	.removexattr = upper_removexattr,
	.fallocate = upper_fallocate,
	.lseek = upper_lseek,
};
