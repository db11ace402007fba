/* SPDX-License-Identifier: Apache-2.0 */
#include "store/extents_files.h"

#include "lib/base/file.h"
#include "lib/base/sorted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define KEY_CHARS (2 * EXTENTS_KEY_BYTES)

char *extents_files_path(const char *dir, const struct extents_file_id *id, enum extents_file which)
{
	char hex[KEY_CHARS + 1];
	for (int i = 0; i < EXTENTS_KEY_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", id->key[i]);
	return xasprintf("%s/%.2s/%s-%" PRIx64 "%s", dir, hex, hex, id->sequence,
		which == EXTENTS_DATA ? ".data" : ".map");
}

void extents_files_key(const char *name, uint8_t key[EXTENTS_KEY_BYTES])
{
	XXH128_canonical_t c;
	XXH128_canonicalFromHash(&c, XXH3_128bits(name, strlen(name)));
	memcpy(key, c.digest, EXTENTS_KEY_BYTES);
}

/* The directory of the file at `path`. */
static void make_dir(const char *path)
{
	auto_free char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	mkdir(dir, 0700);
}

int extents_files_open(const char *dir, const struct extents_file_id *id, bool may_create)
{
	auto_free char *path = extents_files_path(dir, id, EXTENTS_DATA);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && may_create) {
		make_dir(path);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	}
	return fd < 0 ? -errno : fd;
}

/* The next run of bytes that a file has at or after `at`. */
static bool next_data(int fd, uint64_t at, uint64_t *begin, uint64_t *end)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);
	off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
	if (hole < 0)
		return false;
	*begin = (uint64_t)data;
	*end = (uint64_t)hole;
	return true;
}

struct backing {
	int fd;
	uint64_t begin, end; /* the run that was found last */
	bool is_over;
};

/* Whether the file has all of [from, to). To be asked in rising order. */
static bool is_backed(struct backing *b, uint64_t from, uint64_t to)
{
	if (!b->is_over && from >= b->end)
		b->is_over = !next_data(b->fd, from, &b->begin, &b->end);
	return !b->is_over && from >= b->begin && to <= b->end;
}

static void drop_unbacked(struct extents_map *m, int fd)
{
	struct backing b = { .fd = fd };
	size_t kept = 0, crcs = 0;
	vec_each (r, &m->regions) {
		uint64_t present = 0;
		size_t first = crcs, crc = r->crc;
		for (uint64_t bits = r->present; bits; bits &= bits - 1, crc++) {
			unsigned i = (unsigned)__builtin_ctzll(bits);
			uint64_t from = r->index * EXTENTS_REGION_BYTES + (uint64_t)i * m->block_bytes;
			if (!is_backed(&b, from, MIN_OF(from + m->block_bytes, m->size)))
				continue;
			present |= 1ull << i;
			m->crcs.data[crcs++] = m->crcs.data[crc];
		}
		if (present)
			m->regions.data[kept++] =
				(struct extents_map_region){ r->index, r->used, present, first };
	}
	m->regions.len = kept;
	m->crcs.len = crcs;
}

int extents_files_read_map(const char *dir, const struct extents_file_id *id, uint32_t block_bytes,
	struct extents_map *m, struct err *e)
{
	uint8_t key[EXTENTS_KEY_BYTES];
	auto_buf struct buf b = { 0 };
	auto_free char *path = extents_files_path(dir, id, EXTENTS_MAP);
	int r = file_read(path, EXTENTS_MAP_MAX_BYTES, &b, e);
	if (r == 0)
		r = extents_map_parse(path, b.data, b.len, m, e);
	if (r < 0)
		return r;
	extents_files_key(m->name, key);
	auto_close_fd int fd = extents_files_open(dir, id, false);
	if (memcmp(key, id->key, sizeof key) != 0)
		r = err_set(e, -EBADMSG, "%s is the map of another object, %.256s", path, m->name);
	else if (m->block_bytes != block_bytes)
		r = err_set(e, -EBADMSG, "%s has blocks of another size", path);
	else if (fd < 0)
		r = err_errno(e, fd, "opening the data beside %s", path);
	else
		drop_unbacked(m, fd);
	if (r < 0)
		extents_map_fini(m);
	return r;
}

int extents_files_write_map(const char *dir, const struct extents_file_id *id, const void *p, size_t n)
{
	auto_free char *path = extents_files_path(dir, id, EXTENTS_MAP), *tmp = xasprintf("%s.tmp", path);
	make_dir(path);
	auto_close_fd int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : file_write_all(fd, p, n);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(tmp);
	return r;
}

/* The map first: data without a map is thrown away by the next scan. */
void extents_files_remove(const char *dir, const struct extents_file_id *id)
{
	auto_free char *map = extents_files_path(dir, id, EXTENTS_MAP);
	auto_free char *data = extents_files_path(dir, id, EXTENTS_DATA);
	unlink(map);
	unlink(data);
}

