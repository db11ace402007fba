/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bucket as it is: .thanosfs/bucket. A node's id is made of its name's hash, so a table (fs/raw_table.h) keeps the names
 * that have been shown; an id that it lacks (the kernel has it from an earlier process) is found by listing the parts of the
 * bucket it can be in. A blob is opened with the file, or at the first read of one that an earlier process has opened, and let go
 * at the last close.
 */
#include "fs/fs.h"

#include "fs/cookie.h"
#include "fs/name_list.h"
#include "fs/raw_table.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/ulid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#define FRESH_US       10000000 /* how long what a listing said is taken for true */
#define RAW_TIMEOUT_S  10.0
#define NAME_MAX_BYTES 4096u
#define READ_MAX_BYTES (1u << 20)
#define MS_TO_SPEC(ms) ((struct timespec){ .tv_sec = (ms) / 1000, .tv_nsec = (ms) % 1000 * 1000000 })

static int complain(const char *what, int r, const struct err *e)
{
	log_warn(what, KV("err", e->msg));
	/* What the kernel makes of EAGAIN and its like is not for a file. */
	return r == -ENOENT || r == -EACCES || r == -EINVAL ? r : -EIO;
}

/* An object or "directory" of a listing. */
static void info_of_object(const struct object_info *o, struct raw_info *out)
{
	size_t n = strlen(o->name);
	bool is_dir = n && o->name[n - 1] == '/';
	*out = (struct raw_info){ .name = xstrndup(o->name, n - is_dir),
		.is_dir = is_dir,
		.size = o->size,
		.mtime_ms = o->mtime_ms,
		.found_us = clock_monotonic_us() };
	out->id = node_bucket(out->name);
}

struct search {
	struct raw *raw;
	uint64_t id;
	VEC(char *) parts; /* first parts of names below which it may be */
	bool found;
};

static int search_below(void *arg, const struct object_info *o)
{
	struct search *s = arg;
	struct raw_info i;
	info_of_object(o, &i);
	s->found = i.id == s->id;
	/* Or one of the directories above it. */
	for (char *slash = strchr(i.name, '/'); slash && !s->found; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (node_bucket(i.name) == s->id) {
			s->found = i.is_dir = true;
			i.id = s->id;
			i.size = 0;
		} else {
			*slash = '/';
		}
	}
	if (s->found)
		raw_remember(s->raw, &i);
	raw_info_fini(&i);
	return s->found;
}

static int search_top(void *arg, const struct object_info *o)
{
	struct search *s = arg;
	struct raw_info i;
	info_of_object(o, &i);
	if (i.id == s->id) {
		s->found = true;
		raw_remember(s->raw, &i);
	} else if (i.is_dir && node_bucket_first_part(i.id) == node_bucket_first_part(s->id)) {
		vec_push(&s->parts, xasprintf("%s/", i.name));
	}
	raw_info_fini(&i);
	return s->found;
}

/* What an id is, by the table or by listing. */
static int resolve(struct fs *fs, uint64_t id, struct raw_info *out)
{
	*out = (struct raw_info){ 0 };
	if (!fs->raw)
		return -ESTALE;
	if (id == NODE_RAW) {
		*out = (struct raw_info){
			.id = id, .name = xstrdup(""), .is_dir = true, .found_us = INT64_MAX
		};
		return 0;
	}
	if (raw_recall(fs->raw, id, out))
		return 0;
	struct search s = { .raw = fs->raw, .id = id };
	struct err e = { .msg = "" };
	int r = bucket_list(fs->options.bucket, "", false, true, search_top, &s, &e);
	for (size_t i = 0; i < s.parts.len && !s.found && r >= 0; i++)
		r = bucket_list(fs->options.bucket, s.parts.data[i], true, true, search_below, &s, &e);
	vec_each (part, &s.parts)
		free(*part);
	vec_fini(&s.parts);
	if (r < 0)
		return complain("bucket not listed", r, &e);
	return s.found && raw_recall(fs->raw, id, out) ? 0 : -ESTALE;
}

