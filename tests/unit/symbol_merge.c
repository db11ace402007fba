/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/symbol_merge.h"
#include "lib/base/buf.h"
#include "lib/base/vec.h"
#include "lib/tsdb/index_stream.h"
#include "lib/tsdb/index_write.h"
#include "tests/support/test.h"

#include <stdio.h>

#define MAX_SOURCES 32

/* Symbol tables given as words, merged into an index file. */
struct merging {
	struct blob *blobs[MAX_SOURCES];
	struct index_stream *streams[MAX_SOURCES];
	struct symbol_maps *maps;
	struct buf text;
};

static const char *path_of(const char *name, size_t number)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s%zu", test_dir(), name, number);
	return path;
}

static void open_table(struct merging *m, size_t i, const char *words)
{
	struct err e;
	auto_of(index_writer) struct index_writer *w = NULL;
	auto_free char *copy = xstrdup(words);
	char *rest = copy;
	CHECK_OK(index_writer_open(path_of("source", i), &w, &e), &e);
	for (char *word; (word = strsep(&rest, " ")) && *word;)
		CHECK_OK(index_writer_symbol(w, word, strlen(word), &e), &e);
	uint64_t bytes;
	CHECK_OK(index_writer_finish(w, &bytes, &e), &e);
	CHECK_OK(blob_open_file(path_of("source", i), &m->blobs[i], &e), &e);
	CHECK_OK(index_stream_open(m->blobs[i], &m->streams[i], &e), &e);
}

/* The merged table in words, from the index that was written. */
static const char *merge(
	struct merging *m, const char *const *tables, size_t n, struct symbol_name *names, size_t n_names)
{
	struct err e;
	int bad;
	auto_of(index_writer) struct index_writer *w = NULL;
	for (size_t i = 0; i < n; i++)
		open_table(m, i, tables[i]);
	CHECK_OK(index_writer_open(path_of("merged", 0), &w, &e), &e);
	CHECK_OK(symbol_merge(test_dir(), m->streams, n, names, n_names, w, &m->maps, &bad, &e), &e);
	uint64_t bytes;
	CHECK_OK(index_writer_finish(w, &bytes, &e), &e);

	auto_of(blob) struct blob *b = NULL;
	auto_of(index_stream) struct index_stream *s = NULL;
	CHECK_OK(blob_open_file(path_of("merged", 0), &b, &e), &e);
	CHECK_OK(index_stream_open(b, &s, &e), &e);
	const char *text;
	size_t len;
	while (index_stream_symbol(s, &text, &len, &e) > 0) {
		if (m->text.len)
			buf_add_u8(&m->text, ' ');
		buf_add(&m->text, text, len);
	}
	return buf_str(&m->text);
}

static void merging_fini(struct merging *m)
{
	for (size_t i = 0; i < MAX_SOURCES; i++) {
		index_stream_close(m->streams[i]);
		blob_close(m->blobs[i]);
	}
	symbol_maps_free(m->maps);
	buf_fini(&m->text);
}

static void check_map(const struct merging *m, size_t source, const uint32_t *want, uint32_t n)
{
	struct symbol_map map = symbol_maps_of(m->maps, source);
	CHECK_INT(map.n, n);
	for (uint32_t i = 0; i < n; i++) {
		CHECK_INT(map.merged[i], want[i]);
		CHECK_INT(symbol_map_find(&map, want[i]), i);
	}
}

TEST(two_tables_become_one_with_a_map_each)
{
	struct merging m = { 0 };
	CHECK_STR(merge(&m, (const char *const[]){ "a b d", "b c d e" }, 2, NULL, 0), "a b c d e");
	check_map(&m, 0, (const uint32_t[]){ 0, 1, 3 }, 3);
	check_map(&m, 1, (const uint32_t[]){ 1, 2, 3, 4 }, 4);
	struct symbol_map map = symbol_maps_of(m.maps, 0);
	CHECK_INT(symbol_map_find(&map, 2), SYMBOL_NONE);
	CHECK_INT(symbol_map_find(&map, 4), SYMBOL_NONE);
	CHECK_INT(symbol_map_find(&map, SYMBOL_NONE), SYMBOL_NONE);
	merging_fini(&m);
}

