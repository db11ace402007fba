/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filesystem bucket. An object appears whole: it is written under a hidden name beside its place, which
 * listings skip, synced, and renamed. Directories come with the first object below them and go with the last,
 * as they'd seem to in an object store.
 */
#include "store/bucket_fs.h"

#include "lib/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES     (256u << 10)
#define ENTRIES_BYTES  (32u << 10)
#define MAX_DEPTH      32 /* directories below each other in a recursive listing */
#define PUT_TRIES      16
#define TEMP_PREFIX    ".put-"
#define TEMP_SUFFIX    ".tmp"
#define TEMP_HEX       16
#define TEMP_NAME_SIZE (sizeof TEMP_PREFIX - 1 + TEMP_HEX + sizeof TEMP_SUFFIX)

struct fs_bucket {
	struct bucket base;
	char *root;
	/* Shared by who makes a file in a directory, held alone by who removes empty ones. */
	pthread_rwlock_t dirs;
};

static struct fs_bucket *fs_of(struct bucket *b)
{
	return (struct fs_bucket *)b;
}

static bool is_temp_name(const char *name, size_t n)
{
	return n == TEMP_NAME_SIZE - 1 && !memcmp(name, TEMP_PREFIX, sizeof TEMP_PREFIX - 1) &&
	       !memcmp(name + n - (sizeof TEMP_SUFFIX - 1), TEMP_SUFFIX, sizeof TEMP_SUFFIX - 1);
}

/* The path of an object; NULL with -EINVAL in *r for the one kind of name that is ours. */
static char *path_of(struct bucket *b, const char *name, int *r, struct err *e)
{
	const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
	if (is_temp_name(last, strlen(last))) {
		*r = err_set(e, -EINVAL, "%s: the name %s is kept for unfinished objects", b->name, name);
		return NULL;
	}
	return xasprintf("%s/%s", fs_of(b)->root, name);
}

/* A path through a file, or to a directory, is no object. */
static int errno_of_object(int err)
{
	return err == ENOTDIR || err == EISDIR ? -ENOENT : -err;
}

static int64_t mtime_ms(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

struct listing {
	struct bucket *b;
	bool recursive, want_info;
	bucket_list_fn *fn;
	void *arg;
	struct err *e;
	char name[BUCKET_NAME_MAX + NAME_MAX + 2]; /* of the directory that is read now, then of its entry */
	struct {
		dev_t dev;
		ino_t ino;
	} above[MAX_DEPTH]; /* the directories on the way down: a link back to one of them isn't followed */
	unsigned depth;
};

static int list_directory(struct listing *l, const char *path, size_t name_len);

static bool enter(struct listing *l, int fd)
{
	struct stat st;
	if (l->depth == MAX_DEPTH || fstat(fd, &st) < 0)
		return false;
	for (unsigned i = 0; i < l->depth; i++)
		if (l->above[i].dev == st.st_dev && l->above[i].ino == st.st_ino)
			return false;
	l->above[l->depth].dev = st.st_dev;
	l->above[l->depth].ino = st.st_ino;
	l->depth++;
	return true;
}

/* One entry of the directory `fd`, whose name is the first name_len bytes of l->name. */
static int list_entry(struct listing *l, int fd, const char *dir_path, size_t name_len, const char *entry,
	unsigned char type)
{
	size_t n = strlen(entry);
	if (!strcmp(entry, ".") || !strcmp(entry, "..") || is_temp_name(entry, n))
		return 0;
	if (name_len + n > BUCKET_NAME_MAX)
		return err_set(l->e, -ENAMETOOLONG, "%s: the path %s/%s is too long for an object",
			l->b->name, dir_path, entry);
	struct stat st = { 0 };
	bool is_known = type == DT_DIR || (type == DT_REG && !l->want_info);
	if (!is_known) {
		if (type != DT_REG && type != DT_LNK && type != DT_UNKNOWN)
			return 0;
		if (fstatat(fd, entry, &st, 0) < 0) /* gone by now, or a link to nothing */
			return errno == ENOENT || errno == ELOOP || errno == ENOTDIR
				       ? 0
				       : err_errno(l->e, -errno, "%s: reading %s/%s", l->b->name, dir_path,
						 entry);
		if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			return 0;
	}
	bool is_dir = type == DT_DIR || S_ISDIR(st.st_mode);
	memcpy(l->name + name_len, entry, n);
	memcpy(l->name + name_len + n, "/", 2);
	if (is_dir && l->recursive) {
		auto_free char *path = xasprintf("%s/%s", dir_path, entry);
		return list_directory(l, path, name_len + n + 1);
	}
	struct object_info o = { .name = l->name };
	if (!is_dir) {
		l->name[name_len + n] = 0;
		if (l->want_info) {
			o.size = (uint64_t)st.st_size;
			o.mtime_ms = mtime_ms(&st);
		}
	}
	return l->fn(l->arg, &o);
}

static int list_directory(struct listing *l, const char *path, size_t name_len)
{
	auto_close_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		if ((errno == ENOENT || errno == ENOTDIR) && name_len > 0)
			return 0;
		return err_errno(l->e, -errno, "%s: listing %s", l->b->name, path);
	}
	if (l->recursive && !enter(l, fd))
		return 0;
	auto_free char *entries = xmalloc(ENTRIES_BYTES);
	int r = 0;
	for (;;) {
		ssize_t got = getdents64(fd, entries, ENTRIES_BYTES);
		if (got < 0 && errno == ENOENT)
			break; /* removed while we read it */
		if (got < 0)
			r = err_errno(l->e, -errno, "%s: listing %s", l->b->name, path);
		if (got <= 0)
			break;
		for (ssize_t at = 0; at < got && r == 0;) {
			const struct dirent64 *d = (const void *)(entries + at);
			r = list_entry(l, fd, path, name_len, d->d_name, d->d_type);
			at += d->d_reclen;
		}
		if (r != 0)
			break;
	}
	if (l->recursive)
		l->depth--;
	return r;
}

