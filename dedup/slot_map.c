/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot map's file. Slots come in blocks of 64 records (slot_record.c), each of which can be decoded alone. All
 * integers are little endian:
 *
 *	┌─────────┬────────────┬───────────────────────────┬───────────────────────┬──────┐
 *	│ magic 8 │ blocks ... │ directory: a row a block  │ segments: a row each  │ tail │
 *	└─────────┴────────────┴───────────────────────────┴───────────────────────┴──────┘
 *
 * A directory row: file offset u64, segment u32, offset of the first slot u32, crc32c of the block u32, 0 u32. A block
 * never spans two segments. A segment row: bytes u64, number of its first slot u64, its first block u64. The tail:
 * slots u64, blocks u64, segments u32, crc32c of directory, segments and tail u32.
 */
#include "dedup/slot_map.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"
#include "lib/tsdb/append_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC             "TFSLOTS3"
#define MAGIC_BYTES       8
#define TAIL_BYTES        24
#define SEGMENT_MAX_BYTES (2ull << 30)

struct block_row {
	uint64_t file_offset;
	uint32_t segment, offset;
	uint32_t crc, zero;
};

struct segment_row {
	uint64_t bytes, first_slot, first_block;
};

struct slot_map_writer {
	struct append_file out;
	struct slot_encoder *encoder;
	struct buf records; /* of the block that is being filled */
	unsigned in_block;
	uint64_t n;
	uint32_t segment;
	uint64_t offset; /* of the next slot */
	VEC(struct block_row) blocks;
	VEC(struct segment_row) segments;
};

int slot_map_writer_open(const char *path, struct slot_map_writer **out, struct err *e)
{
	auto_of(slot_map_writer) struct slot_map_writer *w = xcalloc(1, sizeof *w);
	w->encoder = slot_encoder_new();
	int r = append_file_open(&w->out, path, e);
	if (r == 0)
		r = append_file_add(&w->out, MAGIC, MAGIC_BYTES, e);
	if (r == 0)
		*out = take(w);
	return r;
}

void slot_map_writer_close(struct slot_map_writer *w)
{
	if (!w)
		return;
	append_file_close(&w->out);
	slot_encoder_free(w->encoder);
	buf_fini(&w->records);
	vec_fini(&w->blocks);
	vec_fini(&w->segments);
	free(w);
}

/* Writes the block that was being filled, if there is one. */
static int end_block(struct slot_map_writer *w, struct err *e)
{
	if (w->in_block == 0)
		return 0;
	struct block_row *row = &w->blocks.data[w->blocks.len - 1];
	row->crc = crc32c(0, w->records.data, w->records.len);
	int r = append_file_add(&w->out, w->records.data, w->records.len, e);
	buf_reset(&w->records);
	w->in_block = 0;
	return r;
}

static void start_segment(struct slot_map_writer *w)
{
	vec_push(&w->segments, (struct segment_row){ .first_slot = w->n, .first_block = w->blocks.len });
	w->segment = (uint32_t)w->segments.len - 1;
	w->offset = SLOT_FIRST_OFFSET;
}

static void start_block(struct slot_map_writer *w)
{
	vec_push(&w->blocks, (struct block_row){ .file_offset = append_file_at(&w->out),
				     .segment = w->segment,
				     .offset = (uint32_t)w->offset });
	slot_encoder_start(w->encoder);
}

int slot_map_writer_add(
	struct slot_map_writer *w, const struct slot *s, uint32_t *segment, uint32_t *offset, struct err *e)
{
	bool next_segment = w->segments.len == 0 || w->offset + s->capacity > SEGMENT_MAX_BYTES;
	if (next_segment || w->in_block == SLOT_BLOCK_RECORDS) {
		int r = end_block(w, e);
		if (r < 0)
			return r;
	}
	if (next_segment)
		start_segment(w);
	if (w->in_block == 0)
		start_block(w);
	slot_encoder_add(w->encoder, s, &w->records);
	*segment = w->segment;
	*offset = (uint32_t)w->offset;
	w->offset += s->capacity;
	w->segments.data[w->segment].bytes = w->offset;
	w->in_block++;
	w->n++;
	return 0;
}

