/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/block_read.h"

#include "lib/base/crc32c.h"
#include "lib/base/fault_guard.h"
#include "lib/base/file.h"
#include "lib/tsdb/index_tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LENGTH_FIELD_BYTES 5 /* that must be readable at a chunk's place */

static _Atomic uint64_t touched_bytes; /* by all blocks: what has limits is the process' memory */

static int map_file(const char *path, struct segment_map *out, struct err *e)
{
	auto_close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	*out = (struct segment_map){ 0 };
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, -errno, "opening %s", path);
	if (!st.st_size)
		return 0;
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, -errno, "mapping %s", path);
	*out = (struct segment_map){ p, (size_t)st.st_size };
	return 0;
}

static void unmap(struct segment_map *m)
{
	if (m->p)
		munmap((void *)(uintptr_t)m->p, m->bytes);
}

static int open_index(void *arg, struct err *e)
{
	struct block_read *b = arg;
	auto_free char *name = xasprintf("%s/index", b->name);
	return index_read_open(name, b->index_map.p, b->index_map.bytes, &b->index, e);
}

static int map_index(struct block_read *b, struct err *e)
{
	auto_free char *path = xasprintf("%s/index", b->dir);
	int r = map_file(path, &b->index_map, e);
	if (r == 0 && !b->index_map.p)
		return err_set(e, -EBADMSG, "%s is empty", path);
	return r < 0 ? r : fault_guard_run(open_index, b, e);
}

static int is_number(const struct dirent *d)
{
	return *d->d_name && d->d_name[strspn(d->d_name, "0123456789")] == 0;
}

static int map_segments(struct block_read *b, struct err *e)
{
	auto_free char *dir = xasprintf("%s/chunks", b->dir);
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_number, alphasort);
	int r = 0;
	if (n < 0)
		return err_errno(e, -errno, "listing %s", dir);
	if ((unsigned)n > BLOCK_MAX_SEGMENTS)
		r = err_set(e, -EBADMSG, "%s holds %d segments, at most %u are allowed", dir, n,
			BLOCK_MAX_SEGMENTS);
	for (int i = 0; i < n; i++) {
		auto_free char *path = xasprintf("%s/%s", dir, names[i]->d_name);
		struct segment_map m;
		if (r == 0)
			r = map_file(path, &m, e);
		if (r == 0)
			vec_push(&b->segments, m);
		free(names[i]);
	}
	free(names);
	return r;
}

static int read_tombstones(struct block_read *b, struct err *e)
{
	auto_free char *path = xasprintf("%s/tombstones", b->dir);
	auto_buf struct buf bytes = { 0 };
	int r = file_read(path, TOMBSTONES_MAX_BYTES, &bytes, e);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = tombstones_parse(bytes.data, bytes.len, &b->tombstones, e);
	return r < 0 ? err_wrap(e, r, "%s", path) : 0;
}

int block_read_open(const char *dir, struct block_read **out, struct err *e)
{
	auto_of(block_read) struct block_read *b = xcalloc(1, sizeof *b);
	b->dir = xstrdup(dir);
	const char *slash = strrchr(b->dir, '/');
	b->name = slash ? slash + 1 : b->dir;
	int r = map_index(b, e);
	if (r == 0)
		r = map_segments(b, e);
	if (r == 0)
		r = read_tombstones(b, e);
	if (r == 0)
		*out = take(b);
	return r;
}

void block_read_close(struct block_read *b)
{
	if (!b)
		return;
	index_read_close(b->index);
	unmap(&b->index_map);
	vec_each (s, &b->segments)
		unmap(s);
	vec_fini(&b->segments);
	tombstones_fini(&b->tombstones);
	free(b->dir);
	free(b);
}

/* A uvarint of up to 5 bytes; returns the bytes it takes, or 0 for one that is longer. */
static size_t read_length(const uint8_t *p, uint64_t *length)
{
	*length = 0;
	for (size_t i = 0; i < LENGTH_FIELD_BYTES; i++) {
		*length |= (uint64_t)(p[i] & 0x7f) << 7 * i;
		if (p[i] < 0x80)
			return i + 1;
	}
	return 0;
}

/* The stride that a thread was in last, of each block; blocks may share a place. */
struct stride {
	const struct block_read *block;
	uint64_t number;
};

static void note_touch(const struct block_read *b, uint64_t at)
{
	static _Thread_local struct stride last[64];
	struct stride now = { b, at / BLOCK_READ_STRIDE };
	struct stride *is = &last[((uintptr_t)b >> 6) % ARRAY_LEN(last)];
	if (is->block == now.block && is->number == now.number)
		return;
	*is = now;
	atomic_fetch_add_explicit(&touched_bytes, BLOCK_READ_STRIDE, memory_order_relaxed);
}

bool block_read_touched_more_than(uint64_t bytes)
{
	uint64_t n = atomic_load_explicit(&touched_bytes, memory_order_relaxed);
	return n > bytes && atomic_compare_exchange_strong(&touched_bytes, &n, 0);
}

static void let_go(const struct segment_map *m)
{
	if (m->p)
		madvise((void *)(uintptr_t)m->p, m->bytes, MADV_DONTNEED);
}

void block_read_let_go(const struct block_read *b)
{
	let_go(&b->index_map);
	for (size_t i = 0; i < b->segments.len; i++)
		let_go(&b->segments.data[i]);
}

static int find_chunk(const struct block_read *b, uint64_t ref, struct chunk *out, struct err *e)
{
	uint32_t segment = chunk_ref_segment(ref);
	uint64_t at = chunk_ref_offset(ref), length;
	if (segment >= b->segments.len)
		return err_set(e, -EBADMSG, "segment index %u out of range", segment);
	const struct segment_map *s = &b->segments.data[segment];
	if (at + LENGTH_FIELD_BYTES > s->bytes)
		return err_set(e, -EBADMSG,
			"segment doesn't include enough bytes to read the chunk size data field - "
			"required:%llu, available:%zu",
			(unsigned long long)(at + LENGTH_FIELD_BYTES), s->bytes);
	size_t head = read_length(s->p + at, &length);
	if (!head)
		return err_set(e, -EBADMSG, "reading chunk length failed with 0");
	uint64_t body = at + head, end = body + 1 + length + INDEX_CRC_BYTES;
	if (end > s->bytes)
		return err_set(e, -EBADMSG,
			"segment doesn't include enough bytes to read the chunk - required:%llu, "
			"available:%zu",
			(unsigned long long)end, s->bytes);
	uint32_t want = index_be32(s->p + end - INDEX_CRC_BYTES), have = crc32c(0, s->p + body, 1 + length);
	if (want != have)
		return err_set(e, -EBADMSG, "checksum mismatch expected:%x, actual:%x", want, have);
	*out = (struct chunk){ .encoding = s->p[body], .data = s->p + body + 1, .size = length };
	return 0;
}

int block_read_chunk(const struct block_read *b, uint64_t ref, struct chunk *out, struct err *e)
{
	note_touch(b, ref);
	int r = find_chunk(b, ref, out, e);
	return r < 0 ? err_wrap(e, r, "cannot populate chunk %llu from block %s", (unsigned long long)ref,
			       b->name)
		     : 0;
}

void block_read_announce(const struct block_read *b, uint32_t segment, uint64_t from, uint64_t to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	if (segment >= b->segments.len)
		return;
	const struct segment_map *s = &b->segments.data[segment];
	from &= ~(page - 1);
	to = MIN_OF(to, s->bytes);
	if (from < to)
		madvise((void *)(uintptr_t)(s->p + from), (size_t)(to - from), MADV_WILLNEED);
}
