/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/metric_runs.h"

#include "lib/base/file.h"
#include "lib/tsdb/index_write.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static char path[200], index_path[200];

/* An index with the symbols m0, m1 ... m8. */
static void write_index(void)
{
	struct err e;
	struct index_writer *w;
	uint64_t bytes;
	snprintf(path, sizeof path, "%s/runs", test_dir());
	snprintf(index_path, sizeof index_path, "%s/index", test_dir());
	CHECK_OK(index_writer_open(index_path, &w, &e), &e);
	for (char c = '0'; c < '9'; c++) {
		char text[3] = { 'm', c };
		CHECK_OK(index_writer_symbol(w, text, 2, &e), &e);
	}
	CHECK_OK(index_writer_series(w, (uint32_t[]){ 0, 1 }, 1, NULL, 0, NULL, &e), &e);
	CHECK_OK(index_writer_finish(w, &bytes, &e), &e);
	index_writer_close(w);
}

static struct metric_runs *write_and_open(struct metric_runs_writer *w)
{
	struct err e;
	struct metric_runs *r = NULL;
	write_index();
	CHECK_OK(metric_runs_write(w, index_path, path, &e), &e);
	metric_runs_writer_fini(w);
	CHECK_OK(metric_runs_open(path, &r, &e), &e);
	return r;
}

TEST(an_offset_lies_in_the_run_that_starts_before_it)
{
	struct metric_runs_writer w = { 0 };
	struct metric_run run;
	metric_runs_note(&w, 0, 3, 8, true);
	metric_runs_note(&w, 1, 3, 131072, true);
	metric_runs_note(&w, 0, 3, 500, true);
	metric_runs_note(&w, 0, 5, 900, true);
	metric_runs_note(&w, 0, 5, 1000, false);
	metric_runs_note(&w, 1, 7, 140000, true);
	struct metric_runs *r = write_and_open(&w);
	CHECK(!metric_runs_at(r, 0, 7, &run));
	CHECK(metric_runs_at(r, 0, 8, &run));
	CHECK(run.metric == metric_runs_hash("m3", 2));
	CHECK_INT(run.from, 8);
	CHECK_INT(run.to, 900);
	CHECK_INT(run.series, 2);
	CHECK(metric_runs_at(r, 0, 899, &run) && run.from == 8);
	CHECK(metric_runs_at(r, 0, 900, &run) && run.from == 900);
	CHECK(run.to == UINT64_MAX);
	CHECK_INT(run.series, 1);
	CHECK(metric_runs_at(r, 0, 1ull << 40, &run) && run.from == 900);
	CHECK(metric_runs_at(r, 1, 139999, &run) && run.from == 131072);
	CHECK(!metric_runs_at(r, 1, 100, &run));
	CHECK(!metric_runs_at(r, 2, 5000, &run));
	metric_runs_close(r);
}

TEST(a_metrics_runs_are_found_by_its_name)
{
	struct metric_runs_writer w = { 0 };
	struct metric_run run;
	metric_runs_note(&w, 0, 2, 8, true);
	metric_runs_note(&w, 2, 4, 8, true);
	metric_runs_note(&w, 0, 4, 700, true);
	metric_runs_note(&w, 0, 6, 800, true);
	struct metric_runs *r = write_and_open(&w);
	uint64_t metric = metric_runs_hash("m4", 2);
	CHECK(metric_runs_of(r, metric, 0, &run) && run.segment == 0 && run.from == 700 && run.to == 800);
	CHECK(metric_runs_of(r, metric, 1, &run) && run.segment == 2 && run.from == 8);
	CHECK(!metric_runs_of(r, metric, 2, &run));
	CHECK(!metric_runs_of(r, metric_runs_hash("m8", 2), 0, &run));
	metric_runs_close(r);
}

TEST(chunks_out_of_order_belong_to_their_metrics_run)
{
	struct metric_runs_writer w = { 0 };
	struct metric_run run;
	metric_runs_note(&w, 0, 2, 400, true);
	metric_runs_note(&w, 0, 2, 8, true);
	metric_runs_note(&w, 0, 2, 300, true);
	struct metric_runs *r = write_and_open(&w);
	CHECK(metric_runs_at(r, 0, 8, &run) && run.from == 8);
	metric_runs_close(r);
}

TEST(series_without_a_name_have_runs_too)
{
	struct metric_runs_writer w = { 0 };
	struct metric_run run;
	metric_runs_note(&w, 0, 8, 8, true);
	metric_runs_note(&w, 0, METRIC_NAMELESS, 100, true);
	struct metric_runs *r = write_and_open(&w);
	CHECK(metric_runs_at(r, 0, 100, &run) && run.metric == 0);
	CHECK(metric_runs_at(r, 0, 99, &run) && run.metric == metric_runs_hash("m8", 2));
	metric_runs_close(r);
}

TEST(a_block_without_chunks_has_a_file_without_runs)
{
	struct metric_runs_writer w = { 0 };
	struct metric_run run;
	struct metric_runs *r = write_and_open(&w);
	CHECK(!metric_runs_at(r, 0, 0, &run));
	CHECK(!metric_runs_of(r, 1, 0, &run));
	metric_runs_close(r);
}

TEST(any_byte_that_changed_is_noticed)
{
	struct metric_runs_writer w = { 0 };
	auto_buf struct buf b = { 0 };
	struct err e;
	for (uint32_t i = 0; i < 9; i++)
		metric_runs_note(&w, i % 3, i, 8 + 100 * i, true);
	metric_runs_close(write_and_open(&w));
	CHECK_OK(file_read(path, 1 << 20, &b, &e), &e);
	for (size_t i = 0; i < b.len; i++) {
		struct metric_runs *r = NULL;
		b.data[i] ^= 1;
		CHECK_OK(file_replace(path, b.data, b.len, &e), &e);
		CHECK_INT(metric_runs_open(path, &r, &e), -EBADMSG);
		b.data[i] ^= 1;
	}
	for (size_t n = 0; n < b.len; n++) {
		struct metric_runs *r = NULL;
		CHECK_OK(file_replace(path, b.data, n, &e), &e);
		CHECK_INT(metric_runs_open(path, &r, &e), -EBADMSG);
	}
}

TEST(too_many_runs_are_not_written)
{
	struct metric_runs_writer w = { 0 };
	struct err e;
	write_index();
	for (uint32_t i = 0; i < METRIC_RUNS_MAX + 2; i++)
		metric_runs_note(&w, 0, i % 9, i, true);
	CHECK_OK(metric_runs_write(&w, index_path, path, &e), &e);
	CHECK(!file_exists(path));
	CHECK(w.runs.len <= METRIC_RUNS_MAX);
	metric_runs_writer_fini(&w);
}

TEST_MAIN()
