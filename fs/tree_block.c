/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merged blocks as directories: a fixed set of immutable files, and names that can only be taken away
 * (whiteout.h). A node goes on working whatever happens to its name or to the listing, for it is found by the
 * block it belongs to.
 */
#include "fs/fs.h"

#include "dedup/merged_block.h"
#include "fs/block_set.h"
#include "fs/cookie.h"
#include "fs/invalidate.h"
#include "fs/journal.h"
#include "fs/upper.h"
#include "fs/whiteout.h"
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>

DEFINE_AUTO(merged_block, struct merged_block *, merged_block_unref)

static const char *const xattr_names[] = { "user.thanosfs.sources", "user.thanosfs.resolution",
	"user.thanosfs.labels" };

struct files {
	const struct merged_file *file;
	size_t n;
};

static int files_of(struct merged_block *b, struct files *out)
{
	struct err e = { .msg = "" };
	int r = merged_block_files(b, &out->file, &out->n, &e);
	if (r < 0) {
		char name[ULID_CHARS + 1];
		ulid_format(merged_block_ulid(b), name);
		log_error("files of a block not known", KV("block", name), KV("err", e.msg));
		return r;
	}
	out->n = MIN_OF(out->n, (size_t)NODE_BLOCK_FILES_MAX - 2);
	return 0;
}

static struct merged_block *find(struct fs *fs, uint64_t id)
{
	return block_sets_find_any(fs->blocks, node_block_hash_of(id));
}

static struct timespec time_of_ms(int64_t ms)
{
	int64_t rest = ms % 1000;
	return (struct timespec){ .tv_sec = ms / 1000 - (rest < 0),
		.tv_nsec = (rest < 0 ? rest + 1000 : rest) * 1000000 };
}

static void fill_stat(
	struct fs *fs, struct merged_block *b, uint64_t id, const struct merged_file *f, struct stat *st)
{
	const struct ulid *u = merged_block_ulid(b);
	*st = (struct stat){ .st_ino = id, .st_uid = fs->uid, .st_gid = fs->gid };
	st->st_mtim = st->st_ctim = st->st_atim = time_of_ms(merged_block_mtime_ms(b));
	if (f) {
		st->st_mode = S_IFREG | 0444;
		st->st_nlink = !whiteouts_has_removed(fs->whiteouts, u, node_place_of(id));
		st->st_size = (off_t)f->size;
		st->st_blocks = (blkcnt_t)((f->on_disk + 511) / 512);
		st->st_blksize = FS_BLOCK_BYTES;
		return;
	}
	/* Who has renamed the block in order to remove it must be able to, whoever it is. */
	bool is_pending = whiteouts_state(fs->whiteouts, u) == WHITEOUT_PENDING;
	bool is_top = node_place_of(id) == NODE_PLACE_DIR;
	st->st_mode = S_IFDIR | (is_pending ? 0755 : 0555);
	st->st_nlink = is_top && !whiteouts_has_removed(fs->whiteouts, u, NODE_PLACE_CHUNKS) ? 3 : 2;
	st->st_size = 4096;
	st->st_blocks = 8;
	st->st_blksize = 4096;
}

void tree_block_entry(struct fs *fs, struct merged_block *b, uint64_t hash, struct fuse_entry_param *out)
{
	out->ino = node_block(hash, NODE_PLACE_DIR);
	out->generation = 0;
	out->entry_timeout = out->attr_timeout = FS_A_MOMENT_S;
	fill_stat(fs, b, out->ino, NULL, &out->attr);
}

static void fill_entry(struct fs *fs, struct merged_block *b, uint64_t id, const struct merged_file *f,
	struct fuse_entry_param *out)
{
	out->ino = id;
	out->generation = 0;
	out->entry_timeout = FS_FOREVER_S;
	out->attr_timeout = f ? FS_FOREVER_S : FS_A_MOMENT_S;
	fill_stat(fs, b, id, f, &out->attr);
}

/* The place of a name in a directory of the block; -ENOENT. */
static int place_of(
	struct fs *fs, struct merged_block *b, uint64_t dir, const char *name, struct files *files)
{
	int r = files_of(b, files);
	if (r < 0)
		return r;
	bool in_chunks = node_place_of(dir) == NODE_PLACE_CHUNKS;
	int place = -ENOENT;
	if (!in_chunks && !strcmp(name, "chunks"))
		place = NODE_PLACE_CHUNKS;
	for (size_t i = 0; i < files->n && place < 0; i++)
		if (files->file[i].in_chunks == in_chunks && !strcmp(files->file[i].name, name))
			place = (int)i + NODE_PLACE_FILES;
	if (place >= 0 && whiteouts_has_removed(fs->whiteouts, merged_block_ulid(b), (unsigned)place))
		return -ENOENT;
	return place;
}

