/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selecting and reading series of a block: 20,000 series of 10 labels, and 4 h of samples of each. Medians of nine runs of one thread's
 * processor time, with everything in the page cache; the first select, which copies symbols, is told apart. A DIRECTORY on the command
 * line is asked for all its series instead.
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/tsdb/block_source.h"
#include "lib/tsdb/block_write.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <time.h>

#define T0      1700000000000
#define STEP_MS 15000
#define SERIES  20000
#define SAMPLES 960
#define OTHERS  5 /* metrics beside the one that is asked for */
#define RUNS    9

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(int r, const struct err *e)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_select: %s\n", e->msg);
	exit(1);
}

static void label_series(struct labels *l, unsigned metric, unsigned i)
{
	char text[64];
	static const char *const fixed[][2] = { { "cluster", "eu-west-1" }, { "env", "production" },
		{ "job", "kubernetes-pods" }, { "namespace", "default" } };
	for (size_t k = 0; k < ARRAY_LEN(fixed); k++)
		labels_set(l, fixed[k][0], fixed[k][1]);
	snprintf(text, sizeof text, "metric_%u_total", metric);
	labels_set(l, "__name__", text);
	snprintf(text, sizeof text, "10.%u.%u.%u:9100", i / 10 % 7, i / 256 % 256, i % 256);
	labels_set(l, "instance", text);
	snprintf(text, sizeof text, "app-%08x-%05u", i / 10 * 2654435761u, i / 10);
	labels_set(l, "pod", text);
	snprintf(text, sizeof text, "node-%03u", i % 100);
	labels_set(l, "node", text);
	snprintf(text, sizeof text, "%u", 200 + i % 5);
	labels_set(l, "code", text);
	snprintf(text, sizeof text, "/api/v%u", i % 10);
	labels_set(l, "path", text);
}

static int by_labels(const void *a, const void *b)
{
	return labels_cmp(*(const struct labels *const *)a, *(const struct labels *const *)b);
}

