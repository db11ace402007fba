/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root: the published blocks, the control directory, and the upper directory's own entries. A name
 * belongs to the first of them that has it. Blocks can be renamed for removal and removed, which is
 * remembered here and touches nothing else; everything other than that goes to the upper directory.
 */
#include "fs/block_set.h"
#include "fs/cookie.h"
#include "fs/journal.h"
#include "fs/upper.h"
#include "fs/whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define CONTROL_NAME   ".thanosfs"
#define COOKIE_CONTROL COOKIE_FIRST

DEFINE_AUTO(merged_block, struct merged_block *, merged_block_unref)

/* A block's name, or that name with the suffix of a removal: which block. */
static bool parse_block_name(const char *name, struct ulid *u, bool *has_suffix)
{
	char head[ULID_CHARS + 1], canonical[ULID_CHARS + 1];
	size_t n = strlen(name);
	if (n < ULID_CHARS)
		return false;
	memcpy(head, name, ULID_CHARS);
	head[ULID_CHARS] = 0;
	*has_suffix = n > ULID_CHARS;
	if (*has_suffix && strcmp(name + ULID_CHARS, WHITEOUT_SUFFIX) != 0)
		return false;
	if (!ulid_parse(head, u))
		return false;
	ulid_format(u, canonical);
	return !strcmp(head, canonical);
}

/*
 * The block that shows under this name now: a reference, or NULL. A name that is no longer listed but was a moment ago
 * still shows: a Prometheus that read the listing then opens it now, and takes a missing one badly.
 */
static struct merged_block *find_block(struct fs *fs, const char *name)
{
	struct ulid u;
	bool has_suffix;
	if (!parse_block_name(name, &u, &has_suffix))
		return NULL;
	enum whiteout_state want = has_suffix ? WHITEOUT_PENDING : WHITEOUT_NONE;
	if (whiteouts_state(fs->whiteouts, &u) != want)
		return NULL;
	auto_of(block_set) struct block_set *set = block_sets_get(fs->blocks);
	struct merged_block *b = block_set_find(set, &u);
	return b ? merged_block_ref(b) : view_find_lately(fs->options.view, &u);
}

static bool is_control(const char *name)
{
	return !strcmp(name, CONTROL_NAME);
}

/* Names that are not the upper directory's. */
static bool is_hidden(struct fs *fs, const char *name)
{
	auto_of(merged_block) struct merged_block *b = find_block(fs, name);
	return b || is_control(name);
}

static void fill_control_entry(struct fs *fs, struct fuse_entry_param *out)
{
	out->ino = NODE_CONTROL;
	out->generation = 0;
	out->entry_timeout = FS_FOREVER_S;
	tree_control_ops.getattr(fs, NODE_CONTROL, &out->attr, &out->attr_timeout);
}

static int lookup(struct fs *fs, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	if (is_control(name)) {
		fill_control_entry(fs, out);
		return 0;
	}
	auto_of(merged_block) struct merged_block *b = find_block(fs, name);
	if (!b)
		return upper_lookup(fs, dir, name, out);
	tree_block_entry(fs, b, node_block_hash(merged_block_ulid(b)), out);
	return 0;
}

static int getattr(struct fs *fs, uint64_t id, struct stat *out, double *timeout)
{
	int r = upper_getattr(fs, id, out, timeout);
	if (r < 0)
		return r;
	auto_of(block_set) struct block_set *set = block_sets_get(fs->blocks);
	/* One link a subdirectory, except where the backing filesystem doesn't count them. */
	if (out->st_nlink > 1)
		out->st_nlink += (nlink_t)(set->n + 1);
	struct timespec since = { .tv_sec = set->since_ms / 1000, .tv_nsec = set->since_ms % 1000 * 1000000 };
	if (since.tv_sec > out->st_mtim.tv_sec)
		out->st_mtim = out->st_ctim = since;
	return 0;
}

static int list(struct fs *fs, uint64_t dir, uint64_t cookie, bool want_attr, fs_emit_fn *emit, void *arg)
{
	struct fuse_entry_param entry = { 0 };
	if (cookie_next(cookie, COOKIE_FIXED) <= COOKIE_CONTROL) {
		fill_control_entry(fs, &entry);
		if (emit(arg, CONTROL_NAME, &entry, cookie_make(COOKIE_FIXED, COOKIE_CONTROL)))
			return 0;
	}
	uint64_t next = cookie_next(cookie, COOKIE_BLOCKS);
	if (next != UINT64_MAX) {
		/* `next` is 0 at the beginning, else it carries the set with which the listing began. */
		auto_of(block_set) struct block_set *set =
			next ? block_sets_get_tagged(fs->blocks, (uint32_t)((next - 1) >> COOKIE_HASH_BITS))
			     : block_sets_get(fs->blocks);
		uint64_t from = next ? ((next - 1) & ((1ull << COOKIE_HASH_BITS) - 1)) + 1 : 0;
		for (size_t i = block_set_from(set, from); i < set->n; i++) {
			const struct block_ref *ref = &set->by_hash[i];
			const struct ulid *u = merged_block_ulid(ref->block);
			enum whiteout_state state = whiteouts_state(fs->whiteouts, u);
			if (state == WHITEOUT_GONE)
				continue;
			char name[ULID_CHARS + sizeof WHITEOUT_SUFFIX];
			ulid_format(u, name);
			if (state == WHITEOUT_PENDING)
				strcpy(name + ULID_CHARS, WHITEOUT_SUFFIX);
			tree_block_entry(fs, ref->block, ref->hash, &entry);
			if (emit(arg, name, &entry,
				    cookie_make(COOKIE_BLOCKS,
					    (uint64_t)set->tag << COOKIE_HASH_BITS | ref->hash)))
				return 0;
		}
	}
	return upper_list(fs, dir, cookie, want_attr, emit, arg, is_hidden);
}

