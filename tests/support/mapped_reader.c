/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mapped_reader.h"

#include "lib/base/file.h"
#include "lib/tsdb/chunk.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"
#include "tests/support/view_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <xxhash.h>

#define PAGE   4096u
#define AROUND 32u /* pages */

struct mapped_file {
	size_t number; /* in the block */
	uint64_t size;
	uint8_t *bytes;
	bool *is_there; /* a page each */
};

struct mapped_block {
	struct merged_block *block;
	struct index_contents index;
	VEC(struct mapped_file) segments;
};

struct mapped_reader {
	VEC(struct mapped_block) blocks; /* by time */
	void (*after_read)(void *arg);
	void *arg;
	uint64_t reads;
};

static int by_time(const void *a, const void *b)
{
	int64_t x = merged_block_min_time(((const struct mapped_block *)a)->block),
		y = merged_block_min_time(((const struct mapped_block *)b)->block);
	return (x > y) - (x < y);
}

static void map_block(struct mapped_reader *m, struct merged_block *b)
{
	struct err e;
	const struct merged_file *files;
	size_t n;
	struct mapped_block *mb = vec_push_slot(&m->blocks);
	*mb = (struct mapped_block){ .block = merged_block_ref(b) };
	auto_free char *index = xasprintf("%s/index", merged_block_dir(b));
	index_contents_read(&mb->index, index);
	CHECK_OK(merged_block_files(b, &files, &n, &e), &e);
	for (size_t i = 0; i < n; i++) {
		if (!files[i].in_chunks)
			continue;
		void *p = mmap(NULL, files[i].size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CHECK(p != MAP_FAILED);
		vec_push(&mb->segments,
			(struct mapped_file){ i, files[i].size, p, xcalloc(files[i].size / PAGE + 1, 1) });
	}
}

struct mapped_reader *mapped_reader_new(struct view *v)
{
	struct mapped_reader *m = xcalloc(1, sizeof *m);
	struct view_snapshot *s = view_snapshot(v);
	for (size_t i = 0; i < s->n; i++)
		map_block(m, s->blocks[i]);
	view_snapshot_unref(s);
	vec_sort(&m->blocks, by_time);
	return m;
}

void mapped_reader_free(struct mapped_reader *m)
{
	vec_each (b, &m->blocks) {
		vec_each (f, &b->segments) {
			munmap(f->bytes, f->size);
			free(f->is_there);
		}
		vec_fini(&b->segments);
		index_contents_fini(&b->index);
		merged_block_unref(b->block);
	}
	vec_fini(&m->blocks);
	free(m);
}

/* One request of the kernel. */
static void read_pages(
	struct mapped_reader *m, struct mapped_block *b, struct mapped_file *f, uint64_t first, uint64_t end)
{
	struct merged_range range;
	auto_buf struct buf bytes = { 0 };
	uint64_t at = first * PAGE;
	size_t n = (size_t)(MIN_OF(end * PAGE, f->size) - at);
	merged_block_read(b->block, f->number, at, n, &bytes, &range);
	CHECK_INT(range.n, n);
	CHECK(!range.incomplete);
	if (range.fd >= 0)
		CHECK_INT(file_pread_all(range.fd, f->bytes + at, n, range.fd_at), 0);
	else
		memcpy(f->bytes + at, bytes.data, n);
	merged_block_range_done(b->block, f->number, &range);
	memset(f->is_there + first, true, end - first);
	m->reads++;
	if (m->after_read)
		m->after_read(m->arg);
}

static void fault(struct mapped_reader *m, struct mapped_block *b, struct mapped_file *f, uint64_t at)
{
	uint64_t page = at / PAGE, pages = (f->size + PAGE - 1) / PAGE;
	CHECK(page < pages);
	if (f->is_there[page])
		return;
	uint64_t from = page - MIN_OF(page, AROUND / 2), to = MIN_OF(from + AROUND, pages);
	while (from < to) {
		uint64_t end = from;
		while (end < to && !f->is_there[end])
			end++;
		if (end > from)
			read_pages(m, b, f, from, end);
		from = end + 1;
	}
}

void mapped_reader_open_segments(struct mapped_reader *m, void (*after_read)(void *arg), void *arg)
{
	m->after_read = after_read;
	m->arg = arg;
	vec_each (b, &m->blocks)
		vec_each (f, &b->segments) {
			fault(m, b, f, 0);
			CHECK_INT(f->bytes[0], 0x85);
		}
}

static void read_chunk(
	struct mapped_reader *m, struct mapped_block *b, uint64_t ref, struct mapped_result *out)
{
	CHECK(chunk_ref_segment(ref) < b->segments.len);
	struct mapped_file *f = &b->segments.data[chunk_ref_segment(ref)];
	uint64_t at = chunk_ref_offset(ref), have = PAGE - at % PAGE;
	struct chunk c;
	struct err e;
	size_t need;
	for (;;) {
		for (uint64_t p = at; p < at + have; p += PAGE - p % PAGE)
			fault(m, b, f, p);
		int r = chunk_frame_read(f->bytes + at, (size_t)have, &c, &need, &e);
		if (r != -EAGAIN) {
			CHECK_OK(r, &e);
			out->chunks++;
			out->bytes += (uint64_t)r;
			out->hash = XXH3_64bits_withSeed(f->bytes + at, (size_t)r, out->hash);
			return;
		}
		have = need;
	}
}

/* The series of the merged query that come next, by label order: the least of what the blocks are at. */
struct mapped_result mapped_reader_query(
	struct mapped_reader *m, const struct mapped_query *q, void (*after_read)(void *arg), void *arg)
{
	struct mapped_result out = { 0 };
	auto_free size_t *at = xcalloc(m->blocks.len, sizeof *at);
	m->after_read = after_read;
	m->arg = arg;
	m->reads = 0;
	for (;;) {
		const struct labels *least = NULL;
		for (size_t i = 0; i < m->blocks.len; i++) {
			struct mapped_block *b = &m->blocks.data[i];
			for (; at[i] < b->index.series.len; at[i]++) {
				const struct labels *l = &b->index.series.data[at[i]].labels;
				const char *name = labels_get(l, "__name__");
				if (name && !strcmp(name, q->metric) &&
					(!q->with || strstr(fixture_words(l), q->with)))
					break;
			}
			if (at[i] == b->index.series.len)
				continue;
			const struct labels *l = &b->index.series.data[at[i]].labels;
			if (!least || labels_cmp(l, least) < 0)
				least = l;
		}
		if (!least)
			break;
		out.series++;
		for (size_t i = 0; i < m->blocks.len; i++) {
			struct mapped_block *b = &m->blocks.data[i];
			if (at[i] == b->index.series.len ||
				labels_cmp(&b->index.series.data[at[i]].labels, least) != 0)
				continue;
			vec_each (c, &b->index.series.data[at[i]].chunks)
				if (c->mint <= q->maxt && c->maxt >= q->mint)
					read_chunk(m, b, c->ref, &out);
			if (&b->index.series.data[at[i]].labels != least)
				at[i]++;
		}
		for (size_t i = 0; i < m->blocks.len; i++)
			if (at[i] < m->blocks.data[i].index.series.len &&
				&m->blocks.data[i].index.series.data[at[i]].labels == least)
				at[i]++;
	}
	out.reads = m->reads;
	return out;
}
