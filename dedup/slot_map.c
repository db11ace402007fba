/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot map's file. Slots come in blocks of 64, each of which can be decoded alone; numbers within a block
 *are differences, so a slot of two sources takes about 30 bytes. All integers little endian or varints:
 *
 *	┌──────────┬─────────────────────────────┬───────────────────────────────────┬──────────────────────────┬────────┐
 *	│ magic 8  │ blocks of slot records ...  │ directory: a row a block          │ segments: a row each │
 *tail   │
 *	└──────────┴─────────────────────────────┴───────────────────────────────────┴──────────────────────────┴────────┘
 *
 * A directory row: file offset u64, segment u32, offset of the first slot u32, crc32c of the block u32, 0 u32. A block
 * never spans two segments. A segment row: bytes u64, number of its first slot u64, its first block u64. The tail: slots u64,
 *blocks u64, segments u32, crc32c of directory, segments and tail u32.
 */
#include "dedup/slot_map.h"

#include "lib/base/crc32c.h"
#include "lib/base/dec.h"
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC             "TFSLOTS2"
#define MAGIC_BYTES       8
#define BLOCK_SLOTS       64
#define TAIL_BYTES        24
#define FLUSH_BYTES       (256u << 10)
#define SEGMENT_MAX_BYTES (2ull << 30)

struct block_row {
	uint64_t file_offset;
	uint32_t segment, offset;
	uint32_t crc, zero;
};

struct segment_row {
	uint64_t bytes, first_slot, first_block;
};

enum {
	FLAG_FROM_OPEN = 1, /* from is INT64_MIN */
	FLAG_TO_OPEN = 2,   /* to is INT64_MAX */
	FLAG_LEFT_OPEN = 4,
	FLAG_RIGHT_OPEN = 8,
	FLAG_RIGHT_IS_TO = 16,
	FLAG_TOMBSTONES = 32
};

/* What the next record of a block is relative to. */
struct state {
	int64_t t;
	uint64_t ref[DEDUP_MAX_SOURCES];
	uint32_t block_of[DEDUP_MAX_SOURCES]; /* ref[s] counts in this block only */
	uint32_t block;
};

static uint64_t *last_ref(struct state *s, uint16_t source)
{
	if (s->block_of[source] != s->block) {
		s->block_of[source] = s->block;
		s->ref[source] = 0;
	}
	return &s->ref[source];
}

static void start_block(struct state *s)
{
	s->block++;
	s->t = 0;
}

struct slot_map_writer {
	int fd;
	char *path;
	struct buf out;
	uint64_t written; /* bytes of the file before out */
	struct state *state;
	uint64_t n;
	unsigned in_block;
	uint32_t segment;
	uint64_t offset; /* of the next slot */
	VEC(struct block_row) blocks;
	VEC(struct segment_row) segments;
};

int slot_map_writer_open(const char *path, struct slot_map_writer **out, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, -errno, "creating %s", path);
	struct slot_map_writer *w = xcalloc(1, sizeof *w);
	w->fd = fd;
	w->path = xstrdup(path);
	w->state = xcalloc(1, sizeof *w->state);
	buf_add(&w->out, MAGIC, MAGIC_BYTES);
	*out = w;
	return 0;
}

void slot_map_writer_close(struct slot_map_writer *w)
{
	if (!w)
		return;
	close(w->fd);
	free(w->path);
	free(w->state);
	buf_fini(&w->out);
	vec_fini(&w->blocks);
	vec_fini(&w->segments);
	free(w);
}

static int flush(struct slot_map_writer *w, struct err *e)
{
	int r = file_write_all(w->fd, w->out.data, w->out.len);
	if (r < 0)
		return err_errno(e, r, "writing %s", w->path);
	w->written += w->out.len;
	buf_reset(&w->out);
	return 0;
}