static const struct merged_file *file_at(const struct files *files, unsigned place)
{
	size_t i = (size_t)place - NODE_PLACE_FILES;
	return place >= NODE_PLACE_FILES && i < files->n ? &files->file[i] : NULL;
}

static bool is_dir_place(unsigned place)
{
	return place < NODE_PLACE_FILES;
}

static int lookup(struct fs *fs, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	auto_of(merged_block) struct merged_block *b = find(fs, dir);
	if (!b)
		return -ESTALE;
	if (!is_dir_place(node_place_of(dir)))
		return -ENOTDIR;
	struct files files;
	int place = place_of(fs, b, dir, name, &files);
	if (place < 0)
		return place;
	fill_entry(fs, b, node_block(node_block_hash_of(dir), (unsigned)place),
		file_at(&files, (unsigned)place), out);
	return 0;
}

static int getattr(struct fs *fs, uint64_t id, struct stat *out, double *timeout)
{
	auto_of(merged_block) struct merged_block *b = find(fs, id);
	if (!b)
		return -ESTALE;
	*timeout = FS_A_MOMENT_S;
	const struct merged_file *f = NULL;
	if (!is_dir_place(node_place_of(id))) {
		struct files files;
		int r = files_of(b, &files);
		f = r < 0 ? NULL : file_at(&files, node_place_of(id));
		if (!f)
			return r < 0 ? r : -ESTALE;
		*timeout = FS_FOREVER_S;
	}
	fill_stat(fs, b, id, f, out);
	return 0;
}

static int list(struct fs *fs, uint64_t dir, uint64_t cookie, bool want_attr, fs_emit_fn *emit, void *arg)
{
	(void)want_attr; /* attributes cost nothing here */
	auto_of(merged_block) struct merged_block *b = find(fs, dir);
	struct files files;
	if (!b)
		return -ESTALE;
	if (!is_dir_place(node_place_of(dir)))
		return -ENOTDIR;
	int r = files_of(b, &files);
	if (r < 0)
		return r;
	const struct ulid *u = merged_block_ulid(b);
	bool in_chunks = node_place_of(dir) == NODE_PLACE_CHUNKS;
	uint64_t next = MAX_OF(cookie_next(cookie, COOKIE_FIXED), COOKIE_FIRST);
	for (uint64_t place = next - COOKIE_FIRST + NODE_PLACE_CHUNKS; place < files.n + NODE_PLACE_FILES;
		place++) {
		const struct merged_file *f = file_at(&files, (unsigned)place);
		if (f ? f->in_chunks != in_chunks : in_chunks)
			continue;
		if (whiteouts_has_removed(fs->whiteouts, u, (unsigned)place))
			continue;
		struct fuse_entry_param entry;
		fill_entry(fs, b, node_block(node_block_hash_of(dir), (unsigned)place), f, &entry);
		if (emit(arg, f ? f->name : "chunks", &entry,
			    cookie_make(COOKIE_FIXED, COOKIE_FIRST + place - NODE_PLACE_CHUNKS)))
			return 0;
	}
	return 0;
}

/* Whether everything but the directory itself is removed. */
static bool is_empty(struct fs *fs, struct merged_block *b, const struct files *files, bool chunks_only)
{
	const struct ulid *u = merged_block_ulid(b);
	for (size_t i = 0; i < files->n; i++)
		if ((!chunks_only || files->file[i].in_chunks) &&
			!whiteouts_has_removed(fs->whiteouts, u, (unsigned)i + NODE_PLACE_FILES))
			return false;
	return chunks_only || whiteouts_has_removed(fs->whiteouts, u, NODE_PLACE_CHUNKS);
}

int tree_block_rmdir(struct fs *fs, struct merged_block *b)
{
	struct files files;
	int r = files_of(b, &files);
	if (r < 0)
		return r;
	if (!is_empty(fs, b, &files, false))
		return -ENOTEMPTY;
	const struct ulid *u = merged_block_ulid(b);
	journal_note(journal_now(), JOURNAL_PRESENT, node_block(node_block_hash(u), NODE_PLACE_DIR), 0);
	return whiteouts_set_gone(fs->whiteouts, u);
}