static void write_block(const char *dir, int64_t from, unsigned number)
{
	struct err e;
	size_t n = (size_t)SERIES * (OTHERS + 1);
	struct labels *sets = xcalloc(n, sizeof *sets);
	const struct labels **sorted = xcalloc(n, sizeof(*sorted));
	int64_t *t = xcalloc(SAMPLES, sizeof *t);
	uint64_t *v = xcalloc(SAMPLES, sizeof *v), seed = number;
	for (size_t i = 0; i < n; i++) {
		label_series(&sets[i], (unsigned)(i / SERIES), (unsigned)(i % SERIES));
		sorted[i] = &sets[i];
	}
	qsort(sorted, n, sizeof(*sorted), by_labels);
	uint8_t rest[10] = { (uint8_t)number };
	const struct block_writer_options o = {
		.is_relaxed = true, .parent = dir, .ulid = ulid_make(from, rest)
	};
	struct block_writer *w;
	struct block_meta *meta = xcalloc(1, sizeof *meta);
	must(block_writer_open(&o, &w, &e), &e);
	must(block_writer_label_sets(w, sorted, n, &e), &e);
	for (size_t i = 0; i < n; i++) {
		size_t samples = strcmp(labels_get(sorted[i], "__name__"), "metric_3_total") ? 1 : SAMPLES;
		double value = (double)(test_random(&seed) % 100000);
		for (size_t k = 0; k < samples; k++) {
			t[k] = from + (int64_t)k * STEP_MS;
			value += (double)(test_random(&seed) % 1000);
			memcpy(&v[k], &value, sizeof value);
		}
		must(block_writer_labels(w, sorted[i], &e), &e);
		must(block_writer_floats(w, t, v, samples, &e), &e);
	}
	must(block_writer_finish(w, meta, &e), &e);
	block_writer_close(w);
	block_meta_free(meta);
	for (size_t i = 0; i < n; i++)
		labels_fini(&sets[i]);
	free(sets);
	free(sorted);
	free(t);
	free(v);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct asked {
	const char *words;
	struct {
		enum matcher_kind kind;
		const char *name, *value;
	} m[3];
};

static const struct asked queries[] = {
	{ "metric_3_total", { { MATCH_EQUAL, "__name__", "metric_3_total" } } },
	{ "metric_3_total{code=\"200\"}",
		{ { MATCH_EQUAL, "__name__", "metric_3_total" }, { MATCH_EQUAL, "code", "200" } } },
	{ "metric_3_total{pod!=\"\"}",
		{ { MATCH_EQUAL, "__name__", "metric_3_total" }, { MATCH_NOT_EQUAL, "pod", "" } } },
	{ "metric_3_total{pod=~\"app-0.*\"}",
		{ { MATCH_EQUAL, "__name__", "metric_3_total" }, { MATCH_REGEX, "pod", "app-0.*" } } },
	{ "metric_3_total{pod=~\".*-0[0-4].*7\"}",
		{ { MATCH_EQUAL, "__name__", "metric_3_total" }, { MATCH_REGEX, "pod", ".*-0[0-4].*7" } } },
	{ "metric_3_total{instance=~\"...one\"}", { { MATCH_EQUAL, "__name__", "metric_3_total" },
							  { MATCH_EQUAL, "instance", "10.0.0.0:9100" } } },
	{ "{__name__=~\"metric_.*\", code=\"200\"}",
		{ { MATCH_REGEX, "__name__", "metric_.*" }, { MATCH_EQUAL, "code", "200" } } },
	{ "{pod=~\".*-0[0-4].*7\"}", { { MATCH_REGEX, "pod", ".*-0[0-4].*7" } } },
};

static struct series_set *select_once(
	struct series_source *s, const struct asked *q, int64_t mint, int64_t maxt)
{
	struct err e;
	struct matcher m[3];
	size_t n = 0;
	struct series_set *set;
	for (; n < 3 && q->m[n].name; n++)
		must(matcher_init(&m[n], q->m[n].kind, text_of(q->m[n].name), text_of(q->m[n].value), &e),
			&e);
	const struct selection what = { .matchers = m, .n_matchers = n, .mint = mint, .maxt = maxt };
	must(s->ops->select(s, &what, &set, &e), &e);
	while (n)
		matcher_fini(&m[--n]);
	return set;
}

static void measure_select(struct series_source *s, const struct asked *q)
{
	double runs[RUNS], first = 0;
	size_t n = 0;
	for (int i = -1; i < RUNS; i++) {
		double began = seconds();
		struct series_set *set = select_once(s, q, INT64_MIN, INT64_MAX);
		double took = seconds() - began;
		n = set->n;
		series_set_free(set);
		if (i < 0)
			first = took;
		else
			runs[i] = took;
	}
	qsort(runs, RUNS, sizeof *runs, by_value);
	printf("select %-40s %7zu series %8.2f ms, the first time %8.2f ms\n", q->words, n,
		runs[RUNS / 2] * 1e3, first * 1e3);
}

static void measure_read(
	struct series_source *s, const struct asked *q, int64_t mint, int64_t maxt, const char *what)
{
	struct err e;
	double runs[RUNS];
	struct samples got = { 0 };
	struct series_set *set = select_once(s, q, INT64_MIN, INT64_MAX);
	size_t n = 0;
	for (int i = 0; i < RUNS; i++) {
		double began = seconds();
		n = 0;
		for (size_t k = 0; k < set->n; k++) {
			samples_clear(&got);
			must(set->ops->read(set, k, mint, maxt, &got, &e), &e);
			n += got.n;
		}
		runs[i] = seconds() - began;
	}
	qsort(runs, RUNS, sizeof *runs, by_value);
	printf("read %-12s of %7zu series: %10zu samples %8.2f ms, %6.0f M/s\n", what, set->n, n,
		runs[RUNS / 2] * 1e3, (double)n / runs[RUNS / 2] / 1e6);
	double began = seconds();
	set->ops->will_read(set, 0, set->n);
	printf("announce %zu series: %.2f ms\n", set->n, (seconds() - began) * 1e3);
	samples_fini(&got);
	series_set_free(set);
}

static void measure(const char *dir, const char *what)
{
	struct err e;
	struct series_source *s;
	must(block_source_open(dir, &s, &e), &e);
	double began = seconds();
	static const struct asked nothing = { "", { { MATCH_EQUAL, "nothing", "there" } } };
	series_set_free(select_once(s, &nothing, INT64_MIN, INT64_MAX));
	printf("%s opened in %.2f ms\n", what, (seconds() - began) * 1e3);
	for (size_t i = 0; i < ARRAY_LEN(queries); i++)
		measure_select(s, &queries[i]);
	measure_read(s, &queries[0], INT64_MIN, INT64_MAX, "all");
	measure_read(
		s, &queries[0], T0 + SAMPLES / 2 * STEP_MS, T0 + SAMPLES / 2 * STEP_MS + 300000, "5 min");
	series_source_free(s);
}

int main(int argc, char **argv)
{
	struct err e;
	if (argc > 1) {
		static const struct asked all = { "all", { { MATCH_NOT_EQUAL, "__name__", "" } } };
		struct series_source *s;
		must(block_source_open(argv[1], &s, &e), &e);
		measure_select(s, &all);
		measure_read(s, &all, INT64_MIN, INT64_MAX, "all");
		series_source_free(s);
		return 0;
	}
	char dir[] = "/tmp/thanosfs-bench.XXXXXX";
	if (!mkdtemp(dir))
		return 1;
	write_block(dir, T0, 1);
	measure(dir, "one block");
	write_block(dir, T0 + (int64_t)SAMPLES * STEP_MS, 2);
	write_block(dir, T0 + 2ll * SAMPLES * STEP_MS, 3);
	measure(dir, "three blocks");
	must(file_remove_tree(dir, &e), &e);
	return 0;
}
