/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/index_write.h"

#include "lib/base/file.h"
#include "lib/base/vec.h"
#include "lib/tsdb/index_stream.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static char *index_path(void)
{
	return xasprintf("%s/index", test_dir());
}

static struct index_writer *writer_with(const char *path, const char *const *symbols)
{
	struct err e;
	struct index_writer *w = NULL;
	CHECK_OK(index_writer_open(path, &w, &e), &e);
	for (; *symbols; symbols++)
		CHECK_OK(index_writer_symbol(w, *symbols, strlen(*symbols), &e), &e);
	return w;
}

static const char *const abcd[] = { "a", "b", "c", "d", NULL };

struct written {
	uint32_t pairs[16], n_labels;
	VEC(struct chunk_meta) chunks;
	uint64_t ref;
};

static void read_back(const char *path, const struct written *want, size_t n)
{
	struct err e;
	auto_of(blob) struct blob *b = NULL;
	auto_of(index_stream) struct index_stream *s = NULL;
	CHECK_OK(blob_open_file(path, &b, &e), &e);
	CHECK_OK(index_stream_open(b, &s, &e), &e);
	const char *text;
	size_t len;
	int r;
	while ((r = index_stream_symbol(s, &text, &len, &e)) > 0)
		;
	CHECK_OK(r, &e);
	struct index_series one;
	for (size_t i = 0; i < n; i++) {
		r = index_stream_series(s, &one, &e);
		CHECK_OK(r, &e);
		CHECK_INT(r, 1);
		CHECK_INT(one.ref, want[i].ref);
		CHECK_INT(one.n_labels, want[i].n_labels);
		CHECK(memcmp(one.pairs, want[i].pairs, 8 * one.n_labels) == 0);
		CHECK_INT(one.n_chunks, want[i].chunks.len);
		for (size_t k = 0; k < one.n_chunks; k++) {
			CHECK_INT(one.chunks[k].mint, want[i].chunks.data[k].mint);
			CHECK_INT(one.chunks[k].maxt, want[i].chunks.data[k].maxt);
			CHECK(one.chunks[k].ref == want[i].chunks.data[k].ref);
		}
	}
	CHECK_INT(index_stream_series(s, &one, &e), 0);
}

TEST(series_read_back_as_they_were_written)
{
	struct err e;
	auto_free char *path = index_path();
	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t random = seed;
		struct index_writer *w = NULL;
		VEC(struct written) all = { 0 };
		CHECK_OK(index_writer_open(path, &w, &e), &e);
		uint32_t n_symbols = seed % 2 ? 40000 : 300; /* numbers of one, two and three bytes */
		for (uint32_t i = 0; i < n_symbols; i++) {
			char text[16];
			snprintf(text, sizeof text, "%05u", i);
			CHECK_OK(index_writer_symbol(w, text, 5, &e), &e);
		}
		for (uint32_t i = 0; i < 300; i++) {
			struct written one = { .n_labels = 1 + (uint32_t)(test_random(&random) % 8) };
			for (uint32_t k = 0; k < one.n_labels; k++) {
				one.pairs[2 * k] = k * (n_symbols / 8);
				one.pairs[2 * k + 1] = k ? (uint32_t)(test_random(&random) % n_symbols) : i;
			}
			int64_t t = (int64_t)(test_random(&random) >> (test_random(&random) % 50 + 2));
			for (uint64_t c = test_random(&random) % 6; c; c--) {
				struct chunk_meta m = { .mint = t, .ref = test_random(&random) >> c * 9 };
				m.maxt = t + (int64_t)(test_random(&random) % 2000000);
				t = m.maxt + 1 + (int64_t)(test_random(&random) % 30000);
				vec_push(&one.chunks, m);
			}
			CHECK_OK(index_writer_series(w, one.pairs, one.n_labels, one.chunks.data,
					 (uint32_t)one.chunks.len, &one.ref, &e),
				&e);
			vec_push(&all, one);
		}
		uint64_t bytes;
		CHECK_OK(index_writer_finish(w, &bytes, &e), &e);
		index_writer_close(w);
		read_back(path, all.data, all.len);
		vec_each (one, &all)
			vec_fini(&one->chunks);
		vec_fini(&all);
	}
}

