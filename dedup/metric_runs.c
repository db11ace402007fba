/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file, little endian:
 *
 *	┌─────────┬─────────────────────┬──────────────────────┬──────────────────────────────────┐
 *	│ magic 8 │ runs: 24 bytes each │ order: 4 bytes each  │ runs u32, crc32c of all of it u32 │
 *	└─────────┴─────────────────────┴──────────────────────┴──────────────────────────────────┘
 *
 * A run: hash of the metric's name u64, segment u32, offset of its first chunk u32, series u32, 0 u32; sorted by segment and
 * offset, so that a run ends where the next one starts. `order` has the runs' places by hash, then by segment and offset.
 *
 * The merge knows names as symbol numbers. Their texts are read back from the finished index in one pass over its symbols,
 * which costs less than keeping them, or their hashes, through the merge.
 */
#include "dedup/metric_runs.h"

#include "lib/base/crc32c.h"
#include "lib/base/file.h"
#include "lib/base/sorted.h"
#include "lib/tsdb/append_file.h"
#include "lib/tsdb/index_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC       "TFRUNS1\n"
#define MAGIC_BYTES 8
#define TAIL_BYTES  8
#define ORDER_BYTES sizeof(uint32_t)

struct run_row {
	uint64_t metric;
	uint32_t segment, offset;
	uint32_t series, zero;
};

uint64_t metric_runs_hash(const char *name, size_t len)
{
	return XXH3_64bits(name, len);
}

void metric_runs_writer_fini(struct metric_runs_writer *w)
{
	vec_fini(&w->segments);
	vec_fini(&w->runs);
}

static void end_run(struct metric_runs_writer *w, uint32_t segment)
{
	const struct noted_segment *s = &w->segments.data[segment];
	if (!s->series)
		return;
	w->is_full |= w->runs.len == METRIC_RUNS_MAX;
	if (!w->is_full)
		vec_push(&w->runs, (struct noted_run){ segment, s->metric, s->first, s->series });
}

void metric_runs_start(struct metric_runs_writer *w, uint32_t segment, uint32_t metric, uint32_t offset)
{
	while (w->segments.len <= segment)
		vec_push(&w->segments, (struct noted_segment){ 0 });
	end_run(w, segment);
	w->segments.data[segment] = (struct noted_segment){ metric, offset, 1 };
}

static int by_metric(const void *pa, const void *pb)
{
	const struct noted_run *a = pa, *b = pb;
	return (a->metric > b->metric) - (a->metric < b->metric);
}

static int by_place(const void *pa, const void *pb)
{
	const struct run_row *a = pa, *b = pb;
	if (a->segment != b->segment)
		return a->segment < b->segment ? -1 : 1;
	return (a->offset > b->offset) - (a->offset < b->offset);
}

static int row_cmp(const struct run_row *a, const struct run_row *b)
{
	if (a->metric != b->metric)
		return a->metric < b->metric ? -1 : 1;
	return by_place(a, b);
}

static int by_hash(const void *pa, const void *pb, void *rows)
{
	return row_cmp((struct run_row *)rows + *(const uint32_t *)pa,
		(struct run_row *)rows + *(const uint32_t *)pb);
}

/* Rows of the runs, whose names are taken from the index: both are gone through by symbol number. */
static int name_runs(
	struct metric_runs_writer *w, const char *index_path, struct run_row *rows, struct err *e)
{
	auto_of(blob) struct blob *blob = NULL;
	auto_of(index_stream) struct index_stream *stream = NULL;
	int r = blob_open_file(index_path, &blob, e);
	if (r == 0)
		r = index_stream_open(blob, &stream, e);
	if (r < 0)
		return r;
	vec_sort(&w->runs, by_metric);
	const char *text = NULL;
	size_t len = 0;
	uint32_t read = 0; /* symbols */
	uint64_t hash = 0;
	for (size_t i = 0; i < w->runs.len; i++) {
		const struct noted_run *run = &w->runs.data[i];
		for (; run->metric != METRIC_NAMELESS && read <= run->metric; read++) {
			if ((r = index_stream_symbol(stream, &text, &len, e)) <= 0)
				return r < 0 ? r
					     : err_set(e, -EBADMSG, "%s lacks symbol %u", index_path, read);
			if (read == run->metric)
				hash = metric_runs_hash(text, len);
		}
		rows[i] = (struct run_row){
			.metric = run->metric == METRIC_NAMELESS ? 0 : hash,
			.segment = run->segment,
			.offset = run->first,
			.series = run->series,
		};
	}
	return 0;
}

/* Chunks that two metrics share a place with are in one run: the file's runs are all different places. */
static size_t drop_same_places(struct run_row *rows, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || by_place(&rows[kept - 1], &rows[i]) != 0)
			rows[kept++] = rows[i];
	return kept;
}

