/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a slot map: opened, and every slot visited, whatever the file says. Bytes that start with 'r' are records
 * and a directory whose checksums are put right first, so that what stands behind them is tried too.
 */
#include "dedup/slot_map.h"
#include "lib/base/crc32c.h"
#include "lib/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROW_BYTES     24 /* of a block, and of a segment */
#define TAIL_BYTES    24
#define MAGIC         "TFSLOTS3"
#define MAX_SEGMENTS  64
#define SLOTS_AT_MOST (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void repair(uint8_t *p, size_t n)
{
	uint64_t blocks;
	uint32_t segments, crc;
	if (n < sizeof MAGIC - 1 + TAIL_BYTES)
		return;
	uint8_t *tail = p + n - TAIL_BYTES;
	memcpy(p, MAGIC, sizeof MAGIC - 1);
	memcpy(&blocks, tail + 8, 8);
	memcpy(&segments, tail + 16, 4);
	size_t rows = (n - TAIL_BYTES - (sizeof MAGIC - 1)) / ROW_BYTES;
	if (blocks > rows || segments > rows || blocks + segments > rows)
		return;
	uint8_t *directory = tail - (blocks + segments) * ROW_BYTES;
	uint64_t records_end = (uint64_t)(directory - p);
	for (uint64_t i = 0; i < blocks; i++) {
		uint64_t at, end = records_end;
		memcpy(&at, directory + i * ROW_BYTES, 8);
		if (i + 1 < blocks)
			memcpy(&end, directory + (i + 1) * ROW_BYTES, 8);
		if (at > end || end > records_end)
			continue;
		crc = crc32c(0, p + at, end - at);
		memcpy(directory + i * ROW_BYTES + 16, &crc, 4);
	}
	crc = crc32c(0, directory, (size_t)(tail - directory) + TAIL_BYTES - 4);
	memcpy(tail + TAIL_BYTES - 4, &crc, 4);
}

static void check_slot(const struct mapped_slot *s, uint32_t segment, uint64_t at)
{
	uint64_t sum = 0;
	if (s->segment != segment || s->offset + (uint64_t)s->slot.capacity <= at)
		abort();
	for (uint32_t i = 0; i < s->slot.n_sources; i++) {
		const struct slot_source *c = &s->slot.sources[i];
		if (c->source >= DEDUP_MAX_SOURCES || c->role > SLOT_AFTER)
			abort();
		sum += c->ref + c->frame_bytes;
	}
	/* read all of it, where a sanitizer can see that */
	__asm__ volatile("" : : "r"(sum));
}

static void visit(struct slot_map *m, uint32_t segment, uint64_t at)
{
	struct slot_cursor c = { 0 };
	unsigned seen = 0;
	int r = slot_map_seek(m, &c, segment, at, NULL);
	for (; r == 1 && seen < SLOTS_AT_MOST; seen++) {
		check_slot(slot_cursor_get(&c), segment, seen ? 0 : at);
		r = slot_map_next(m, &c, NULL);
	}
	slot_cursor_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[64];
	auto_buf struct buf file = { 0 };
	auto_of(slot_map) struct slot_map *m = NULL;
	if (n == 0)
		return 0;
	buf_add(&file, data + 1, n - 1);
	if (data[0] == 'r')
		repair(file.data, file.len);
	auto_close_fd int fd = memfd_create("slots", MFD_CLOEXEC);
	if (fd < 0 || file_write_all(fd, file.data, file.len) < 0)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (slot_map_open(path, &m, NULL) < 0)
		return 0;
	uint32_t segments = MIN_OF(slot_map_segments(m), MAX_SEGMENTS);
	for (uint32_t i = 0; i <= segments; i++) {
		visit(m, i, 0);
		visit(m, i, SLOT_FIRST_OFFSET + 100);
		visit(m, i, slot_map_segment_bytes(m, i) / 2);
	}
	return 0;
}