static int write_directory(struct slot_map_writer *w, struct err *e)
{
	auto_buf struct buf b = { 0 };
	uint32_t segments = (uint32_t)w->segments.len;
	uint64_t blocks = w->blocks.len;
	buf_add(&b, w->blocks.data, w->blocks.len * sizeof *w->blocks.data);
	buf_add(&b, w->segments.data, w->segments.len * sizeof *w->segments.data);
	buf_add(&b, &w->n, 8);
	buf_add(&b, &blocks, 8);
	buf_add(&b, &segments, 4);
	uint32_t crc = crc32c(0, b.data, b.len);
	buf_add(&b, &crc, 4);
	return append_file_add(&w->out, b.data, b.len, e);
}

int slot_map_writer_finish(struct slot_map_writer *w, struct err *e)
{
	int r = end_block(w, e);
	if (r == 0)
		r = write_directory(w, e);
	return r < 0 ? r : append_file_sync(&w->out, e);
}

struct slot_map {
	const uint8_t *p; /* the file, mapped */
	uint64_t size, records_end;
	uint64_t slots, blocks;
	uint32_t segments;
	const uint8_t *block_rows, *segment_rows;
	char *path;
};

static struct block_row block_row(const struct slot_map *m, uint64_t i)
{
	struct block_row row;
	memcpy(&row, m->block_rows + i * sizeof row, sizeof row);
	return row;
}

static struct segment_row segment_row(const struct slot_map *m, uint64_t i)
{
	struct segment_row row;
	memcpy(&row, m->segment_rows + i * sizeof row, sizeof row);
	return row;
}

static bool directory_is_sound(struct slot_map *m)
{
	if (m->size < MAGIC_BYTES + TAIL_BYTES || memcmp(m->p, MAGIC, MAGIC_BYTES) != 0)
		return false;
	const uint8_t *tail = m->p + m->size - TAIL_BYTES;
	uint32_t crc;
	memcpy(&m->slots, tail, 8);
	memcpy(&m->blocks, tail + 8, 8);
	memcpy(&m->segments, tail + 16, 4);
	memcpy(&crc, tail + 20, 4);
	uint64_t room = m->size - MAGIC_BYTES - TAIL_BYTES;
	if (m->blocks > room / sizeof(struct block_row) || m->segments > room / sizeof(struct segment_row))
		return false;
	uint64_t bytes = m->blocks * sizeof(struct block_row) + m->segments * sizeof(struct segment_row);
	if (bytes > room)
		return false;
	m->segment_rows = tail - m->segments * sizeof(struct segment_row);
	m->block_rows = m->segment_rows - m->blocks * sizeof(struct block_row);
	m->records_end = (uint64_t)(m->block_rows - m->p);
	return crc32c(0, m->block_rows, bytes + TAIL_BYTES - 4) == crc;
}

int slot_map_open(const char *path, struct slot_map **out, struct err *e)
{
	auto_close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, -errno, "opening %s", path);
	if (st.st_size < MAGIC_BYTES + TAIL_BYTES)
		return err_set(e, -EBADMSG, "%s is too short for a slot map", path);
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, -errno, "mapping %s", path);
	struct slot_map *m = xcalloc(1, sizeof *m);
	m->p = p;
	m->size = (uint64_t)st.st_size;
	m->path = xstrdup(path);
	if (!directory_is_sound(m)) {
		slot_map_close(m);
		return err_set(e, -EBADMSG, "%s is damaged: its directory does not match its checksum", path);
	}
	*out = m;
	return 0;
}

void slot_map_close(struct slot_map *m)
{
	if (!m)
		return;
	munmap((void *)m->p, m->size);
	free(m->path);
	free(m);
}

uint64_t slot_map_slots(const struct slot_map *m)
{
	return m->slots;
}

uint32_t slot_map_segments(const struct slot_map *m)
{
	return m->segments;
}

uint64_t slot_map_segment_bytes(const struct slot_map *m, uint32_t segment)
{
	return segment < m->segments ? segment_row(m, segment).bytes : 0;
}

uint64_t slot_map_segment_first(const struct slot_map *m, uint32_t segment)
{
	return segment < m->segments ? segment_row(m, segment).first_slot : m->slots;
}

static int damaged(const struct slot_map *m, uint64_t block, struct err *e)
{
	return err_set(e, -EBADMSG, "%s is damaged in block %llu", m->path, (unsigned long long)block);
}

/* Where a block lies, and what its slots must add up to. */
struct block_place {
	struct block_row row;
	uint64_t end;        /* in the file */
	uint64_t end_offset; /* in the segment: where the next block's first slot lies, or the segment ends */
	uint64_t number;     /* of its first slot */
	bool is_last;        /* of its segment, so that it may have fewer slots */
};

