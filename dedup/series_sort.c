/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An external merge sort. Records fill a buffer; a full buffer is sorted and becomes a run in the scratch
 * file; the runs are merged at the end.
 *
 * The input is a sorted sequence some of whose labels were changed, so two lists are kept for a buffer:
 * records whose labels only grew, which are almost in order, and the others. Both are merge-sorted in a way
 * that costs one comparison a record where order reigns already.
 */
#include "dedup/series_sort.h"

#include "dedup/kway.h"
#include "dedup/scratch_file.h"
#include "lib/base/file.h"

#include <errno.h>
#include <unistd.h>

#define READ_BYTES_ALL \
	(16u << 20) /* of all runs' buffers together, while that leaves each READ_BYTES_LEAST */
#define READ_BYTES_MOST  (1u << 20)
#define READ_BYTES_LEAST (16u << 10)
#define WRITE_BYTES      (1u << 20)

struct run {
	uint64_t at, end; /* what was not read yet, in the scratch file */
	uint8_t *data;
	size_t next, len, cap; /* data[next..len) is read and not given yet */
};

struct offsets {
	uint32_t *data; /* of records in the buffer, in units of 8 bytes */
	size_t len, cap;
};

struct series_sort {
	const char *dir;
	size_t sort_bytes, keep_bytes;
	uint8_t *data;
	size_t len, cap;
	struct offsets in_order, others, sorted;
	size_t next; /* in `sorted`, where no run was written */
	int fd;
	uint64_t file_bytes;
	VEC(struct run) runs;
	struct kway kway;
	bool gave; /* kway.group[0] is the run whose record was given last */
};

struct series_sort *series_sort_new(const char *dir, size_t sort_bytes, size_t keep_bytes)
{
	struct series_sort *s = xcalloc(1, sizeof *s);
	s->dir = dir;
	s->sort_bytes = sort_bytes;
	s->keep_bytes = keep_bytes;
	s->fd = -1;
	return s;
}

static void drop_buffer(struct series_sort *s)
{
	vec_fini(&s->in_order);
	vec_fini(&s->others);
	vec_fini(&s->sorted);
	free(s->data);
	s->data = NULL;
	s->len = s->cap = 0;
}