static void fill_entry(struct fs *fs, const struct raw_info *i, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
		.ino = i->id, .entry_timeout = RAW_TIMEOUT_S, .attr_timeout = RAW_TIMEOUT_S
	};
	struct stat *st = &out->attr;
	*st = (struct stat){
		.st_ino = i->id, .st_uid = fs->uid, .st_gid = fs->gid, .st_blksize = FS_BLOCK_BYTES
	};
	int64_t mtime_ms = i->mtime_ms;
	struct ulid u;
	if (i->is_dir) {
		st->st_mode = S_IFDIR | 0555;
		st->st_nlink = 2;
		st->st_size = 4096;
		st->st_blocks = 8;
		mtime_ms = ulid_parse(i->name, &u) ? ulid_time_ms(&u) : fs->start_ms;
	} else {
		st->st_mode = S_IFREG | 0444;
		st->st_nlink = 1;
		st->st_size = (off_t)i->size;
		st->st_blocks = (blkcnt_t)(i->size / 512 + (i->size % 512 != 0));
	}
	st->st_mtim = st->st_ctim = st->st_atim = MS_TO_SPEC(mtime_ms < 0 ? 0 : mtime_ms);
}

static int stop_at_first(void *arg, const struct object_info *o)
{
	(void)arg, (void)o;
	return 1;
}

/* Asks the bucket what stands under a name; i->name and i->id are set. */
static int ask(struct fs *fs, struct raw_info *i)
{
	struct object_info o;
	struct err e = { .msg = "" };
	if (!bucket_name_is_valid(i->name))
		return -ENOENT;
	int r = bucket_stat(fs->options.bucket, i->name, &o, &e);
	if (r == 0) {
		i->is_dir = false;
		i->size = o.size;
		i->mtime_ms = o.mtime_ms;
	} else if (r == -ENOENT) {
		auto_free char *prefix = xasprintf("%s/", i->name);
		r = bucket_list(fs->options.bucket, prefix, false, false, stop_at_first, NULL, &e);
		if (r == 0)
			return -ENOENT;
		i->is_dir = true;
	}
	if (r < 0)
		return complain("bucket not asked", r, &e);
	i->found_us = clock_monotonic_us();
	return 0;
}

static int lookup(struct fs *fs, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	auto_raw_info struct raw_info d = { 0 }, i = { 0 };
	int r = resolve(fs, dir, &d);
	if (r < 0)
		return r;
	if (!d.is_dir)
		return -ENOTDIR;
	if (strlen(d.name) + strlen(name) + 1 > NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	i.name = *d.name ? xasprintf("%s/%s", d.name, name) : xstrdup(name);
	i.id = node_bucket(i.name);
	r = ask(fs, &i);
	if (r < 0)
		return r;
	if (!raw_remember(fs->raw, &i))
		return -ENOENT;
	fill_entry(fs, &i, out);
	return 0;
}

/* An empty entry costs a listing later at most. */
static void forget(struct fs *fs, uint64_t id, uint64_t count)
{
	(void)count;
	if (fs->raw)
		raw_forget(fs->raw, id);
}

static int getattr(struct fs *fs, uint64_t id, struct stat *out, double *timeout)
{
	auto_raw_info struct raw_info i = { 0 };
	int r = resolve(fs, id, &i);
	if (r == 0 && !i.is_dir && clock_monotonic_us() - i.found_us > FRESH_US) {
		/* A file that is open goes on being there. */
		r = ask(fs, &i);
		if (r == 0)
			raw_remember(fs->raw, &i);
		else if (r == -ENOENT)
			r = 0;
	}
	if (r < 0)
		return r;
	struct fuse_entry_param entry;
	fill_entry(fs, &i, &entry);
	*out = entry.attr;
	*timeout = entry.attr_timeout;
	return 0;
}

static int add_name(void *arg, const struct object_info *o)
{
	struct name_list *l = arg;
	size_t n = strlen(o->name);
	bool is_dir = n && o->name[n - 1] == '/';
	n -= is_dir;
	size_t start = n;
	while (start && o->name[start - 1] != '/')
		start--;
	if (start == n)
		return 0;
	struct name_entry *e = name_list_add(l, o->name + start, n - start);
	e->type = is_dir ? DT_DIR : DT_REG;
	e->number = o->size;
	e->mtime_ms = o->mtime_ms;
	return 0;
}

static int read_names(struct fs *fs, const struct raw_info *dir, struct name_list **out)
{
	struct err e = { .msg = "" };
	auto_free char *prefix = *dir->name ? xasprintf("%s/", dir->name) : xstrdup("");
	struct name_list *l = name_list_new(dir->id);
	int r = bucket_list(fs->options.bucket, prefix, false, true, add_name, l, &e);
	if (r < 0) {
		name_list_unref(l);
		return complain("bucket not listed", r, &e);
	}
	name_list_sort(l);
	*out = l;
	return 0;
}

static int list(struct fs *fs, uint64_t dir, uint64_t cookie, bool want_attr, fs_emit_fn *emit, void *arg)
{
	(void)want_attr; /* the listing has them */
	auto_raw_info struct raw_info d = { 0 };
	int r = resolve(fs, dir, &d);
	if (r < 0)
		return r;
	if (!d.is_dir)
		return -ENOTDIR;
	uint64_t next = cookie_next(cookie, COOKIE_NAMES);
	auto_of(name_list) struct name_list *l = next ? name_cache_get(fs->listings, dir) : NULL;
	if (!l) {
		r = read_names(fs, &d, &l);
		if (r < 0)
			return r;
		name_cache_put(fs->listings, l);
	}
	int64_t now = clock_monotonic_us();
	for (size_t at = name_list_from(l, next); at < l->entries.len; at++) {
		const struct name_entry *e = &l->entries.data[at];
		/* An object store may hold an object and a "directory" of one name. */
		if (at && l->entries.data[at - 1].hash == e->hash)
			continue;
		const char *name = name_list_name(l, e);
		auto_raw_info struct raw_info i = { .name = *d.name ? xasprintf("%s/%s", d.name, name)
								    : xstrdup(name),
			.is_dir = e->type == DT_DIR,
			.size = e->number,
			.mtime_ms = e->mtime_ms,
			.found_us = now };
		i.id = node_bucket(i.name);
		struct fuse_entry_param entry;
		if (!bucket_name_is_valid(i.name) || !raw_remember(fs->raw, &i))
			continue;
		fill_entry(fs, &i, &entry);
		if (emit(arg, name, &entry, cookie_make(COOKIE_NAMES, e->hash)))
			return 0;
	}
	return 0;
}

static int open_node(struct fs *fs, uint64_t id, struct fuse_file_info *fi)
{
	auto_raw_info struct raw_info i = { 0 };
	int r = resolve(fs, id, &i);
	if (r < 0 || i.is_dir)
		return r;
	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC))
		return -EROFS;
	return 0;
}