TEST(a_series_larger_than_any_buffer_reads_back)
{
	struct err e;
	auto_free char *path = index_path();
	auto_of(index_writer) struct index_writer *w = writer_with(path, abcd);
	struct written two[2] = { { .pairs = { 0, 1 }, .n_labels = 1 },
		{ .pairs = { 0, 2 }, .n_labels = 1 } };
	for (int64_t i = 0; i < 200000; i++)
		vec_push(&two[0].chunks, (struct chunk_meta){ .mint = i * 2000000,
						 .maxt = i * 2000000 + 1999999,
						 .ref = (uint64_t)i * 977 });
	vec_push(&two[1].chunks,
		(struct chunk_meta){ .mint = INT64_MIN, .maxt = INT64_MIN, .ref = UINT64_MAX });
	vec_push(&two[1].chunks, (struct chunk_meta){ .mint = -1, .maxt = INT64_MAX, .ref = 0 });
	for (int i = 0; i < 2; i++)
		CHECK_OK(index_writer_series(w, two[i].pairs, 1, two[i].chunks.data,
				 (uint32_t)two[i].chunks.len, &two[i].ref, &e),
			&e);
	uint64_t bytes;
	CHECK_OK(index_writer_finish(w, &bytes, &e), &e);
	CHECK(bytes > 1 << 20);
	read_back(path, two, 2);
	vec_fini(&two[0].chunks);
	vec_fini(&two[1].chunks);
}

TEST(an_index_without_series_is_complete)
{
	struct err e;
	auto_free char *path = index_path();
	auto_of(index_writer) struct index_writer *w = writer_with(path, abcd + 4);
	uint64_t bytes;
	CHECK_OK(index_writer_finish(w, &bytes, &e), &e);
	read_back(path, NULL, 0);
}

TEST(what_is_out_of_order_is_refused_and_the_writer_stays_failed)
{
	static const struct {
		uint32_t pairs[4], n_labels;
		struct chunk_meta chunks[2];
		uint32_t n_chunks;
		const char *words;
	} cases[] = {
		{ { 1, 1 }, 1, { { 0 } }, 0, "a series is not greater" },        /* the same */
		{ { 1, 0 }, 1, { { 0 } }, 0, "a series is not greater" },        /* a lower value */
		{ { 0, 3 }, 1, { { 0 } }, 0, "a series is not greater" },        /* a lower name */
		{ { 2, 1, 2, 2 }, 2, { { 0 } }, 0, "label names out of order" }, /* a name twice */
		{ { 2, 1, 1, 2 }, 2, { { 0 } }, 0, "label names out of order" },
		{ { 2, 4 }, 1, { { 0 } }, 0, "unknown symbols" },
		{ { 4, 1 }, 1, { { 0 } }, 0, "unknown symbols" },
		{ { 0 }, 0, { { 0 } }, 0, "0 labels" },
		{ { 2, 1 }, 1, { { .mint = 2, .maxt = 1 } }, 1, "chunks that overlap" },
		{ { 2, 1 }, 1, { { .mint = 1, .maxt = 5 }, { .mint = 5, .maxt = 9 } }, 2,
			"chunks that overlap" },
	};
	auto_free char *path = index_path();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		struct index_writer *w = writer_with(path, abcd);
		CHECK_OK(index_writer_series(w, (const uint32_t[]){ 1, 1 }, 1, NULL, 0, NULL, &e), &e);
		CHECK_INT(index_writer_series(w, cases[i].pairs, cases[i].n_labels, cases[i].chunks,
				  cases[i].n_chunks, NULL, &e),
			-EINVAL);
		CHECK_HAS(e.msg, cases[i].words);
		uint64_t bytes;
		CHECK_INT(index_writer_finish(w, &bytes, &e), -EINVAL);
		CHECK_HAS(e.msg, "failed before");
		index_writer_close(w);
		CHECK(!file_exists(path));
	}
}

TEST(symbols_strictly_rise_and_come_first)
{
	struct err e;
	auto_free char *path = index_path();
	static const char *const wrong[] = { "d", "", "c" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct index_writer *w = writer_with(path, abcd);
		CHECK_INT(index_writer_symbol(w, wrong[i], strlen(wrong[i]), &e), -EINVAL);
		CHECK_HAS(e.msg, "symbol 4 is not greater");
		index_writer_close(w);
	}
	auto_of(index_writer) struct index_writer *w = writer_with(path, abcd);
	CHECK_OK(index_writer_series(w, (const uint32_t[]){ 1, 1 }, 1, NULL, 0, NULL, &e), &e);
	CHECK_INT(index_writer_symbol(w, "e", 1, &e), -EINVAL);
	CHECK_HAS(e.msg, "out of turn");
}

TEST(nothing_but_the_index_stays_behind)
{
	struct err e;
	auto_free char *path = index_path();
	auto_of(index_writer) struct index_writer *w = writer_with(path, abcd);
	CHECK_OK(index_writer_series(w, (const uint32_t[]){ 1, 1 }, 1, NULL, 0, NULL, &e), &e);
	uint64_t bytes;
	CHECK_OK(index_writer_finish(w, &bytes, &e), &e);
	DIR *d = opendir(test_dir());
	int entries = 0;
	while (readdir(d))
		entries++;
	closedir(d);
	CHECK_INT(entries, 3); /* with . and .. */
}

TEST_MAIN()