/* False where the directory contradicts itself. */
static bool find_block(const struct slot_map *m, uint64_t block, struct block_place *p)
{
	p->row = block_row(m, block);
	if (p->row.segment >= m->segments)
		return false;
	struct segment_row segment = segment_row(m, p->row.segment);
	p->end = m->records_end;
	p->end_offset = segment.bytes;
	p->is_last = true;
	if (block + 1 < m->blocks) {
		struct block_row next = block_row(m, block + 1);
		p->end = next.file_offset;
		p->is_last = next.segment != p->row.segment;
		if (!p->is_last)
			p->end_offset = next.offset;
	}
	p->number = segment.first_slot + (block - segment.first_block) * SLOT_BLOCK_RECORDS;
	return block >= segment.first_block && segment.bytes <= SEGMENT_MAX_BYTES &&
	       p->row.file_offset <= p->end && p->end <= m->records_end;
}

static bool decode_block(const struct slot_map *m, struct slot_cursor *c, const struct block_place *p)
{
	struct dec d = dec_over(m->p + p->row.file_offset, p->end - p->row.file_offset);
	uint64_t offset = p->row.offset, number = p->number;
	slot_decoder_start(&c->decoder);
	while (dec_left(&d) && c->slots.len < SLOT_BLOCK_RECORDS) {
		struct mapped_slot slot = {
			.number = number++, .segment = p->row.segment, .offset = (uint32_t)offset
		};
		slot_decoder_next(&c->decoder, &d, &slot.slot, &c->sources);
		offset += slot.slot.capacity;
		vec_push(&c->slots, slot);
	}
	return !d.err && !dec_left(&d) && c->slots.len &&
	       (p->is_last || c->slots.len == SLOT_BLOCK_RECORDS) && offset == p->end_offset &&
	       number <= m->slots;
}

static int load_block(struct slot_map *m, struct slot_cursor *c, uint64_t block, struct err *e)
{
	struct block_place p;
	if (c->block == block + 1)
		return 0;
	c->block = 0;
	c->slots.len = c->sources.len = 0;
	if (!find_block(m, block, &p) ||
		crc32c(0, m->p + p.row.file_offset, p.end - p.row.file_offset) != p.row.crc ||
		!decode_block(m, c, &p))
		return damaged(m, block, e);
	const struct slot_source *sources = c->sources.data;
	vec_each (s, &c->slots) {
		s->slot.sources = sources;
		sources += s->slot.n_sources;
	}
	c->block = block + 1;
	return 0;
}

int slot_map_seek(struct slot_map *m, struct slot_cursor *c, uint32_t segment, uint64_t at, struct err *e)
{
	if (segment >= m->segments)
		return 0;
	uint64_t first = segment_row(m, segment).first_block;
	uint64_t end = segment + 1 < m->segments ? segment_row(m, segment + 1).first_block : m->blocks;
	if (first >= end || end > m->blocks)
		return damaged(m, first, e);
	/* the last block that starts at or before `at` */
	uint64_t lo = first, hi = end;
	while (hi - lo > 1) {
		uint64_t mid = (lo + hi) / 2;
		if (block_row(m, mid).offset <= at)
			lo = mid;
		else
			hi = mid;
	}
	int r = load_block(m, c, lo, e);
	if (r == 0 && c->slots.data[0].segment != segment)
		r = damaged(m, lo, e);
	if (r < 0)
		return r;
	for (c->at = 0; c->at < c->slots.len; c->at++)
		if (slot_cursor_get(c)->offset + (uint64_t)slot_cursor_get(c)->slot.capacity > at)
			return 1;
	c->at--;
	return slot_map_next(m, c, e);
}

int slot_map_next(struct slot_map *m, struct slot_cursor *c, struct err *e)
{
	if (c->at + 1 < c->slots.len) {
		c->at++;
		return 1;
	}
	uint64_t block = c->block; /* of the next one */
	uint32_t segment = slot_cursor_get(c)->segment;
	if (block >= m->blocks || block_row(m, block).segment != segment)
		return 0;
	int r = load_block(m, c, block, e);
	if (r < 0)
		return r;
	c->at = 0;
	return 1;
}

void slot_cursor_fini(struct slot_cursor *c)
{
	vec_fini(&c->slots);
	vec_fini(&c->sources);
	slot_decoder_fini(&c->decoder);
}
