/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/block_write.h"

#include "lib/base/file.h"
#include "lib/tsdb/index_stream.h"
#include "lib/tsdb/xor.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define START 1700000000000

static struct ulid some_ulid(unsigned n)
{
	uint8_t rest[10] = { (uint8_t)n };
	return ulid_make(START, rest);
}

static uint64_t bits(double d)
{
	uint64_t u;
	memcpy(&u, &d, sizeof u);
	return u;
}

static const char *const values[] = { "a", "b", "up" };

/* up{l="a"} with 300 samples and up{l="b"} with one. */
static void write_block(const char *parent, uint32_t segment_bytes, struct block_meta *meta)
{
	struct err e;
	struct labels sets[2] = { 0 };
	const struct labels *p[2];
	for (int i = 0; i < 2; i++) {
		labels_set(&sets[i], "__name__", values[2]);
		labels_set(&sets[i], "l", values[i]);
		p[1 - i] = &sets[i]; /* any order */
	}
	int64_t t[300];
	uint64_t v[300];
	for (int i = 0; i < 300; i++) {
		t[i] = START + i * 15000;
		v[i] = bits(i * 0.5);
	}
	auto_of(block_writer) struct block_writer *w = NULL;
	struct block_writer_options o = {
		.parent = parent, .ulid = some_ulid(1), .segment_bytes = segment_bytes
	};
	CHECK_OK(block_writer_open(&o, &w, &e), &e);
	CHECK_OK(block_writer_label_sets(w, p, 2, &e), &e);
	CHECK_OK(block_writer_labels(w, &sets[0], &e), &e);
	CHECK_OK(block_writer_floats(w, t, v, 300, &e), &e);
	CHECK_OK(block_writer_labels(w, &sets[1], &e), &e);
	CHECK_OK(block_writer_floats(w, t + 299, v, 1, &e), &e);
	CHECK_OK(block_writer_finish(w, meta, &e), &e);
	for (int i = 0; i < 2; i++)
		labels_fini(&sets[i]);
}

static char *block_path(const char *parent, const char *file)
{
	char name[ULID_CHARS + 1];
	struct ulid u = some_ulid(1);
	ulid_format(&u, name);
	return xasprintf("%s/%s/%s", parent, name, file);
}

static void read_chunk(const char *parent, const struct chunk_meta *m, struct float_columns *out)
{
	struct err e;
	auto_buf struct buf segment = { 0 };
	auto_free char *name = xasprintf("chunks/%06u", chunk_ref_segment(m->ref) + 1);
	auto_free char *path = block_path(parent, name);
	CHECK_OK(file_read(path, 1 << 20, &segment, &e), &e);
	CHECK(memcmp(segment.data, "\x85\xbd\x40\xdd\x01\0\0\0", 8) == 0);
	struct chunk c;
	size_t need, at = chunk_ref_offset(m->ref);
	CHECK(at < segment.len);
	CHECK_OK(chunk_frame_read(segment.data + at, segment.len - at, &c, &need, &e), &e);
	CHECK_INT(c.encoding, CHUNK_XOR);
	CHECK_OK(float_chunk_decode(c.encoding, c.data, c.size, out, &e), &e);
}

static void check_block(const char *parent, unsigned segments)
{
	struct err e;
	auto_free char *path = block_path(parent, "index");
	auto_of(blob) struct blob *b = NULL;
	auto_of(index_stream) struct index_stream *s = NULL;
	CHECK_OK(blob_open_file(path, &b, &e), &e);
	CHECK_OK(index_stream_open(b, &s, &e), &e);
	const char *text;
	size_t len;
	int symbols = 0;
	while (index_stream_symbol(s, &text, &len, &e) > 0)
		symbols++;
	CHECK_INT(symbols, 5);
	struct index_series one;
	CHECK_INT(index_stream_series(s, &one, &e), 1);
	CHECK_INT(one.n_chunks, 3);
	struct float_columns c = { 0 };
	for (unsigned i = 0; i < one.n_chunks; i++)
		read_chunk(parent, &one.chunks[i], &c);
	CHECK_INT(c.len, 300);
	for (size_t i = 0; i < c.len; i++) {
		CHECK_INT(c.t[i], START + (int64_t)i * 15000);
		CHECK(c.v[i] == bits((double)i * 0.5));
	}
	float_columns_fini(&c);
	CHECK_INT(chunk_ref_segment(one.chunks[2].ref), segments == 1 ? 0 : 2);
	CHECK_INT(index_stream_series(s, &one, &e), 1);
	CHECK_INT(one.n_chunks, 1);
	CHECK_INT(index_stream_series(s, &one, &e), 0);
}