TEST(prefixes_come_first_and_bytes_are_unsigned)
{
	struct merging m = { 0 };
	CHECK_STR(merge(&m, (const char *const[]){ "aa z\xc3\xa4", "a ab z \xff" }, 2, NULL, 0),
		"a aa ab z z\xc3\xa4 \xff");
	check_map(&m, 0, (const uint32_t[]){ 1, 4 }, 2);
	check_map(&m, 1, (const uint32_t[]){ 0, 2, 3, 5 }, 4);
	merging_fini(&m);
}

TEST(strings_from_outside_are_added_or_only_looked_up)
{
	struct merging m = { 0 };
	struct symbol_name names[] = {
		{ .text = "z", .add = true },
		{ .text = "b" },
		{ .text = "cluster", .add = true },
		{ .text = "nowhere" },
		{ .text = "z" },
		{ .text = "a", .add = true },
		{ .text = "cluster", .add = true },
	};
	CHECK_STR(merge(&m, (const char *const[]){ "a c", "b" }, 2, names, ARRAY_LEN(names)),
		"a b c cluster z");
	static const uint32_t want[] = { 4, 1, 3, SYMBOL_NONE, 4, 0, 3 };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		CHECK_INT(names[i].number, want[i]);
	check_map(&m, 0, (const uint32_t[]){ 0, 2 }, 2);
	check_map(&m, 1, (const uint32_t[]){ 1 }, 1);
	merging_fini(&m);
}

TEST(empty_tables_are_fine)
{
	struct merging m = { 0 };
	CHECK_STR(merge(&m, (const char *const[]){ "", "" }, 2, NULL, 0), "");
	struct symbol_map map = symbol_maps_of(m.maps, 1);
	CHECK_INT(map.n, 0);
	CHECK_INT(symbol_map_find(&map, 0), SYMBOL_NONE);
	merging_fini(&m);
}

TEST(many_tables_merge_like_few)
{
	struct merging m = { 0 };
	static char words[MAX_SOURCES][400];
	const char *tables[MAX_SOURCES];
	/* Table i has the multiples of i + 1 below 64. */
	for (unsigned i = 0; i < MAX_SOURCES; i++) {
		size_t at = 0;
		for (unsigned k = 0; k < 64; k += i + 1)
			at += (size_t)sprintf(words[i] + at, "%s%02u", k ? " " : "", k);
		tables[i] = words[i];
	}
	CHECK_STR(merge(&m, tables, MAX_SOURCES, NULL, 0), words[0]);
	for (unsigned i = 0; i < MAX_SOURCES; i++) {
		struct symbol_map map = symbol_maps_of(m.maps, i);
		for (unsigned k = 0; k < map.n; k++)
			CHECK_INT(map.merged[k], k * (i + 1));
	}
	merging_fini(&m);
}

TEST(a_corrupt_table_is_named)
{
	struct merging m = { 0 };
	struct err e;
	int bad = -1;
	open_table(&m, 0, "a b c");
	open_table(&m, 1, "a b c");
	index_stream_close(m.streams[1]);
	m.streams[1] = NULL;
	auto_buf struct buf bytes = { 0 };
	CHECK_OK(blob_read_buf(m.blobs[1], &bytes, m.blobs[1]->size, 0, &e), &e);
	for (size_t i = 5; i < bytes.len; i++) {
		if (bytes.data[i] == 'b') {
			bytes.data[i] = 'B';
			break;
		}
	}
	blob_close(m.blobs[1]);
	m.blobs[1] = blob_of_memory("damaged", bytes.data, bytes.len);
	CHECK_OK(index_stream_open(m.blobs[1], &m.streams[1], &e), &e);
	auto_of(index_writer) struct index_writer *w = NULL;
	CHECK_OK(index_writer_open(path_of("merged", 0), &w, &e), &e);
	CHECK(symbol_merge(test_dir(), m.streams, 2, NULL, 0, w, &m.maps, &bad, &e) < 0);
	CHECK_INT(bad, 1);
	merging_fini(&m);
}

TEST_MAIN()