static int remove_name(struct fs *fs, uint64_t dir, const char *name, bool is_dir)
{
	auto_of(merged_block) struct merged_block *b = find(fs, dir);
	struct files files;
	if (!b)
		return -ESTALE;
	int place = place_of(fs, b, dir, name, &files);
	if (place < 0)
		return place;
	if (is_dir_place((unsigned)place) != is_dir)
		return is_dir ? -ENOTDIR : -EISDIR;
	if (is_dir && !is_empty(fs, b, &files, true))
		return -ENOTEMPTY;
	journal_note(journal_now(), JOURNAL_PRESENT, node_block(node_block_hash_of(dir), (unsigned)place), 0);
	return whiteouts_remove_place(fs->whiteouts, merged_block_ulid(b), (unsigned)place);
}

static int open_node(struct fs *fs, uint64_t id, struct fuse_file_info *fi)
{
	auto_of(merged_block) struct merged_block *b = find(fs, id);
	if (!b)
		return -ESTALE;
	if (is_dir_place(node_place_of(id)))
		return 0;
	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & (O_TRUNC | O_APPEND)))
		return -EROFS;
	fi->keep_cache = 1;
	return 0;
}

static void opened(struct fs *fs, uint64_t id)
{
	auto_of(merged_block) struct merged_block *b = find(fs, id);
	if (b && !is_dir_place(node_place_of(id)))
		merged_block_file_opened(b, node_place_of(id) - NODE_PLACE_FILES);
}

static void closed(struct fs *fs, uint64_t id)
{
	auto_of(merged_block) struct merged_block *b = find(fs, id);
	if (b && !is_dir_place(node_place_of(id)))
		merged_block_file_closed(b, node_place_of(id) - NODE_PLACE_FILES);
}

static int whole(struct fs *fs, uint64_t id)
{
	auto_of(merged_block) struct merged_block *b = find(fs, id);
	struct files files;
	if (!b)
		return -ESTALE;
	int r = files_of(b, &files);
	if (r == 0 && !file_at(&files, node_place_of(id)))
		r = -EISDIR;
	return r < 0 ? r : merged_block_whole_file(b, node_place_of(id) - NODE_PLACE_FILES);
}

static void read_done(struct fs *fs, struct fs_range *r)
{
	(void)fs;
	merged_block_range_done(r->owner, r->file, &r->merged);
	merged_block_unref(r->owner);
}

static int read_file(struct fs *fs, uint64_t id, size_t n, uint64_t at, struct fs_range *out)
{
	struct files files;
	auto_of(merged_block) struct merged_block *b = find(fs, id);
	if (!b)
		return -ESTALE;
	int r = files_of(b, &files);
	const struct merged_file *f = r < 0 ? NULL : file_at(&files, node_place_of(id));
	if (!f)
		return r < 0 ? r : -EISDIR;
	if (at >= f->size)
		return 0;
	out->merged = (struct merged_range){ .fd = -1 };
	out->file = node_place_of(id) - NODE_PLACE_FILES;
	merged_block_read(b, out->file, at, n, &out->buf, &out->merged);
	out->fd = out->merged.fd;
	out->fd_at = out->merged.fd_at;
	out->n = out->merged.n;
	out->owner = take(b);
	out->done = read_done;
	return 0;
}

static int sync_nothing(struct fs *fs, uint64_t id, bool data_only)
{
	(void)fs, (void)id, (void)data_only;
	return 0;
}

static int getxattr(struct fs *fs, uint64_t id, const char *name, struct buf *out)
{
	if (node_place_of(id) != NODE_PLACE_DIR)
		return -ENODATA;
	for (size_t i = 0; i < ARRAY_LEN(xattr_names); i++) {
		if (strcmp(name, xattr_names[i]) != 0)
			continue;
		auto_of(merged_block) struct merged_block *b = find(fs, id);
		return b ? merged_block_xattr(b, name, out) : -ESTALE;
	}
	return -ENODATA;
}

static int listxattr(struct fs *fs, uint64_t id, struct buf *out)
{
	(void)fs;
	if (node_place_of(id) == NODE_PLACE_DIR)
		for (size_t i = 0; i < ARRAY_LEN(xattr_names); i++)
			buf_add(out, xattr_names[i], strlen(xattr_names[i]) + 1);
	return 0;
}

const struct fs_node_ops tree_block_ops = {
	.lookup = lookup,
	.getattr = getattr,
	.remove = remove_name,
	.open = open_node,
	.whole = whole,
	.opened = opened,
	.closed = closed,
	.read = read_file,
	.sync = sync_nothing,
	.list = list,
	.getxattr = getxattr,
	.listxattr = listxattr,
};
