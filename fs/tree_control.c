/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control directory: texts that are made when somebody looks at them. A text is kept, because a reader
 * asks for the size first and then reads in pieces: it is made anew only when it is a moment old and nobody
 * is in the middle of it.
 */
#include "fs/fs.h"

#include "dedup/view.h"
#include "fs/block_set.h"
#include "fs/cookie.h"
#include "fs/open_count.h"
#include "fs/whiteout.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#define TEXT_AGE_US    1000000
#define BUCKET_NAME    "bucket"
#define TEXTS_MAX      64u
#define MS_TO_SPEC(ms) ((struct timespec){ .tv_sec = (ms) / 1000, .tv_nsec = (ms) % 1000 * 1000000 })

struct text {
	_Atomic unsigned refs;
	struct buf bytes;
	int64_t made_us, made_unix_ms;
};

struct text_file {
	const char *name;
	void (*render)(void *arg, struct buf *out);
	void *arg;
	struct text *now;   /* NULL: not made yet */
	int64_t halfway_us; /* when somebody read it last without reaching its end; 0: nobody */
};

struct control {
	struct fs *fs;
	struct text_file files[TEXTS_MAX];
	size_t n;

	pthread_mutex_t lock; /* of `now` and `halfway_us` */
};

static void render_blocks(void *arg, struct buf *out)
{
	view_blocks_json(((struct fs *)arg)->options.view, out);
}

static void render_metrics(void *arg, struct buf *out)
{
	(void)arg;
	metrics_render(out);
}

static void render_status(void *arg, struct buf *out)
{
	struct fs *fs = arg;
	struct json_writer w;
	auto_buf struct buf view = { 0 };
	view_status_json(fs->options.view, &view);
	json_writer_init(&w, out, JSON_INDENT);
	json_write_object(&w);
	json_write_key_str(&w, "version", THANOSFS_VERSION);
	json_write_key_i64(&w, "uptime_seconds", (clock_unix_ms() - fs->start_ms) / 1000);
	json_write_key_u64(&w, "open_files", open_count_nodes(fs->opens));
	json_write_key_u64(&w, "removed_blocks", whiteouts_hidden(fs->whiteouts));
	json_write_key(&w, "view");
	json_write_raw(&w, (const char *)view.data, view.len);
	json_write_object_end(&w);
	buf_add_u8(out, '\n');
}

static void add(struct control *c, const char *name, void (*render)(void *arg, struct buf *out), void *arg)
{
	size_t i = 0;
	while (i < c->n && strcmp(c->files[i].name, name) != 0)
		i++;
	if (i == TEXTS_MAX)
		return;
	c->files[i] = (struct text_file){ .name = name, .render = render, .arg = arg };
	c->n = MAX_OF(c->n, i + 1);
}

struct control *control_new(struct fs *fs)
{
	struct control *c = xcalloc(1, sizeof *c);
	c->fs = fs;
	pthread_mutex_init(&c->lock, NULL);
	add(c, "blocks.json", render_blocks, fs);
	add(c, "metrics", render_metrics, NULL);
	add(c, "status.json", render_status, fs);
	for (size_t i = 0; i < fs->options.n_control; i++) {
		const struct fs_control_file *f = &fs->options.control[i];
		add(c, f->name, f->render, f->arg);
	}
	return c;
}

static void text_unref(struct text *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	buf_fini(&t->bytes);
	free(t);
}
DEFINE_AUTO(text, struct text *, text_unref)

