/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two files: the segment, whose holes are the slots that aren't made, and the bits beside it. Bits count only for the
 * very file they were written for: they name its inode, so that those of a file that was discarded, or found damaged
 * and started anew, never vouch for the holes of the next one.
 */
#include "dedup/made_slots.h"

#include "lib/base/clock.h"
#include "lib/base/crc32c.h"
#include "lib/base/file.h"
#include "lib/tsdb/chunk.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOUCH_US (60 * 1000000ll)

struct made_slots {
	_Atomic unsigned refs;
	char *path, *bits_path;
	int fd;
	uint64_t inode;
	uint64_t first, slots;
	int64_t stands_in_since_us; /* 0: it doesn't */
	_Atomic uint64_t *bits, *claims;
	_Atomic bool unsaved, discarded;
	_Atomic int64_t used_us;
};

static size_t words(const struct made_slots *m)
{
	return (size_t)((m->slots + 63) / 64);
}

/* The bits' file: the words, the segment's inode, and the checksum of both. Anything else counts as no bits. */
static void load_bits(struct made_slots *m)
{
	auto_buf struct buf b = { 0 };
	size_t bytes = words(m) * 8;
	uint64_t inode;
	uint32_t crc;
	if (!file_exists(m->bits_path) || file_read(m->bits_path, bytes + 12, &b, NULL) < 0 ||
		b.len != bytes + 12)
		return;
	memcpy(&inode, b.data + bytes, 8);
	memcpy(&crc, b.data + bytes + 8, 4);
	if (crc32c(0, b.data, bytes + 8) != crc || inode != m->inode)
		return;
	for (size_t i = 0; i < words(m); i++) {
		uint64_t w;
		memcpy(&w, b.data + 8 * i, 8);
		atomic_init(&m->bits[i], w);
	}
}

static void fill_header(uint8_t header[SEGMENT_HEADER_BYTES])
{
	uint32_t magic = htobe32(SEGMENT_MAGIC);
	memset(header, 0, SEGMENT_HEADER_BYTES);
	memcpy(header, &magic, 4);
	header[4] = SEGMENT_VERSION;
}

/* Whether the file is one that was prepared whole: one bad header makes Prometheus refuse all blocks. */
static bool is_prepared(int fd, const struct stat *st, uint64_t segment_bytes)
{
	uint8_t want[SEGMENT_HEADER_BYTES], got[SEGMENT_HEADER_BYTES];
	fill_header(want);
	return (uint64_t)st->st_size == segment_bytes && file_pread_all(fd, got, sizeof got, 0) == 0 &&
	       !memcmp(got, want, sizeof got);
}

/* An empty segment. The size comes last: it says that the header is there. */
static int prepare(const struct made_slots *m, uint64_t segment_bytes)
{
	uint8_t header[SEGMENT_HEADER_BYTES];
	fill_header(header);
	if ((unlink(m->bits_path) < 0 && errno != ENOENT) || ftruncate(m->fd, 0) < 0)
		return -errno;
	int r = file_pwrite_all(m->fd, header, sizeof header, 0);
	return r == 0 && ftruncate(m->fd, (off_t)segment_bytes) < 0 ? -errno : r;
}

static struct made_slots *new_slots(const char *path, int fd, uint64_t first, uint64_t slots)
{
	struct made_slots *m = xcalloc(1, sizeof *m);
	m->refs = 1;
	m->fd = fd;
	m->path = xstrdup(path);
	m->bits_path = xasprintf("%s.made", path);
	m->first = first;
	m->slots = slots;
	m->bits = xcalloc(words(m), sizeof *m->bits);
	m->claims = xcalloc(words(m), sizeof *m->claims);
	m->used_us = clock_monotonic_us();
	return m;
}

int made_slots_open(const char *path, uint64_t segment_bytes, uint64_t first, uint64_t slots,
	struct made_slots **out, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct stat st;
	if (fd < 0)
		return err_errno(e, -errno, "opening %s", path);
	struct made_slots *m = new_slots(path, fd, first, slots);
	int r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0) {
		m->inode = st.st_ino;
		if (is_prepared(fd, &st, segment_bytes))
			load_bits(m);
		else
			r = prepare(m, segment_bytes);
	}
	if (r < 0) {
		made_slots_unref(m);
		return err_errno(e, r, "preparing %s", path);
	}
	*out = m;
	return 0;
}

