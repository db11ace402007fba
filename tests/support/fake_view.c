/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view over a directory: each of its subdirectories whose name is a ULID stands for a merged block with
 * those very files. Takes the place of dedup/view.c and dedup/merged_block.c where the filesystem is what is
 * tested. A block that has a file "broken" gives zeros for its chunks, as a block does whose bytes can't be
 * had. One that has a file "poison" makes a read of its chunks or of an attribute crash the process, where that file says "crash", and else takes as
 * long as the file is there.
 */
#include "tests/support/fake_view.h"

#include "lib/base/file.h"
#include "lib/base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_file {
	struct merged_file file;
	char *name;
	int fd; /* -1: not open yet */
};

struct merged_block {
	_Atomic unsigned refs;
	struct ulid ulid;
	char *dir; /* NULL: a block that is only counted, with a meta.json of no bytes */
	_Atomic int open_files;

	pthread_mutex_t lock;
	bool is_loaded;
	VEC(struct fake_file) fakes;
	VEC(struct merged_file) files;
};

struct view {
	char *dir;
	unsigned extra; /* blocks that exist in no directory */
	pthread_mutex_t lock;
	struct view_snapshot *now;
	VEC(struct merged_block *) ever; /* so that what left can be found */
	void (*fn)(void *arg, const struct view_snapshot *before, const struct view_snapshot *after);
	void *arg;
};

struct merged_block *merged_block_ref(struct merged_block *b)
{
	atomic_fetch_add(&b->refs, 1);
	return b;
}

void merged_block_unref(struct merged_block *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	vec_each (f, &b->fakes) {
		if (f->fd >= 0)
			close(f->fd);
		free(f->name);
	}
	vec_fini(&b->fakes);
	vec_fini(&b->files);
	pthread_mutex_destroy(&b->lock);
	free(b->dir);
	free(b);
}

const struct ulid *merged_block_ulid(const struct merged_block *b)
{
	return &b->ulid;
}

int64_t merged_block_mtime_ms(const struct merged_block *b)
{
	return ulid_time_ms(&b->ulid);
}

static void take_poison(const struct merged_block *b)
{
	auto_free char *path = b->dir ? xasprintf("%s/poison", b->dir) : NULL;
	char word[6] = { 0 };
	FILE *f = path ? fopen(path, "re") : NULL;
	if (!f)
		return;
	bool crashes = fread(word, 1, sizeof word - 1, f) && !strcmp(word, "crash");
	fclose(f);
	if (crashes)
		abort();
	while (file_exists(path))
		usleep(10000);
}

int merged_block_xattr(struct merged_block *b, const char *name, struct buf *out)
{
	take_poison(b);
	char ulid[ULID_CHARS + 1];
	ulid_format(&b->ulid, ulid);
	buf_printf(out, "%s of %s", name, ulid);
	return 0;
}

static void load_dir(struct merged_block *b, const char *dir, bool in_chunks)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		auto_free char *path = xasprintf("%s/%s", dir, e->d_name);
		struct stat st;
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !strcmp(e->d_name, "broken") ||
			!strcmp(e->d_name, "poison"))
			continue;
		vec_push(&b->fakes, (struct fake_file){ .name = xstrdup(e->d_name),
					    .fd = open(path, O_RDONLY | O_CLOEXEC),
					    .file = { .in_chunks = in_chunks,
						    .size = (uint64_t)st.st_size,
						    .on_disk = (uint64_t)st.st_blocks * 512 } });
	}
	if (d)
		closedir(d);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fake_file *)a)->name, ((const struct fake_file *)b)->name);
}

int merged_block_files(struct merged_block *b, const struct merged_file **files, size_t *n, struct err *e)
{
	(void)e;
	pthread_mutex_lock(&b->lock);
	if (!b->is_loaded) {
		b->is_loaded = true;
		if (b->dir) {
			auto_free char *chunks = xasprintf("%s/chunks", b->dir);
			load_dir(b, b->dir, false);
			load_dir(b, chunks, true);
		} else {
			vec_push(&b->fakes, (struct fake_file){ .name = xstrdup("meta.json"), .fd = -1 });
		}
		vec_sort(&b->fakes, by_name);
		vec_each (f, &b->fakes) {
			f->file.name = f->name;
			vec_push(&b->files, f->file);
		}
	}
	pthread_mutex_unlock(&b->lock);
	*files = b->files.data;
	*n = b->files.len;
	return 0;
}

static bool is_broken(const struct merged_block *b)
{
	if (!b->dir)
		return false;
	auto_free char *path = xasprintf("%s/broken", b->dir);
	return file_exists(path);
}

void merged_block_read(struct merged_block *b, size_t file, uint64_t at, size_t n, struct buf *out,
	struct merged_range *range)
{
	struct fake_file *f = &b->fakes.data[file];
	range->n = at < f->file.size ? MIN_OF(n, f->file.size - at) : 0;
	range->fd = -1;
	if (f->file.in_chunks)
		take_poison(b);
	if (f->file.in_chunks && is_broken(b)) {
		buf_add_zeros(out, range->n);
		range->incomplete = true;
		return;
	}
	range->fd = f->fd;
	range->fd_at = at;
}

void merged_block_range_done(struct merged_block *b, size_t file, struct merged_range *range)
{
	(void)b, (void)file, (void)range;
}