void control_free(struct control *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		text_unref(c->files[i].now);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct text_file *file_of(struct fs *fs, uint64_t id)
{
	return id >= NODE_TEXTS && id - NODE_TEXTS < fs->control->n ? &fs->control->files[id - NODE_TEXTS]
								    : NULL;
}

/* The text as it is, if may_be_old or it is fresh enough; else made anew. A reference. */
static struct text *text_of(struct control *c, struct text_file *f, bool may_be_old)
{
	int64_t now = clock_monotonic_us();
	pthread_mutex_lock(&c->lock);
	struct text *t = f->now;
	bool is_being_read = f->halfway_us && now - f->halfway_us < TEXT_AGE_US;
	if (t && (may_be_old || is_being_read || now - t->made_us < TEXT_AGE_US))
		atomic_fetch_add(&t->refs, 1);
	else
		t = NULL;
	pthread_mutex_unlock(&c->lock);
	if (t)
		return t;

	t = xcalloc(1, sizeof *t);
	t->refs = 2;
	f->render(f->arg, &t->bytes);
	t->made_us = clock_monotonic_us();
	t->made_unix_ms = clock_unix_ms();
	pthread_mutex_lock(&c->lock);
	struct text *old = f->now;
	f->now = t;
	f->halfway_us = 0;
	pthread_mutex_unlock(&c->lock);
	text_unref(old);
	return t;
}

static void fill_stat(struct fs *fs, uint64_t id, struct stat *st)
{
	*st = (struct stat){ .st_ino = id, .st_uid = fs->uid, .st_gid = fs->gid, .st_blksize = 4096 };
	struct text_file *f = file_of(fs, id);
	if (!f) {
		st->st_mode = S_IFDIR | 0555;
		st->st_size = 4096;
		st->st_blocks = 8;
		st->st_nlink = id == NODE_CONTROL && fs->raw ? 3 : 2;
		st->st_mtim = st->st_ctim = st->st_atim = MS_TO_SPEC(fs->start_ms);
		return;
	}
	auto_of(text) struct text *t = text_of(fs->control, f, false);
	st->st_mode = S_IFREG | 0444;
	st->st_nlink = 1;
	st->st_size = (off_t)t->bytes.len;
	st->st_blocks = (blkcnt_t)((t->bytes.len + 511) / 512);
	st->st_mtim = st->st_ctim = st->st_atim = MS_TO_SPEC(t->made_unix_ms);
}

static bool is_ours(struct fs *fs, uint64_t id)
{
	return id == NODE_CONTROL || file_of(fs, id);
}

static void fill_entry(struct fs *fs, uint64_t id, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){ .ino = id, .entry_timeout = FS_FOREVER_S };
	if (id == NODE_RAW)
		tree_bucket_ops.getattr(fs, id, &out->attr, &out->attr_timeout);
	else
		fill_stat(fs, id, &out->attr);
}

static int lookup(struct fs *fs, uint64_t dir, const char *name, struct fuse_entry_param *out)
{
	if (dir != NODE_CONTROL)
		return is_ours(fs, dir) ? -ENOTDIR : -ESTALE;
	if (fs->raw && !strcmp(name, BUCKET_NAME)) {
		fill_entry(fs, NODE_RAW, out);
		return 0;
	}
	for (size_t i = 0; i < fs->control->n; i++) {
		if (!strcmp(name, fs->control->files[i].name)) {
			fill_entry(fs, NODE_TEXTS + i, out);
			return 0;
		}
	}
	return -ENOENT;
}

static int getattr(struct fs *fs, uint64_t id, struct stat *out, double *timeout)
{
	if (!is_ours(fs, id))
		return -ESTALE;
	*timeout = 0;
	fill_stat(fs, id, out);
	return 0;
}

static int list(struct fs *fs, uint64_t dir, uint64_t cookie, bool want_attr, fs_emit_fn *emit, void *arg)
{
	if (dir != NODE_CONTROL)
		return is_ours(fs, dir) ? -ENOTDIR : -ESTALE;
	uint64_t next = MAX_OF(cookie_next(cookie, COOKIE_FIXED), COOKIE_FIRST);
	for (uint64_t id = next - COOKIE_FIRST + NODE_RAW; id < NODE_TEXTS + fs->control->n; id++) {
		if (id == NODE_RAW && !fs->raw)
			continue;
		struct fuse_entry_param entry = { .ino = id };
		entry.attr.st_ino = id;
		entry.attr.st_mode = id == NODE_RAW ? S_IFDIR : S_IFREG;
		if (want_attr)
			fill_entry(fs, id, &entry);
		const char *name = id == NODE_RAW ? BUCKET_NAME : file_of(fs, id)->name;
		if (emit(arg, name, &entry, cookie_make(COOKIE_FIXED, COOKIE_FIRST + id - NODE_RAW)))
			return 0;
	}
	return 0;
}

static int open_node(struct fs *fs, uint64_t id, struct fuse_file_info *fi)
{
	if (!is_ours(fs, id))
		return -ESTALE;
	struct text_file *f = file_of(fs, id);
	if (!f)
		return 0;
	if ((fi->flags & O_ACCMODE) != O_RDONLY)
		return -EROFS;
	text_unref(text_of(fs->control, f, false));
	fi->direct_io = 1;
	return 0;
}

static int read_file(struct fs *fs, uint64_t id, size_t n, uint64_t at, struct fs_range *out)
{
	struct text_file *f = file_of(fs, id);
	if (!f)
		return is_ours(fs, id) ? -EISDIR : -ESTALE;
	auto_of(text) struct text *t = text_of(fs->control, f, true);
	if (at < t->bytes.len) {
		out->n = MIN_OF(n, t->bytes.len - at);
		buf_add(&out->buf, t->bytes.data + at, out->n);
	}
	pthread_mutex_lock(&fs->control->lock);
	f->halfway_us = at + out->n < t->bytes.len ? clock_monotonic_us() : 0;
	pthread_mutex_unlock(&fs->control->lock);
	return 0;
}

const struct fs_node_ops tree_control_ops = {
	.lookup = lookup,
	.getattr = getattr,
	.open = open_node,
	.read = read_file,
	.list = list,
};