static int make(struct fs *fs, uint64_t dir, const char *name, const struct fs_new_node *new,
	const struct fs_caller *caller, struct fuse_entry_param *out)
{
	return is_hidden(fs, name) ? -EEXIST : upper_make(fs, dir, name, new, caller, out);
}

static int create(struct fs *fs, uint64_t dir, const char *name, mode_t mode, int flags,
	const struct fs_caller *caller, struct fuse_entry_param *out)
{
	return is_hidden(fs, name) ? -EEXIST : upper_create(fs, dir, name, mode, flags, caller, out);
}

static int link_to(struct fs *fs, uint64_t id, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	return is_hidden(fs, name) ? -EEXIST : upper_link(fs, id, dir, name, out);
}

/* Whether an earlier process has begun to remove or rename a block for the same request. If it doesn't show now, that is done. */
static bool is_block_left_over(void)
{
	const struct journal_op *op = journal_now();
	return journal_found(op, JOURNAL_PRESENT) && node_kind(op->fact) == NODE_BLOCK;
}

static int remove_name(struct fs *fs, uint64_t dir, const char *name, bool is_dir)
{
	if (is_control(name))
		return -EPERM;
	auto_of(merged_block) struct merged_block *b = find_block(fs, name);
	if (b)
		return is_dir ? tree_block_rmdir(fs, b) : -EISDIR;
	if (is_block_left_over())
		return 0;
	return upper_remove(fs, dir, name, is_dir);
}

/* The one rename of a block there is: to its own name with the suffix. */
static int rename_block(struct fs *fs, struct merged_block *b, const char *name, uint64_t new_dir,
	const char *new_name, unsigned flags)
{
	struct ulid u;
	bool has_suffix;
	if (new_dir != NODE_ROOT || (flags & ~(unsigned)RENAME_NOREPLACE))
		return -EROFS;
	if (!strcmp(name, new_name))
		return (flags & RENAME_NOREPLACE) ? -EEXIST : 0;
	if (!parse_block_name(new_name, &u, &has_suffix) || !has_suffix ||
		ulid_cmp(&u, merged_block_ulid(b)) != 0)
		return -EROFS;
	struct fuse_entry_param there;
	if (upper_lookup(fs, NODE_ROOT, new_name, &there) == 0) {
		upper_forget(fs->upper, there.ino, 1);
		return (flags & RENAME_NOREPLACE) ? -EEXIST : -ENOTEMPTY;
	}
	journal_note(journal_now(), JOURNAL_PRESENT, node_block(node_block_hash(&u), NODE_PLACE_DIR), 0);
	return whiteouts_set_pending(fs->whiteouts, &u);
}

/* Also for renames that start or end below the root. */
static int rename_name(
	struct fs *fs, uint64_t dir, const char *name, uint64_t new_dir, const char *new_name, unsigned flags)
{
	if (new_dir != NODE_ROOT && node_kind(new_dir) != NODE_UPPER)
		return -EROFS;
	if (dir == NODE_ROOT) {
		if (is_control(name))
			return -EPERM;
		auto_of(merged_block) struct merged_block *b = find_block(fs, name);
		if (b)
			return rename_block(fs, b, name, new_dir, new_name, flags);
		if (is_block_left_over())
			return 0;
	}
	if (new_dir == NODE_ROOT && is_hidden(fs, new_name)) {
		if (flags & RENAME_EXCHANGE)
			return -EROFS;
		return (flags & RENAME_NOREPLACE) ? -EEXIST : -ENOTEMPTY;
	}
	return upper_rename(fs, dir, name, new_dir, new_name, flags);
}

const struct fs_node_ops tree_root_ops = {
	.lookup = lookup,
	.getattr = getattr,
	.setattr = upper_setattr,
	.make = make,
	.create = create,
	.remove = remove_name,
	.rename = rename_name,
	.link = link_to,
	.open = upper_open_file,
	.sync = upper_sync,
	.list = list,
	.getxattr = upper_getxattr,
	.listxattr = upper_listxattr,
	.setxattr = upper_setxattr,
	.removexattr = upper_removexattr,
};
