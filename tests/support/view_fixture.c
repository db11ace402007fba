/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/view_fixture.h"

#include "lib/base/file.h"
#include "lib/base/metrics.h"
#include "lib/tsdb/index_stream.h"
#include "lib/tsdb/xor.h"
#include "store/bucket_fs.h"
#include "tests/support/index_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>

#define READ_BYTES (128u << 10) /* as the kernel asks for them */

static const char *const replica_labels[] = { "replica" };

struct view_fixture *view_fixture_new(void)
{
	static struct view_fixture f;
	struct err e;
	struct bucket *inner;
	memset(&f, 0, sizeof f);
	snprintf(f.bucket_dir, sizeof f.bucket_dir, "%s/bucket", test_dir());
	snprintf(f.data_dir, sizeof f.data_dir, "%s/data", test_dir());
	CHECK_OK(file_mkdirs(f.bucket_dir, 0755, &e), &e);
	CHECK_OK(bucket_fs_new(f.bucket_dir, &inner, &e), &e);
	f.bucket = bucket_fault_new(inner);
	f.cache_max_bytes = UINT64_MAX;
	return &f;
}

void view_fixture_close(struct view_fixture *f)
{
	view_close(f->view);
	catalogue_close(f->catalogue);
	f->view = NULL;
	f->catalogue = NULL;
}

void view_fixture_open(struct view_fixture *f)
{
	struct err e;
	char catalogue[200];
	static const struct catalogue_options options = { .min_time_ms = INT64_MIN,
		.max_time_ms = INT64_MAX,
		.replica_labels = replica_labels,
		.n_replica_labels = 1 };
	const struct view_options view = { .dir = f->data_dir,
		.dedup = { f->func, replica_labels, 1 },
		.cache_max_bytes = f->cache_max_bytes,
		.read_deadline_ms = f->read_deadline_ms,
		.threads = 2 };
	view_fixture_close(f);
	snprintf(catalogue, sizeof catalogue, "%s/catalogue", f->data_dir);
	CHECK_OK(file_mkdirs(catalogue, 0755, &e), &e);
	CHECK_OK(catalogue_open(catalogue, f->bucket, &options, &f->catalogue, &e), &e);
	CHECK_OK(view_open(&view, f->bucket, f->catalogue, &f->view, &e), &e);
}

void view_fixture_free(struct view_fixture *f)
{
	view_fixture_close(f);
	bucket_free(f->bucket);
}

void view_fixture_sync(struct view_fixture *f)
{
	struct err e;
	if (!f->view)
		view_fixture_open(f);
	CHECK_OK(view_sync(f->view, VIEW_NOW_MS, &e), &e);
}

struct merged_block *view_fixture_block(struct view_fixture *f, size_t i, size_t n)
{
	struct view_snapshot *s = view_snapshot(f->view);
	CHECK_INT(s->n, n);
	struct merged_block *b = merged_block_ref(s->blocks[i]);
	view_snapshot_unref(s);
	return b;
}

size_t merged_file_number(struct merged_block *b, const char *name, uint64_t *size)
{
	struct err e;
	const struct merged_file *files;
	size_t n;
	bool in_chunks = !strncmp(name, "chunks/", 7);
	CHECK_OK(merged_block_files(b, &files, &n, &e), &e);
	for (size_t i = 0; i < n; i++)
		if (files[i].in_chunks == in_chunks && !strcmp(files[i].name, in_chunks ? name + 7 : name)) {
			*size = files[i].size;
			return i;
		}
	test_fail(__FILE__, __LINE__, "there is no file %s", name);
}

bool merged_file_read(struct merged_block *b, const char *name, struct buf *out)
{
	uint64_t size;
	bool complete = true;
	size_t file = merged_file_number(b, name, &size);
	for (uint64_t at = 0; at < size; at += READ_BYTES) {
		struct merged_range range;
		size_t start = out->len, want = MIN_OF(size - at, READ_BYTES);
		merged_block_read(b, file, at, READ_BYTES, out, &range);
		CHECK_INT(range.n, want);
		if (range.fd >= 0) {
			CHECK_INT(file_pread_all(range.fd, buf_reserve(out, want), want, range.fd_at), 0);
			out->len += want;
		}
		CHECK_INT(out->len - start, want);
		complete &= !range.incomplete;
		merged_block_range_done(b, file, &range);
	}
	return complete;
}