static bool is_in_map(const struct extents_map *m, uint64_t block)
{
	uint64_t blocks = EXTENTS_REGION_BYTES / m->block_bytes;
	size_t at = lower_bound(i, m->regions.len, m->regions.data[i].index < block / blocks);
	return at < m->regions.len && m->regions.data[at].index == block / blocks &&
	       (m->regions.data[at].present >> block % blocks & 1);
}

void extents_files_punch_unknown(
	const char *dir, const struct extents_file_id *id, const struct extents_map *m)
{
	uint64_t begin, end = 0, known = 0;
	struct stat st;
	auto_close_fd int fd = extents_files_open(dir, id, false);
	vec_each (r, &m->regions)
		known += (uint64_t)__builtin_popcountll(r->present) * m->block_bytes;
	/* The usual case costs one system call: file systems count metadata too, hence the room. */
	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_blocks * 512 <= known)
		return;
	if ((uint64_t)st.st_size > m->size && ftruncate(fd, (off_t)m->size) < 0)
		return;
	while (next_data(fd, end, &begin, &end))
		for (uint64_t block = begin / m->block_bytes; block * m->block_bytes < end; block++)
			if (!is_in_map(m, block))
				(void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)(block * m->block_bytes), (off_t)m->block_bytes);
}

/* "0123...-5.map" */
static bool parse_name(const char *name, struct extents_file_id *id, bool *is_map)
{
	int end = 0;
	size_t n = strspn(name, "0123456789abcdef");
	if (n != KEY_CHARS || sscanf(name + n, "-%" SCNx64 "%n", &id->sequence, &end) != 1 || end == 0)
		return false;
	for (int i = 0; i < EXTENTS_KEY_BYTES; i++) {
		unsigned byte;
		if (sscanf(name + 2 * i, "%2x", &byte) != 1)
			return false;
		id->key[i] = (uint8_t)byte;
	}
	*is_map = !strcmp(name + n + end, ".map");
	return *is_map || !strcmp(name + n + end, ".data");
}

struct scan {
	const char *dir;
	uint32_t block_bytes;
	uint64_t *sequence;
	extents_files_fn *fn;
	void *arg;
};

struct found {
	struct extents_file_id id;
	bool has_map;
	char *path;
};

/* By key, then the highest sequence first, then the map first. */
static int by_id(const void *a, const void *b)
{
	const struct found *p = a, *q = b;
	int order = memcmp(p->id.key, q->id.key, sizeof p->id.key);
	if (order)
		return order;
	if (p->id.sequence != q->id.sequence)
		return p->id.sequence < q->id.sequence ? 1 : -1;
	return (int)q->has_map - (int)p->has_map;
}

/* The sound objects of one directory; what belongs to none is removed. */
static void scan_one(struct scan *s, const char *dir, DIR *d)
{
	VEC(struct found) all = { 0 };
	for (struct dirent *entry; (entry = readdir(d));) {
		struct found f = { 0 };
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		f.path = xasprintf("%s/%s", dir, entry->d_name);
		if (parse_name(entry->d_name, &f.id, &f.has_map)) {
			*s->sequence = MAX_OF(*s->sequence, f.id.sequence);
			vec_push(&all, f);
		} else {
			unlink(f.path);
			free(f.path);
		}
	}
	vec_sort(&all, by_id);
	const struct extents_file_id *kept = NULL;
	vec_each (f, &all) {
		auto_extents_map struct extents_map m = { 0 };
		bool is_same = kept && !memcmp(kept, &f->id, sizeof f->id);
		bool is_older = kept && !is_same && !memcmp(kept->key, f->id.key, sizeof f->id.key);
		if (is_same)
			continue;
		if (!is_older && f->has_map &&
			extents_files_read_map(s->dir, &f->id, s->block_bytes, &m, NULL) == 0 &&
			m.regions.len > 0) {
			kept = &f->id;
			extents_files_punch_unknown(s->dir, &f->id, &m);
			s->fn(s->arg, &f->id, &m);
		} else {
			unlink(f->path);
		}
	}
	vec_each (f, &all)
		free(f->path);
	vec_fini(&all);
}

int extents_files_scan(const char *dir, uint32_t block_bytes, uint64_t *sequence, extents_files_fn *fn,
	void *arg, struct err *e)
{
	struct scan s = {
		.dir = dir, .block_bytes = block_bytes, .sequence = sequence, .fn = fn, .arg = arg
	};
	*sequence = 0;
	for (unsigned i = 0; i < 256; i++) {
		auto_free char *below = xasprintf("%s/%02x", dir, i);
		DIR *d = opendir(below);
		if (!d && errno == ENOENT)
			continue;
		if (!d)
			return err_errno(e, -errno, "opening directory %s", below);
		scan_one(&s, below, d);
		closedir(d);
	}
	return 0;
}
