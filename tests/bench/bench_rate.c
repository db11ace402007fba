/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_rate TSDB METRIC QUERY [STEP_MS]
 *
 * How much of the time of a query over all samples of METRIC goes into decoding. The bare loop decodes the metric's chunks, one after
 * another, into the same two arrays: no index, no checksum, nothing is done with the samples. The query is run by the engine on one
 * thread, over all of the blocks' time, with a step of a minute if no other is given, and selects, verifies, decodes, evaluates and gives its answer to
 * nobody. They take turns; medians of processor time.
 */
#include "lib/base/fault_guard.h"
#include "lib/promql/promql.h"
#include "lib/tsdb/block_dir.h"
#include "lib/tsdb/block_source.h"
#include "lib/tsdb/xor.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS    11
#define STEP_MS 60000

struct metric {
	struct text name;
	struct block_read *block; /* that is being listed */
	VEC(struct chunk) chunks;
	int64_t mint, maxt;
};

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(int r, const char *words)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_rate: %s\n", words);
	exit(1);
}

static int list_chunks(void *arg, struct err *e)
{
	struct metric *m = arg;
	const struct index_read *index = m->block->index;
	struct index_entry entry = { 0 };
	struct postings series;
	int r = index_read_postings(index, (struct text)TEXT("__name__"), m->name, &series, e);
	for (size_t i = 0; i < series.n && r == 0; i++) {
		uint32_t ref = postings_at(series, i);
		r = index_read_labels(index, ref, &entry, e);
		if (r == 0)
			r = index_read_chunks(index, ref, &entry, e);
		for (size_t k = 0; k < entry.chunks.len && r == 0; k++) {
			const struct chunk_meta *c = &entry.chunks.data[k];
			struct chunk chunk;
			r = block_read_chunk(m->block, c->ref, &chunk, e);
			vec_push(&m->chunks, chunk);
			m->mint = MIN_OF(m->mint, c->mint);
			m->maxt = MAX_OF(m->maxt, c->maxt);
		}
	}
	index_entry_fini(&entry);
	return r;
}

static double decode_all(const struct metric *m, size_t *n)
{
	struct err e = { 0 };
	struct float_columns columns = { 0 };
	double began = seconds();
	*n = 0;
	vec_each (c, &m->chunks) {
		columns.len = 0;
		must(float_chunk_decode(c->encoding, c->data, c->size, &columns, &e), e.msg);
		*n += columns.len;
	}
	double took = seconds() - began;
	float_columns_fini(&columns);
	return took;
}

static int begin(void *arg, enum value_type type)
{
	(void)arg;
	(void)type;
	return 0;
}

static int count_series(void *arg, const struct promql_series *s)
{
	*(size_t *)arg += s->n;
	return 0;
}

static double run_query(
	struct series_source *source, const char *text, int64_t step, const struct metric *m, size_t *n)
{
	const struct promql_options o = { .threads = 1 };
	const struct promql_query q = { .text = text,
		.n = strlen(text),
		.is_range = true,
		.start = m->mint,
		.end = m->maxt,
		.step = step };
	const struct promql_sink sink = { .begin = begin, .series = count_series, .arg = n };
	struct promql_result result;
	double began = seconds();
	*n = 0;
	promql_run(source, &o, &q, &sink, &result);
	double took = seconds() - began;
	must(result.error == PROMQL_OK ? 0 : -1, buf_str(&result.message));
	promql_result_fini(&result);
	return took;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: bench_rate TSDB METRIC QUERY [STEP_MS]\n");
		return 2;
	}
	int64_t step = argc > 4 ? atoll(argv[4]) : STEP_MS;
	struct metric m = { .name = text_of(argv[2]), .mint = INT64_MAX, .maxt = INT64_MIN };
	struct held_blocks held = { 0 };
	struct block_dir *dir;
	struct series_source *source;
	must(block_dir_open(argv[1], &dir, &e), e.msg);
	must(block_dir_hold(dir, INT64_MIN, INT64_MAX, INT64_MAX, &held, &e), e.msg);
	vec_each (b, &held.list) {
		must(listed_block_open(*b, &m.block, &e), e.msg);
		must(fault_guard_run(list_chunks, &m, &e), e.msg);
	}
	must(m.chunks.len ? 0 : -1, "there are no such series");
	must(block_source_open(argv[1], &source, &e), e.msg);
	double bare[RUNS], query[RUNS];
	size_t samples = 0, points = 0;
	for (int run = -1; run < RUNS; run++) {
		double decoded = decode_all(&m, &samples),
		       asked = run_query(source, argv[3], step, &m, &points);
		if (run >= 0) {
			bare[run] = decoded;
			query[run] = asked;
		}
	}
	qsort(bare, RUNS, sizeof *bare, by_value);
	qsort(query, RUNS, sizeof *query, by_value);
	double n = (double)samples / 1e6;
	printf("%.1f M samples in %zu chunks: decoded at %.1f M/s, queried at %.1f M/s, %zu points\nratio "
	       "%.3f\n",
		n, m.chunks.len, n / bare[RUNS / 2], n / query[RUNS / 2], points,
		bare[RUNS / 2] / query[RUNS / 2]);
	series_source_free(source);
	held_blocks_fini(&held);
	block_dir_close(dir);
	vec_fini(&m.chunks);
	return 0;
}