static int fs_list(struct bucket *b, const char *prefix, bool recursive, bool want_info, bucket_list_fn *fn,
	void *arg, struct err *e)
{
	struct listing l = {
		.b = b, .recursive = recursive, .want_info = want_info, .fn = fn, .arg = arg, .e = e
	};
	size_t n = strlen(prefix);
	memcpy(l.name, prefix, n + 1);
	auto_free char *path = xasprintf("%s/%s", fs_of(b)->root, prefix);
	path[strlen(path) - 1] = 0;
	return list_directory(&l, path, n);
}

static int fs_stat(struct bucket *b, const char *name, struct object_info *out, struct err *e)
{
	int r = 0;
	auto_free char *path = path_of(b, name, &r, e);
	if (!path)
		return r;
	struct stat st;
	if (stat(path, &st) < 0)
		return err_errno(e, errno_of_object(errno), "%s: reading %s", b->name, name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -ENOENT, "%s: %s is not a file", b->name, name);
	*out = (struct object_info){ .name = name, .size = (uint64_t)st.st_size, .mtime_ms = mtime_ms(&st) };
	return 0;
}

static int fs_open(struct bucket *b, const char *name, uint64_t known_bytes, struct blob **out, struct err *e)
{
	(void)known_bytes; /* asking costs nothing here */
	struct object_info o;
	int r = fs_stat(b, name, &o, e); /* first: opening a pipe would wait for its writer */
	if (r < 0)
		return r;
	auto_free char *path = path_of(b, name, &r, e);
	r = blob_open_file(path, out, e);
	return r < 0 ? err_wrap(e, errno_of_object(-r), "%s", b->name) : 0;
}

/* Makes the directories above `path`, each durable in the one that holds it. */
static int make_parents(const char *root, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = xstrndup(path, (size_t)(slash - path));
	if (file_exists(dir))
		return 0;
	if (strlen(dir) <= strlen(root))
		return file_mkdirs(dir, 0755, e);
	int r = make_parents(root, dir, e);
	if (r < 0)
		return r;
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return err_errno(e, -errno, "creating directory %s", dir);
	slash = strrchr(dir, '/');
	auto_free char *above = xstrndup(dir, (size_t)(slash - dir));
	return file_fsync_dir(above, e);
}

static char *temp_path(const char *path)
{
	uint64_t random;
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		abort();
	const char *slash = strrchr(path, '/');
	return xasprintf("%.*s/" TEMP_PREFIX "%0*llx" TEMP_SUFFIX, (int)(slash - path), path, TEMP_HEX,
		(unsigned long long)random);
}