/* The node's blob, opened if need be: a reference. */
static int blob_of(struct fs *fs, uint64_t id, struct raw_blob **out)
{
	*out = raw_blob(fs->raw, id);
	if (*out)
		return 0;
	auto_raw_info struct raw_info i = { 0 };
	int r = resolve(fs, id, &i);
	if (r < 0)
		return r;
	if (i.is_dir)
		return -EISDIR;
	struct err e = { .msg = "" };
	struct blob *blob;
	r = bucket_open(fs->options.bucket, i.name, &blob, &e);
	if (r < 0)
		return complain("object not opened", r, &e);
	*out = raw_blob_opened(fs->raw, id, blob);
	return 0;
}

/* So that a file which is open stays readable when it leaves the bucket. */
static void opened(struct fs *fs, uint64_t id)
{
	struct raw_blob *b;
	if (fs->raw && blob_of(fs, id, &b) == 0)
		raw_blob_unref(b);
}

static void closed(struct fs *fs, uint64_t id)
{
	if (fs->raw)
		raw_blob_closed(fs->raw, id);
}

static void read_done(struct fs *fs, struct fs_range *r)
{
	(void)fs;
	raw_blob_unref(r->owner);
}

static int read_file(struct fs *fs, uint64_t id, size_t n, uint64_t at, struct fs_range *out)
{
	struct raw_blob *b;
	if (!fs->raw)
		return -ESTALE;
	int r = blob_of(fs, id, &b);
	if (r < 0)
		return r;
	out->owner = b;
	out->done = read_done;
	if (at >= b->blob->size)
		return 0;
	out->n = MIN_OF(MIN_OF(n, b->blob->size - at), (size_t)READ_MAX_BYTES);
	out->fd = blob_fd(b->blob);
	out->fd_at = at;
	if (out->fd >= 0)
		return 0;
	struct err e = { .msg = "" };
	r = blob_read_buf(b->blob, &out->buf, out->n, at, &e);
	return r < 0 ? complain("object not read", r, &e) : 0;
}

const struct fs_node_ops tree_bucket_ops = {
	.lookup = lookup,
	.forget = forget,
	.getattr = getattr,
	.open = open_node,
	.opened = opened,
	.closed = closed,
	.read = read_file,
	.list = list,
};