void series_sort_free(struct series_sort *s)
{
	if (!s)
		return;
	drop_buffer(s);
	vec_each (run, &s->runs)
		free(run->data);
	vec_fini(&s->runs);
	kway_fini(&s->kway);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static const struct series_record *record_at(const struct series_sort *s, uint32_t offset)
{
	return (const struct series_record *)(s->data + (size_t)offset * 8);
}

static int cmp_offsets(const struct series_sort *s, uint32_t a, uint32_t b)
{
	return series_record_cmp(record_at(s, a), record_at(s, b));
}

/* Merges two sorted lists; `x` wins ties. `y` may be the end of `out`: it is read ahead of what is written.
 */
static void merge_lists(const struct series_sort *s, const uint32_t *x, size_t n_x, const uint32_t *y,
	size_t n_y, uint32_t *out)
{
	while (n_x && n_y) {
		if (cmp_offsets(s, *x, *y) <= 0) {
			*out++ = *x++;
			n_x--;
		} else {
			*out++ = *y++;
			n_y--;
		}
	}
	if (n_x)
		memcpy(out, x, n_x * sizeof *x);
	else if (n_y)
		memmove(out, y, n_y * sizeof *y);
}

static void sort_list(const struct series_sort *s, uint32_t *list, size_t n, uint32_t *spare)
{
	if (n < 2)
		return;
	size_t half = n / 2;
	sort_list(s, list, half, spare);
	sort_list(s, list + half, n - half, spare);
	if (cmp_offsets(s, list[half - 1], list[half]) <= 0)
		return;
	memcpy(spare, list, half * sizeof *list);
	merge_lists(s, spare, half, list + half, n - half, list);
}

static void sort_buffer(struct series_sort *s)
{
	size_t n = s->in_order.len + s->others.len;
	vec_reserve(&s->sorted, n);
	sort_list(s, s->in_order.data, s->in_order.len, s->sorted.data);
	sort_list(s, s->others.data, s->others.len, s->sorted.data);
	merge_lists(s, s->in_order.data, s->in_order.len, s->others.data, s->others.len, s->sorted.data);
	s->sorted.len = n;
	s->in_order.len = s->others.len = 0;
}

static int write_out(struct series_sort *s, struct buf *b, struct err *e)
{
	int r = file_pwrite_all(s->fd, b->data, b->len, s->file_bytes);
	if (r < 0)
		return err_errno(e, r, "writing series to a scratch file in %s", s->dir);
	s->file_bytes += b->len;
	buf_reset(b);
	return 0;
}

static int write_run(struct series_sort *s, struct err *e)
{
	if (s->fd < 0) {
		int r = scratch_file_open(s->dir, &s->fd, e);
		if (r < 0)
			return r;
	}
	if (s->runs.len == KWAY_MAX_SOURCES)
		return err_set(e, -EFBIG, "more than %u runs of series to sort", KWAY_MAX_SOURCES);
	sort_buffer(s);
	struct run run = { .at = s->file_bytes };
	auto_buf struct buf out = { 0 };
	for (size_t i = 0; i < s->sorted.len; i++) {
		const struct series_record *record = record_at(s, s->sorted.data[i]);
		buf_add(&out, record, record->bytes);
		if (out.len >= WRITE_BYTES || i + 1 == s->sorted.len) {
			int r = write_out(s, &out, e);
			if (r < 0)
				return r;
		}
	}
	run.end = s->file_bytes;
	vec_push(&s->runs, run);
	s->sorted.len = s->len = 0;
	return 0;
}

int series_sort_slot(struct series_sort *s, size_t bytes, struct series_record **out, struct err *e)
{
	if (s->len && s->len + bytes > s->sort_bytes) {
		int r = write_run(s, e);
		if (r < 0)
			return r;
	}
	if (s->cap - s->len < bytes) {
		size_t cap = s->cap ? 2 * s->cap : 64 << 10;
		s->cap = MAX_OF(MIN_OF(cap, s->sort_bytes), s->len + bytes);
		s->data = xrealloc(s->data, s->cap);
	}
	*out = (struct series_record *)(s->data + s->len);
	return 0;
}

void series_sort_push(struct series_sort *s, bool in_order)
{
	struct offsets *list = in_order ? &s->in_order : &s->others;
	vec_push(list, (uint32_t)(s->len / 8));
	s->len += ((const struct series_record *)(s->data + s->len))->bytes;
}

/* Has at least `bytes` of what is left of the run in memory. */
static int run_fill(struct series_sort *s, struct run *run, size_t bytes, struct err *e)
{
	size_t have = run->len - run->next;
	if (have >= bytes)
		return 0;
	if (bytes - have > run->end - run->at)
		return err_set(e, -EIO, "a scratch file in %s lost its contents", s->dir);
	if (have)
		memmove(run->data, run->data + run->next, have);
	run->next = 0;
	run->len = have;
	if (run->cap < bytes) {
		run->cap = bytes;
		run->data = xrealloc(run->data, run->cap);
	}
	size_t n = MIN_OF(run->cap - have, run->end - run->at);
	int r = file_pread_all(s->fd, run->data + have, n, run->at);
	if (r < 0)
		return err_errno(e, r, "reading series from a scratch file in %s", s->dir);
	run->at += n;
	run->len += n;
	return 0;
}

static const struct series_record *run_record(const struct run *run)
{
	return (const struct series_record *)(run->data + run->next);
}

static int cmp_runs(const void *arg, unsigned a, unsigned b)
{
	const struct run *runs = arg;
	int c = series_record_cmp(run_record(&runs[a]), run_record(&runs[b]));
	return c ? c : (a > b) - (a < b);
}

/* Has the run's next record in memory and enters it for the merge. */
static int run_enter(struct series_sort *s, unsigned i, struct err *e)
{
	struct run *run = &s->runs.data[i];
	if (run->next == run->len && run->at == run->end)
		return 0;
	int r = run_fill(s, run, sizeof(struct series_record), e);
	if (r == 0)
		r = run_fill(s, run, run_record(run)->bytes, e);
	if (r == 0)
		kway_put(&s->kway, i, cmp_runs, s->runs.data);
	return r;
}

int series_sort_end(struct series_sort *s, struct err *e)
{
	if (s->runs.len == 0 && s->len <= s->keep_bytes) {
		sort_buffer(s);
		return 0;
	}
	int r = s->len ? write_run(s, e) : 0;
	if (r < 0)
		return r;
	drop_buffer(s);
	kway_init(&s->kway, s->runs.len);
	size_t bytes = MIN_OF(READ_BYTES_ALL / s->runs.len, READ_BYTES_MOST);
	for (unsigned i = 0; r == 0 && i < s->runs.len; i++) {
		struct run *run = &s->runs.data[i];
		run->cap = MAX_OF(bytes, READ_BYTES_LEAST);
		run->data = xmalloc(run->cap);
		r = run_enter(s, i, e);
	}
	return r;
}

int series_sort_next(struct series_sort *s, const struct series_record **out, struct err *e)
{
	if (s->runs.len == 0) {
		if (s->next == s->sorted.len)
			return 0;
		*out = record_at(s, s->sorted.data[s->next++]);
		return 1;
	}
	if (s->gave) {
		unsigned last = s->kway.group[0];
		s->runs.data[last].next += run_record(&s->runs.data[last])->bytes;
		int r = run_enter(s, last, e);
		if (r < 0)
			return r;
	}
	s->gave = kway_take(&s->kway, cmp_runs, s->runs.data) > 0;
	if (!s->gave)
		return 0;
	*out = run_record(&s->runs.data[s->kway.group[0]]);
	return 1;
}