int made_slots_stand_in(const char *path, uint64_t segment_bytes, uint64_t first, uint64_t slots,
	struct made_slots **out, struct err *e)
{
	uint8_t header[SEGMENT_HEADER_BYTES];
	fill_header(header);
	int fd = memfd_create("segment", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : file_pwrite_all(fd, header, sizeof header, 0);
	if (r == 0 && ftruncate(fd, (off_t)segment_bytes) < 0)
		r = -errno;
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return err_errno(e, r, "standing in for %s", path);
	}
	struct made_slots *m = new_slots(path, fd, first, slots);
	m->stands_in_since_us = m->used_us;
	m->discarded = true; /* there is nothing to save */
	*out = m;
	return 0;
}

int64_t made_slots_stands_in_us(const struct made_slots *m)
{
	return m->stands_in_since_us ? clock_monotonic_us() - m->stands_in_since_us : -1;
}

struct made_slots *made_slots_ref(struct made_slots *m)
{
	atomic_fetch_add(&m->refs, 1);
	return m;
}

void made_slots_unref(struct made_slots *m)
{
	if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
		return;
	made_slots_save(m, NULL);
	close(m->fd);
	free(m->path);
	free(m->bits_path);
	free(m->bits);
	free(m->claims);
	free(m);
}

bool made_slots_has(const struct made_slots *m, uint64_t slot)
{
	uint64_t i = slot - m->first;
	return i < m->slots && (atomic_load_explicit(&m->bits[i / 64], memory_order_acquire) >> i % 64 & 1);
}

int made_slots_put(
	struct made_slots *m, uint64_t slot, uint64_t offset, const void *p, size_t n, struct err *e)
{
	uint64_t i = slot - m->first;
	if (i >= m->slots)
		return err_set(e, -EINVAL, "%s has no slot %llu", m->path, (unsigned long long)slot);
	if (m->stands_in_since_us)
		return err_set(e, -ENOSPC, "%s can't be written", m->path);
	int r = file_pwrite_all(m->fd, p, n, offset);
	if (r < 0)
		return err_errno(e, r, "writing %s", m->path);
	atomic_fetch_or_explicit(&m->bits[i / 64], 1ull << i % 64, memory_order_release);
	atomic_store_explicit(&m->unsaved, true, memory_order_relaxed);
	return 0;
}

bool made_slots_claim(struct made_slots *m, uint64_t slot)
{
	uint64_t i = slot - m->first, bit = 1ull << i % 64;
	return i < m->slots &&
	       !(atomic_fetch_or_explicit(&m->claims[i / 64], bit, memory_order_relaxed) & bit);
}

void made_slots_unclaim(struct made_slots *m, uint64_t slot)
{
	uint64_t i = slot - m->first;
	if (i < m->slots)
		atomic_fetch_and_explicit(&m->claims[i / 64], ~(1ull << i % 64), memory_order_relaxed);
}

int made_slots_fd(const struct made_slots *m)
{
	return m->fd;
}

void made_slots_touch(struct made_slots *m)
{
	int64_t now = clock_monotonic_us();
	if (now - atomic_load_explicit(&m->used_us, memory_order_relaxed) < TOUCH_US)
		return;
	atomic_store_explicit(&m->used_us, now, memory_order_relaxed);
	futimens(m->fd, NULL);
}

int made_slots_save(struct made_slots *m, struct err *e)
{
	if (m->discarded || !atomic_exchange(&m->unsaved, false))
		return 0;
	auto_buf struct buf b = { 0 };
	for (size_t i = 0; i < words(m); i++) {
		uint64_t w = atomic_load(&m->bits[i]);
		buf_add(&b, &w, 8);
	}
	buf_add(&b, &m->inode, 8);
	uint32_t crc = crc32c(0, b.data, b.len);
	buf_add(&b, &crc, 4);
	int r = fdatasync(m->fd) < 0 ? err_errno(e, -errno, "syncing %s", m->path)
				     : file_replace(m->bits_path, b.data, b.len, e);
	if (r < 0)
		atomic_store(&m->unsaved, true);
	return r;
}

void made_slots_clear(const char *path)
{
	auto_free char *bits = xasprintf("%s.made", path), *empty = xasprintf("%s.empty", path);
	unlink(bits);
	int fd = open(empty, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
	if (fd < 0 || rename(empty, path) < 0)
		unlink(path);
}

void made_slots_discard(struct made_slots *m)
{
	m->discarded = true;
	made_slots_clear(m->path);
}