static int copy_to(int fd, struct blob *content, struct err *e)
{
	auto_free uint8_t *piece = xmalloc(COPY_BYTES);
	for (uint64_t at = 0; at < content->size;) {
		size_t n = MIN_OF(COPY_BYTES, content->size - at);
		int r = blob_read(content, piece, n, at, e);
		if (r == 0 && (r = file_write_all(fd, piece, n)) < 0)
			err_errno(e, r, "writing");
		if (r < 0)
			return r;
		at += n;
	}
	return fsync(fd) < 0 ? err_errno(e, -errno, "syncing") : 0;
}

/* Makes a file beside `path`, which keeps the directories from being removed from now on. The descriptor, or -errno. */
static int make_temp(struct fs_bucket *f, const char *path, const char *temp, struct err *e)
{
	pthread_rwlock_rdlock(&f->dirs);
	int r = make_parents(f->root, path, e);
	if (r == 0 && (r = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0)
		r = err_errno(e, -errno, "creating %s", temp);
	pthread_rwlock_unlock(&f->dirs);
	return r;
}

static int put_once(struct bucket *b, const char *path, struct blob *content, struct err *e)
{
	auto_free char *temp = temp_path(path);
	auto_close_fd int fd = make_temp(fs_of(b), path, temp, e);
	if (fd < 0)
		return fd;
	int r = copy_to(fd, content, e);
	if (r == 0 && rename(temp, path) < 0)
		r = err_errno(e, -errno, "renaming %s", temp);
	if (r < 0) {
		unlink(temp);
		return r;
	}
	auto_free char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	r = file_fsync_dir(dir, e);
	return r == -ENOENT ? 0 : r; /* put, and already removed with its directory by another */
}

static int fs_put(struct bucket *b, const char *name, struct blob *content, struct err *e)
{
	int r = 0;
	auto_free char *path = path_of(b, name, &r, e);
	if (!path)
		return r;
	/* -ENOENT: another process removed the last object beside this one, and the directory with it. */
	r = -ENOENT;
	for (int i = 0; i < PUT_TRIES && r == -ENOENT; i++)
		r = put_once(b, path, content, e);
	return r < 0 ? err_wrap(e, r, "%s: putting %s", b->name, name) : 0;
}

static int fs_remove(struct bucket *b, const char *name, struct err *e)
{
	int r = 0;
	auto_free char *path = path_of(b, name, &r, e);
	if (!path)
		return r;
	if (unlink(path) < 0)
		return err_errno(e, errno_of_object(errno), "%s: removing %s", b->name, name);
	size_t root_len = strlen(fs_of(b)->root);
	pthread_rwlock_wrlock(&fs_of(b)->dirs);
	do
		*strrchr(path, '/') = 0;
	while (strlen(path) > root_len && rmdir(path) == 0);
	pthread_rwlock_unlock(&fs_of(b)->dirs);
	return 0;
}

static void fs_free(struct bucket *b)
{
	pthread_rwlock_destroy(&fs_of(b)->dirs);
	free(fs_of(b)->root);
	free(b);
}

int bucket_fs_new(const char *directory, struct bucket **out, struct err *e)
{
	static const struct bucket_ops ops = {
		.list = fs_list,
		.stat = fs_stat,
		.open = fs_open,
		.put = fs_put,
		.remove = fs_remove,
		.free = fs_free,
	};
	char cwd[PATH_MAX] = "";
	if (!*directory)
		return err_set(e, -EINVAL, "the directory of the bucket is empty");
	if (directory[0] != '/' && !getcwd(cwd, sizeof cwd))
		return err_errno(e, -errno, "finding the directory %s", directory);
	struct fs_bucket *f = xcalloc(1, sizeof *f);
	pthread_rwlock_init(&f->dirs, NULL);
	f->root = directory[0] == '/' ? xstrdup(directory) : xasprintf("%s/%s", cwd, directory);
	for (size_t n = strlen(f->root); n > 1 && f->root[n - 1] == '/'; n--)
		f->root[n - 1] = 0;
	f->base = (struct bucket){ .ops = &ops, .name = xasprintf("filesystem bucket %s", f->root) };
	*out = &f->base;
	return 0;
}