TEST(a_block_reads_back_as_it_was_written)
{
	auto_of(block_meta) struct block_meta *m = xcalloc(1, sizeof *m);
	write_block(test_dir(), 0, m);
	check_block(test_dir(), 1);
	CHECK_INT(m->min_time, START);
	CHECK_INT(m->max_time, START + 299 * 15000 + 1);
	CHECK_INT(m->stats.samples, 301);
	CHECK_INT(m->stats.series, 2);
	CHECK_INT(m->stats.chunks, 4);
	CHECK_INT(m->compaction.level, 1);
	CHECK_INT(m->compaction.sources.len, 1);
}

TEST(segments_are_cut_at_their_size)
{
	auto_of(block_meta) struct block_meta *m = xcalloc(1, sizeof *m);
	m->thanos.present = true;
	labels_set(&m->thanos.labels, "cluster", "eu");
	write_block(test_dir(), 64, m); /* each chunk is larger */
	check_block(test_dir(), 4);
	CHECK_INT(m->thanos.segment_files.len, 4);
	CHECK_INT(m->thanos.files.len, 6);
	CHECK_STR(m->thanos.files.data[3].rel_path, "chunks/000004");

	struct err e;
	auto_buf struct buf text = { 0 };
	auto_of(block_meta) struct block_meta *again = NULL;
	auto_free char *path = block_path(test_dir(), "meta.json");
	CHECK_OK(file_read(path, 1 << 20, &text, &e), &e);
	CHECK_OK(block_meta_parse(text.data, text.len, &again, &e), &e);
	CHECK_INT(again->thanos.files.data[3].size_bytes, m->thanos.files.data[3].size_bytes);
	CHECK_STR(labels_get(&again->thanos.labels, "cluster"), "eu");
}

TEST(nothing_stays_of_a_block_that_was_not_finished)
{
	struct err e;
	struct block_writer *w = NULL;
	struct block_writer_options o = { .parent = test_dir(), .ulid = some_ulid(1) };
	CHECK_OK(block_writer_open(&o, &w, &e), &e);
	CHECK_OK(block_writer_symbol(w, "a", 1, &e), &e);
	block_writer_close(w);
	CHECK_INT(rmdir(test_dir()), 0);
}

TEST(samples_that_fall_and_labels_never_announced_are_refused)
{
	struct err e;
	auto_of(block_writer) struct block_writer *w = NULL;
	struct block_writer_options o = { .parent = test_dir(), .ulid = some_ulid(1) };
	struct labels l = { 0 };
	labels_set(&l, "a", "b");
	const struct labels *p = &l;
	CHECK_OK(block_writer_open(&o, &w, &e), &e);
	CHECK_OK(block_writer_label_sets(w, &p, 1, &e), &e);
	CHECK_OK(block_writer_labels(w, &l, &e), &e);
	CHECK_INT(block_writer_floats(w, (const int64_t[]){ 5, 5 }, (const uint64_t[]){ 0, 0 }, 2, &e),
		-EINVAL);
	CHECK_HAS(e.msg, "don't rise");
	labels_set(&l, "a", "c");
	CHECK_INT(block_writer_labels(w, &l, &e), -EINVAL);
	CHECK_HAS(e.msg, "\"c\" is in none of the label sets");
	labels_fini(&l);
}

static void run(const char *command, struct buf *out)
{
	FILE *f = popen(command, "r");
	CHECK(f != NULL);
	size_t n;
	while ((n = fread(buf_reserve(out, 65536), 1, 65536, f)) > 0)
		out->len += n;
	CHECK_INT(pclose(f), 0);
}

TEST(promtool_lists_analyses_and_dumps_a_block)
{
	if (access("/usr/bin/promtool", X_OK) < 0)
		test_skip("promtool is not installed");
	auto_of(block_meta) struct block_meta *m = xcalloc(1, sizeof *m);
	write_block(test_dir(), 0, m);
	struct err e;
	auto_free char *wal = xasprintf("%s/wal", test_dir());
	CHECK_OK(file_mkdirs(wal, 0755, &e), &e);
	char ulid[ULID_CHARS + 1];
	ulid_format(&m->ulid, ulid);

	auto_buf struct buf list = { 0 }, analysis = { 0 }, dump = { 0 };
	auto_free char *list_it = xasprintf("promtool tsdb list %s 2>&1", test_dir());
	run(list_it, &list);
	CHECK_HAS(buf_str(&list), ulid);
	auto_free char *analyze_it = xasprintf("promtool tsdb analyze %s 2>&1", test_dir());
	run(analyze_it, &analysis);
	CHECK_HAS(buf_str(&analysis), "Series: 2\n");
	auto_free char *dump_it = xasprintf("promtool tsdb dump %s 2>&1", test_dir());
	run(dump_it, &dump);
	CHECK_HAS(buf_str(&dump), "{__name__=\"up\", l=\"a\"} 149.5 1700004485000\n");
	CHECK_HAS(buf_str(&dump), "{__name__=\"up\", l=\"b\"} 0 1700004485000\n");
	size_t lines = 0;
	for (size_t i = 0; i < dump.len; i++)
		lines += dump.data[i] == '\n';
	CHECK_INT(lines, 301);
}

TEST_MAIN()