int merged_block_whole_file(struct merged_block *b, size_t file)
{
	const struct fake_file *f = &b->fakes.data[file];
	int fd = strcmp(f->name, "index") == 0 ? fcntl(f->fd, F_DUPFD_CLOEXEC, 0) : -1;
	return fd < 0 ? -EOPNOTSUPP : fd;
}

void merged_block_file_opened(struct merged_block *b, size_t file)
{
	(void)file;
	atomic_fetch_add(&b->open_files, 1);
}

void merged_block_file_closed(struct merged_block *b, size_t file)
{
	(void)file;
	atomic_fetch_sub(&b->open_files, 1);
}

static struct merged_block *block_new(const struct ulid *u, char *dir)
{
	struct merged_block *b = xcalloc(1, sizeof *b);
	b->refs = 1;
	b->ulid = *u;
	b->dir = dir;
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

static struct merged_block *find_ever(struct view *v, const struct ulid *u)
{
	vec_each (b, &v->ever)
		if (!ulid_cmp(&(*b)->ulid, u))
			return *b;
	return NULL;
}

static int by_ulid(const void *a, const void *b)
{
	return ulid_cmp(&(*(struct merged_block *const *)a)->ulid, &(*(struct merged_block *const *)b)->ulid);
}

void fake_view_sync(struct view *v)
{
	VEC(struct merged_block *) blocks = { 0 };
	DIR *d = v->dir ? opendir(v->dir) : NULL;
	for (struct dirent *e; d && (e = readdir(d));) {
		struct ulid u;
		if (ulid_parse(e->d_name, &u)) {
			struct merged_block *old = find_ever(v, &u);
			vec_push(&blocks, old ? merged_block_ref(old)
					      : block_new(&u, xasprintf("%s/%s", v->dir, e->d_name)));
		}
	}
	if (d)
		closedir(d);
	for (unsigned i = 0; i < v->extra; i++) {
		uint8_t rest[10] = { 0, 1, 2, 3, 4, 5, (uint8_t)(i >> 24), (uint8_t)(i >> 16),
			(uint8_t)(i >> 8), (uint8_t)i };
		struct ulid u = ulid_make(1700000000000 + (int64_t)i * 7200000, rest);
		struct merged_block *old = v->now ? view_snapshot_find(v->now, &u) : NULL;
		vec_push(&blocks, old ? merged_block_ref(old) : block_new(&u, NULL));
	}
	vec_sort(&blocks, by_ulid);

	struct view_snapshot *next = xcalloc(1, sizeof *next);
	next->refs = 1;
	next->blocks = blocks.data;
	next->n = blocks.len;
	pthread_mutex_lock(&v->lock);
	struct view_snapshot *before = v->now;
	next->generation = before ? before->generation + 1 : 1;
	v->now = next;
	for (size_t i = 0; i < next->n; i++)
		if (next->blocks[i]->dir && !find_ever(v, &next->blocks[i]->ulid))
			vec_push(&v->ever, merged_block_ref(next->blocks[i]));
	pthread_mutex_unlock(&v->lock);
	if (v->fn)
		v->fn(v->arg, before, next);
	view_snapshot_unref(before);
}

struct view *fake_view_new(const char *dir, unsigned extra)
{
	struct view *v = xcalloc(1, sizeof *v);
	v->dir = dir ? xstrdup(dir) : NULL;
	v->extra = extra;
	pthread_mutex_init(&v->lock, NULL);
	fake_view_sync(v);
	return v;
}

void view_close(struct view *v)
{
	view_snapshot_unref(v->now);
	vec_each (b, &v->ever) {
		if (atomic_load(&(*b)->open_files))
			abort(); /* an open without its close */
		merged_block_unref(*b);
	}
	vec_fini(&v->ever);
	pthread_mutex_destroy(&v->lock);
	free(v->dir);
	free(v);
}

struct view_snapshot *view_snapshot(struct view *v)
{
	pthread_mutex_lock(&v->lock);
	struct view_snapshot *s = v->now;
	atomic_fetch_add(&s->refs, 1);
	pthread_mutex_unlock(&v->lock);
	return s;
}

struct merged_block *view_find_any(struct view *v, const struct ulid *u)
{
	pthread_mutex_lock(&v->lock);
	struct merged_block *b = view_snapshot_find(v->now, u);
	if (!b)
		b = find_ever(v, u);
	if (b)
		merged_block_ref(b);
	pthread_mutex_unlock(&v->lock);
	return b;
}

struct merged_block *view_find_lately(struct view *v, const struct ulid *u)
{
	(void)v, (void)u;
	return NULL; /* names go at once, so that what is retired can be told from what is listed */
}

void view_on_publish(struct view *v,
	void (*fn)(void *arg, const struct view_snapshot *before, const struct view_snapshot *after),
	void *arg)
{
	v->fn = fn;
	v->arg = arg;
}

void view_blocks_json(struct view *v, struct buf *out)
{
	struct view_snapshot *s = view_snapshot(v);
	buf_add_str(out, "[");
	for (size_t i = 0; i < s->n; i++) {
		char name[ULID_CHARS + 1];
		ulid_format(&s->blocks[i]->ulid, name);
		buf_printf(out, "%s\n\"%s\"", i ? "," : "", name);
	}
	buf_add_str(out, "]\n");
	view_snapshot_unref(s);
}

void view_status_json(struct view *v, struct buf *out)
{
	struct view_snapshot *s = view_snapshot(v);
	buf_printf(out, "{\"generation\":%llu}", (unsigned long long)s->generation);
	view_snapshot_unref(s);
}