static void add_chunk(struct merged_series *s, const struct chunk *c, const struct chunk_meta *meta)
{
	struct err e;
	size_t first = s->samples.list.len;
	if (c->encoding == CHUNK_XOR) {
		struct float_columns cols = { 0 };
		CHECK_OK(float_chunk_decode(c->encoding, c->data, c->size, &cols, &e), &e);
		for (size_t i = 0; i < cols.len; i++)
			vec_push(&s->samples.list, (struct sample){ cols.t[i], cols.v[i] });
		float_columns_fini(&cols);
	} else {
		struct histogram_chunk *h;
		CHECK_OK(histogram_chunk_decode(c->encoding, c->data, c->size, &h, &e), &e);
		for (size_t i = 0; i < h->n; i++)
			vec_push(&s->samples.list, (struct sample){ h->t[i], h->sum[i] });
		histogram_chunk_free(h);
	}
	for (size_t i = first; i < s->samples.list.len; i++) {
		int64_t t = s->samples.list.data[i].t;
		CHECK(t >= meta->mint && t <= meta->maxt);
		CHECK(i == 0 || t > s->samples.list.data[i - 1].t);
	}
}

/* One chunk through reads of a page each, as a fault would ask for it. */
static void read_frame(struct merged_block *b, struct merged_series *s, const struct chunk_meta *meta)
{
	char name[32];
	uint64_t size, at = chunk_ref_offset(meta->ref);
	auto_buf struct buf bytes = { 0 };
	snprintf(name, sizeof name, "chunks/%06u", chunk_ref_segment(meta->ref) + 1);
	size_t file = merged_file_number(b, name, &size);
	CHECK(at < size);
	for (uint64_t page = at; page < size && bytes.len < 16384; page += 4096) {
		struct merged_range range;
		size_t start = bytes.len, want = MIN_OF(size - page, 4096u);
		merged_block_read(b, file, page, 4096, &bytes, &range);
		if (range.fd >= 0) {
			CHECK_INT(file_pread_all(range.fd, buf_reserve(&bytes, want), want, range.fd_at), 0);
			bytes.len += want;
		}
		CHECK_INT(bytes.len - start, want);
		s->incomplete |= range.incomplete;
		merged_block_range_done(b, file, &range);
	}
	struct err e;
	struct chunk c;
	size_t need;
	CHECK(s->chunks < ARRAY_LEN(s->encodings));
	if (bytes.len >= 8 && !memcmp(bytes.data, "\0\0\0\0\0\0\0\0", 8)) {
		s->zeros++;
	} else {
		CHECK_OK(chunk_frame_read(bytes.data, bytes.len, &c, &need, &e), &e);
		s->encodings[s->chunks] = c.encoding;
		add_chunk(s, &c, meta);
	}
	s->chunks++;
}

void merged_series_read(struct merged_block *b, const char *words, struct merged_series *out)
{
	struct err e;
	auto_buf struct buf index = { 0 };
	auto_free char *path = xasprintf("%s/index-read-back", test_dir());
	auto_free char *want = xasprintf("{%s}", words);
	struct index_contents contents;
	bool found = false;
	*out = (struct merged_series){ 0 };
	CHECK(merged_file_read(b, "index", &index));
	CHECK_OK(file_replace(path, index.data, index.len, &e), &e);
	index_contents_read(&contents, path);
	for (size_t i = 0; i < contents.series.len; i++) {
		const struct fixture_series *s = &contents.series.data[i];
		if (strcmp(fixture_words(&s->labels), want) != 0)
			continue;
		found = true;
		for (size_t k = 0; k < s->chunks.len; k++) {
			CHECK(k == 0 || s->chunks.data[k].mint > s->chunks.data[k - 1].maxt);
			read_frame(b, out, &s->chunks.data[k]);
		}
	}
	index_contents_fini(&contents);
	if (!found)
		test_fail(__FILE__, __LINE__, "there is no series %s", want);
}

void merged_series_fini(struct merged_series *s)
{
	vec_fini(&s->samples.list);
}

uint64_t metric_value(const char *name)
{
	auto_buf struct buf b = { 0 };
	metrics_render(&b);
	size_t n = strlen(name);
	for (const char *line = buf_str(&b); line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, name, n) && line[n] == ' ')
			return strtoull(line + n, NULL, 10);
	test_fail(__FILE__, __LINE__, "there is no metric %s", name);
}