static void write_record(struct buf *b, struct state *st, const struct slot *s)
{
	uint8_t flags =
		(s->from == INT64_MIN ? FLAG_FROM_OPEN : 0) | (s->to == INT64_MAX ? FLAG_TO_OPEN : 0) |
		(s->left == INT64_MIN ? FLAG_LEFT_OPEN : 0) | (s->right == INT64_MAX ? FLAG_RIGHT_OPEN : 0) |
		(s->right == s->to ? FLAG_RIGHT_IS_TO : 0);
	for (uint32_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].tombstoned_series)
			flags |= FLAG_TOMBSTONES;
	buf_reserve(b, 64 + 60 * (size_t)s->n_sources);
	buf_add_u8(b, flags);
	buf_add_uvarint(b, s->capacity);
	if (!(flags & FLAG_FROM_OPEN)) {
		buf_add_varint(b, s->from - st->t);
		st->t = s->from;
	}
	if (!(flags & FLAG_TO_OPEN)) {
		buf_add_varint(b, s->to - st->t);
		st->t = s->to;
	}
	if (!(flags & FLAG_LEFT_OPEN))
		buf_add_varint(b, s->left - st->t);
	if (!(flags & (FLAG_RIGHT_OPEN | FLAG_RIGHT_IS_TO)))
		buf_add_varint(b, s->right - st->t);
	buf_add_uvarint(b, s->n_sources);
	for (uint32_t i = 0; i < s->n_sources; i++) {
		const struct slot_source *c = &s->sources[i];
		uint64_t *last = last_ref(st, c->source);
		buf_add_uvarint(b, c->source);
		buf_add_uvarint(b, (uint64_t)c->rank << 2 | c->role);
		buf_add_varint(b, (int64_t)(c->ref - *last));
		buf_add_uvarint(b, c->frame_bytes);
		if (flags & FLAG_TOMBSTONES)
			buf_add_uvarint(b, c->tombstoned_series);
		*last = c->ref;
	}
}

int slot_map_writer_add(
	struct slot_map_writer *w, const struct slot *s, uint32_t *segment, uint32_t *offset, struct err *e)
{
	bool next_segment = w->segments.len == 0 || w->offset + s->capacity > SEGMENT_MAX_BYTES;
	if (next_segment) {
		vec_push(&w->segments,
			(struct segment_row){ .first_slot = w->n, .first_block = w->blocks.len });
		w->segment = (uint32_t)w->segments.len - 1;
		w->offset = SLOT_FIRST_OFFSET;
	}
	if (next_segment || w->in_block == BLOCK_SLOTS) {
		vec_push(&w->blocks,
			(struct block_row){ w->written + w->out.len, w->segment, (uint32_t)w->offset, 0, 0 });
		w->in_block = 0;
		start_block(w->state);
	}
	size_t start = w->out.len;
	struct block_row *block = &w->blocks.data[w->blocks.len - 1];
	write_record(&w->out, w->state, s);
	block->crc = crc32c(block->crc, w->out.data + start, w->out.len - start);
	*segment = w->segment;
	*offset = (uint32_t)w->offset;
	w->offset += s->capacity;
	w->segments.data[w->segment].bytes = w->offset;
	w->in_block++;
	w->n++;
	return w->out.len >= FLUSH_BYTES ? flush(w, e) : 0;
}

