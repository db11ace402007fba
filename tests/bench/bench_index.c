/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one series costs to write into an index and to stream out of it: a million series as a Kubernetes
 * cluster has them (one metric after the other over all its pods), about ten labels and four chunks each.
 *
 *	bench_index [series] [directory]
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/vec.h"
#include "lib/tsdb/index_stream.h"
#include "lib/tsdb/index_write.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CHUNKS     4
#define PODS       20000
#define LABELS     10
#define CODES      3
#define NAMESPACES 60

static const char *const names[LABELS] = { "__name__", "cluster", "code", "container", "endpoint", "instance",
	"job", "namespace", "node", "pod" };

struct symbols {
	VEC(char *) text;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint32_t number(const struct symbols *s, const char *text)
{
	char **at = bsearch(&text, s->text.data, s->text.len, sizeof text, compare);
	return (uint32_t)(at - s->text.data);
}

static char *value_text(int label, int k)
{
	static const char *const codes[CODES] = { "200", "404", "500" };
	int pod = k, ns = k % NAMESPACES, app = k % 450;
	switch (label) {
	case 0: return xasprintf("app_component_%04d_operations_total", k);
	case 1: return xstrdup("eu-west-1-production");
	case 2: return xstrdup(codes[k]);
	case 3: return xasprintf("service-%03d", app);
	case 4: return xstrdup(k % 3 ? "http-metrics" : "metrics");
	case 5: return xasprintf("10.%d.%d.%d:8080", 1 + pod % 7, pod / 250, pod % 250);
	case 6: return xasprintf("service-%03d", app);
	case 7: return xasprintf("team-%02d", ns);
	case 8: return xasprintf("ip-10-0-%d-%d.eu-west-1.compute.internal", pod % 120 / 30, pod % 120);
	default:
		return xasprintf("service-%03d-%08x-%05x", app, (unsigned)app * 2654435761u,
			(unsigned)pod * 40503u & 0xfffff);
	}
}

static double cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

__attribute__((noreturn)) static void fail(const struct err *e)
{
	fprintf(stderr, "bench_index: %s\n", e->msg);
	exit(1);
}

struct corpus {
	struct symbols symbols;
	uint32_t name[LABELS];
	uint32_t *value[LABELS]; /* numbers by k */
	int metrics;
};

static int values_of(const struct corpus *c, int label)
{
	return label == 0 ? c->metrics : label == 2 ? CODES : PODS;
}

static void make_corpus(struct corpus *c, long series)
{
	c->metrics = (int)(series / (PODS * CODES)) + 1;
	for (int l = 0; l < LABELS; l++) {
		vec_push(&c->symbols.text, xstrdup(names[l]));
		for (int k = 0; k < values_of(c, l); k++)
			vec_push(&c->symbols.text, value_text(l, k));
	}
	vec_sort(&c->symbols.text, compare);
	size_t n = 0;
	for (size_t i = 0; i < c->symbols.text.len; i++) {
		if (n && strcmp(c->symbols.text.data[n - 1], c->symbols.text.data[i]) == 0)
			free(c->symbols.text.data[i]);
		else
			c->symbols.text.data[n++] = c->symbols.text.data[i];
	}
	c->symbols.text.len = n;
	for (int l = 0; l < LABELS; l++) {
		c->name[l] = number(&c->symbols, names[l]);
		c->value[l] = xcalloc((size_t)values_of(c, l), sizeof(uint32_t));
		for (int k = 0; k < values_of(c, l); k++) {
			auto_free char *text = value_text(l, k);
			c->value[l][k] = number(&c->symbols, text);
		}
	}
}

static const struct corpus *sorting;

static int by_labels(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	for (int l = 3; l < LABELS; l++)
		if (sorting->value[l][x] != sorting->value[l][y])
			return sorting->value[l][x] < sorting->value[l][y] ? -1 : 1;
	return 0;
}

static void write_index(const struct corpus *c, const char *path, long series, uint64_t *bytes)
{
	struct err e;
	struct index_writer *w = NULL;
	if (index_writer_open(path, &w, &e) < 0)
		fail(&e);
	for (size_t i = 0; i < c->symbols.text.len; i++)
		if (index_writer_symbol(w, c->symbols.text.data[i], strlen(c->symbols.text.data[i]), &e) < 0)
			fail(&e);
	static int order[PODS];
	for (int i = 0; i < PODS; i++)
		order[i] = i;
	sorting = c;
	qsort(order, PODS, sizeof *order, by_labels);

	uint64_t ref = 8;
	uint32_t pairs[2 * LABELS];
	struct chunk_meta chunks[CHUNKS];
	for (long s = 0; s < series; s++) {
		int at[LABELS], pod = order[s % PODS], code = (int)(s / PODS % CODES),
				metric = (int)(s / PODS / CODES);
		for (int l = 0; l < LABELS; l++) {
			at[l] = l == 0 ? metric : l == 2 ? code : pod;
			pairs[2 * l] = c->name[l];
			pairs[2 * l + 1] = c->value[l][at[l]];
		}
		int64_t t = 1700000000000 + pod % 15000;
		for (int k = 0; k < CHUNKS; k++, t += 1800000, ref += 150 + (uint64_t)(s + k) % 200)
			chunks[k] =
				(struct chunk_meta){ .mint = t, .maxt = t + 1785000 + (s & 7), .ref = ref };
		if (index_writer_series(w, pairs, LABELS, chunks, CHUNKS, NULL, &e) < 0)
			fail(&e);
	}
	if (index_writer_finish(w, bytes, &e) < 0)
		fail(&e);
	index_writer_close(w);
}

static uint64_t stream_index(const char *path)
{
	struct err e;
	struct blob *b = NULL;
	struct index_stream *s = NULL;
	if (blob_open_file(path, &b, &e) < 0 || index_stream_open(b, &s, &e) < 0)
		fail(&e);
	const char *text;
	size_t len;
	int r;
	while ((r = index_stream_symbol(s, &text, &len, &e)) > 0)
		;
	struct index_series one = { 0 };
	uint64_t sum = 0;
	while (r == 0 && (r = index_stream_series(s, &one, &e)) > 0) {
		sum += one.pairs[2 * one.n_labels - 1] + one.chunks[one.n_chunks - 1].ref;
		r = 0;
	}
	if (r < 0)
		fail(&e);
	index_stream_close(s);
	blob_close(b);
	return sum;
}

int main(int argc, char **argv)
{
	long series = argc > 1 ? atol(argv[1]) : 1000000;
	auto_free char *path = xasprintf("%s/bench-index.%d", argc > 2 ? argv[2] : "/tmp", getpid());
	struct corpus c = { 0 };
	make_corpus(&c, series);
	for (int round = 0; round < 3; round++) {
		uint64_t bytes = 0;
		double cpu = cpu_ns();
		int64_t wall = clock_monotonic_us();
		write_index(&c, path, series, &bytes);
		double write_wall = (double)(clock_monotonic_us() - wall) * 1e3, write_cpu = cpu_ns() - cpu;
		cpu = cpu_ns();
		uint64_t sum = stream_index(path);
		double read_cpu = cpu_ns() - cpu;
		struct rusage ru;
		getrusage(RUSAGE_SELF, &ru);
		printf("%ld series, %zu symbols, %.1f MB: write %.0f ns/series (wall with fsync %.0f), "
		       "stream %.0f "
		       "ns/series, peak RSS %.0f MiB (%llu)\n",
			series, c.symbols.text.len, (double)bytes / 1e6, write_cpu / (double)series,
			write_wall / (double)series, read_cpu / (double)series, (double)ru.ru_maxrss / 1024,
			(unsigned long long)sum & 0xff);
	}
	unlink(path);
	return 0;
}