int metric_runs_write(struct metric_runs_writer *w, const char *index_path, const char *path, struct err *e)
{
	for (uint32_t i = 0; i < w->segments.len; i++)
		end_run(w, i);
	if (w->is_full)
		return 0;
	auto_free struct run_row *rows = xcalloc(w->runs.len + 1, sizeof *rows);
	auto_free uint32_t *order = xcalloc(w->runs.len + 1, sizeof *order);
	int r = name_runs(w, index_path, rows, e);
	if (r < 0)
		return r;
	qsort(rows, w->runs.len, sizeof *rows, by_place);
	uint32_t n = (uint32_t)drop_same_places(rows, w->runs.len);
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof *order, by_hash, rows);

	auto_buf struct buf b = { 0 };
	buf_add(&b, MAGIC, MAGIC_BYTES);
	buf_add(&b, rows, n * sizeof *rows);
	buf_add(&b, order, n * sizeof *order);
	buf_add(&b, &n, sizeof n);
	uint32_t crc = crc32c(0, b.data, b.len);
	buf_add(&b, &crc, sizeof crc);
	struct append_file out;
	r = append_file_open(&out, path, e);
	append_file_relax(&out); /* a torn one is found by its checksum, and only missed */
	if (r == 0)
		r = append_file_add(&out, b.data, b.len, e);
	if (r == 0)
		r = append_file_sync(&out, e);
	append_file_close(&out);
	return r;
}

struct metric_runs {
	void *map;
	size_t size;
	const uint8_t *rows, *order;
	uint32_t n;
};

static struct run_row row(const struct metric_runs *r, size_t i)
{
	struct run_row row;
	memcpy(&row, r->rows + i * sizeof row, sizeof row);
	return row;
}

static uint32_t place(const struct metric_runs *r, size_t i)
{
	uint32_t at;
	memcpy(&at, r->order + i * ORDER_BYTES, sizeof at);
	return at;
}

static bool is_sound(struct metric_runs *r)
{
	const uint8_t *p = r->map, *tail = p + r->size - TAIL_BYTES;
	uint32_t crc;
	memcpy(&r->n, tail, 4);
	memcpy(&crc, tail + 4, 4);
	if (memcmp(p, MAGIC, MAGIC_BYTES) != 0 || r->n > METRIC_RUNS_MAX ||
		r->size != MAGIC_BYTES + r->n * (sizeof(struct run_row) + ORDER_BYTES) + TAIL_BYTES)
		return false;
	r->rows = p + MAGIC_BYTES;
	r->order = r->rows + r->n * sizeof(struct run_row);
	if (crc32c(0, p, r->size - 4) != crc)
		return false;
	for (uint32_t i = 0; i < r->n; i++) {
		if (place(r, i) >= r->n)
			return false;
		struct run_row here = row(r, i), in_order = row(r, place(r, i));
		if (i == 0)
			continue;
		struct run_row before = row(r, i - 1), before_in_order = row(r, place(r, i - 1));
		if (by_place(&before, &here) >= 0 || row_cmp(&before_in_order, &in_order) >= 0)
			return false;
	}
	return true;
}

int metric_runs_open(const char *path, struct metric_runs **out, struct err *e)
{
	auto_close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, -errno, "opening %s", path);
	if (st.st_size < MAGIC_BYTES + TAIL_BYTES || st.st_size > (off_t)METRIC_RUNS_MAX * 32)
		return err_set(e, -EBADMSG, "%s has %lld bytes, which no file of runs has", path,
			(long long)st.st_size);
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, -errno, "mapping %s", path);
	struct metric_runs *r = xcalloc(1, sizeof *r);
	r->map = p;
	r->size = (size_t)st.st_size;
	if (!is_sound(r)) {
		metric_runs_close(r);
		return err_set(e, -EBADMSG, "%s is damaged", path);
	}
	*out = r;
	return 0;
}

void metric_runs_close(struct metric_runs *r)
{
	if (!r)
		return;
	munmap(r->map, r->size);
	free(r);
}

static void fill_run(const struct metric_runs *r, size_t i, struct metric_run *out)
{
	struct run_row here = row(r, i);
	*out = (struct metric_run){
		.metric = here.metric,
		.segment = here.segment,
		.series = MAX_OF(here.series, 1u),
		.from = here.offset,
		.to = UINT64_MAX,
	};
	if (i + 1 < r->n) {
		struct run_row next = row(r, i + 1);
		if (next.segment == here.segment)
			out->to = next.offset;
	}
}

static bool starts_by(const struct metric_runs *r, size_t i, const struct run_row *place)
{
	struct run_row here = row(r, i);
	return by_place(&here, place) <= 0;
}

bool metric_runs_at(const struct metric_runs *r, uint32_t segment, uint64_t offset, struct metric_run *out)
{
	struct run_row key = { .segment = segment, .offset = (uint32_t)MIN_OF(offset, UINT32_MAX) };
	size_t after = lower_bound(i, r->n, starts_by(r, i, &key));
	if (after == 0 || row(r, after - 1).segment != segment)
		return false;
	fill_run(r, after - 1, out);
	return true;
}

bool metric_runs_of(const struct metric_runs *r, uint64_t metric, size_t k, struct metric_run *out)
{
	size_t first = lower_bound(i, r->n, row(r, place(r, i)).metric < metric);
	if (k >= r->n - first || row(r, place(r, first + k)).metric != metric)
		return false;
	fill_run(r, place(r, first + k), out);
	return true;
}