int slot_map_writer_finish(struct slot_map_writer *w, struct err *e)
{
	int r = flush(w, e);
	if (r < 0)
		return r;
	uint32_t segments = (uint32_t)w->segments.len;
	uint64_t blocks = w->blocks.len;
	buf_add(&w->out, w->blocks.data, w->blocks.len * sizeof *w->blocks.data);
	buf_add(&w->out, w->segments.data, w->segments.len * sizeof *w->segments.data);
	buf_add(&w->out, &w->n, 8);
	buf_add(&w->out, &blocks, 8);
	buf_add(&w->out, &segments, 4);
	uint32_t crc = crc32c(0, w->out.data, w->out.len);
	buf_add(&w->out, &crc, 4);
	r = flush(w, e);
	if (r == 0 && fsync(w->fd) < 0)
		r = err_errno(e, -errno, "syncing %s", w->path);
	return r;
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

/* The references of the block's sources so far: a block has few sources, so a list does. */
struct refs_seen {
	VEC(struct slot_source) last;
};

static uint64_t *seen_ref(struct refs_seen *seen, uint16_t source)
{
	vec_each (s, &seen->last)
		if (s->source == source)
			return &s->ref;
	vec_push(&seen->last, (struct slot_source){ .source = source });
	return &seen->last.data[seen->last.len - 1].ref;
}

static void read_record(
	struct dec *d, struct slot_cursor *c, int64_t *t, struct refs_seen *seen, struct slot *s)
{
	uint8_t flags = dec_u8(d);
	s->capacity = dec_uvarint32(d);
	s->from = INT64_MIN;
	s->to = s->right = INT64_MAX;
	s->left = INT64_MIN;
	/* wraps instead of overflowing where the bytes are damaged */
	if (!(flags & FLAG_FROM_OPEN))
		s->from = *t = (int64_t)((uint64_t)*t + (uint64_t)dec_varint(d));
	if (!(flags & FLAG_TO_OPEN))
		s->to = *t = (int64_t)((uint64_t)*t + (uint64_t)dec_varint(d));
	if (!(flags & FLAG_LEFT_OPEN))
		s->left = (int64_t)((uint64_t)*t + (uint64_t)dec_varint(d));
	if (flags & FLAG_RIGHT_IS_TO)
		s->right = s->to;
	else if (!(flags & FLAG_RIGHT_OPEN))
		s->right = (int64_t)((uint64_t)*t + (uint64_t)dec_varint(d));
	s->n_sources = dec_uvarint32(d);
	if (s->n_sources > dec_left(d) / 4)
		dec_fail(d);
	for (uint32_t i = 0; i < s->n_sources && !d->err; i++) {
		struct slot_source src = { 0 };
		uint64_t source = dec_uvarint(d), rank = dec_uvarint(d);
		int64_t delta = dec_varint(d);
		src.frame_bytes = dec_uvarint32(d);
		if (flags & FLAG_TOMBSTONES)
			src.tombstoned_series = dec_uvarint(d);
		if (source >= DEDUP_MAX_SOURCES || rank >> 2 > UINT16_MAX || (rank & 3) > SLOT_AFTER) {
			dec_fail(d);
			return;
		}
		src.source = (uint16_t)source;
		src.rank = (uint16_t)(rank >> 2);
		src.role = rank & 3;
		uint64_t *last = seen_ref(seen, src.source);
		src.ref = *last += (uint64_t)delta;
		vec_push(&c->sources, src);
	}
}

static int load_block(struct slot_map *m, struct slot_cursor *c, uint64_t block, struct err *e)
{
	if (c->block == block + 1)
		return 0;
	c->block = 0;
	c->slots.len = c->sources.len = c->first_source.len = 0;
	struct block_row row = block_row(m, block);
	struct segment_row segment = { 0 };
	bool last_block = block + 1 == m->blocks, last_of_segment = true;
	uint64_t end = m->records_end, number;
	if (!last_block) {
		struct block_row next = block_row(m, block + 1);
		end = next.file_offset;
		last_of_segment = next.segment != row.segment;
	}
	if (row.segment >= m->segments || row.file_offset > end || end > m->records_end ||
		crc32c(0, m->p + row.file_offset, end - row.file_offset) != row.crc)
		return damaged(m, block, e);
	segment = segment_row(m, row.segment);
	if (block < segment.first_block)
		return damaged(m, block, e);
	number = segment.first_slot + (block - segment.first_block) * BLOCK_SLOTS;

	struct dec d = dec_over(m->p + row.file_offset, end - row.file_offset);
	struct refs_seen seen = { 0 };
	int64_t t = 0;
	uint64_t offset = row.offset;
	while (dec_left(&d) && c->slots.len < BLOCK_SLOTS) {
		struct mapped_slot slot = {
			.number = number++, .segment = row.segment, .offset = (uint32_t)offset
		};
		vec_push(&c->first_source, c->sources.len);
		read_record(&d, c, &t, &seen, &slot.slot);
		offset += slot.slot.capacity;
		vec_push(&c->slots, slot);
	}
	vec_fini(&seen.last);
	if (d.err || dec_left(&d) || c->slots.len == 0 || (!last_of_segment && c->slots.len != BLOCK_SLOTS) ||
		offset > segment.bytes || number > m->slots)
		return damaged(m, block, e);
	for (size_t i = 0; i < c->slots.len; i++)
		c->slots.data[i].slot.sources = c->sources.data + c->first_source.data[i];
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
	vec_fini(&c->first_source);
}
