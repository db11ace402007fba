/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The extents cache. Without arguments: cached reads, a cold sequential read over a store that needs 15 ms a request, and
 * many open objects. With "blocks": what block size and gap cost on four patterns of access, at 15 ms and at 1 ms a
 * request and 100 MB/s a connection; the table of doc/extents.md.
 *
 *	bench_extents [blocks]
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/metrics.h"
#include "store/bucket_extents.h"
#include "tests/support/bucket_memory.h"
#include "tests/support/bucket_slow.h"
#include "tests/support/test.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KIB   1024ull
#define MIB   (1024 * KIB)
#define BYTES (64 * MIB)
#define RUNS  5

struct bench {
	char dir[64];
	struct extents_options options;
	struct extents *x;
	struct bucket *slow, *b;
	struct blob *blob;
};

static void die(const struct err *e)
{
	fprintf(stderr, "bench_extents: %s\n", e->msg);
	exit(1);
}

static void start(struct bench *s, const struct extents_options *o)
{
	struct err e;
	auto_free uint8_t *p = xmalloc(BYTES);
	uint64_t seed = 1;
	for (size_t i = 0; i < BYTES; i += 8) {
		uint64_t word = test_random(&seed);
		memcpy(p + i, &word, 8);
	}
	snprintf(s->dir, sizeof s->dir, "/tmp/thanosfs-bench-extents-%d", getpid());
	s->options = *o;
	s->options.dir = s->dir;
	s->slow = bucket_slow_new(bucket_memory_new(true));
	auto_of(blob) struct blob *content = blob_of_memory("content", p, BYTES);
	if (bucket_put(s->slow, "object", content, &e) < 0 || extents_open(&s->options, &s->x, &e) < 0)
		die(&e);
	s->b = bucket_extents_new(s->slow, s->x);
	if (bucket_open(s->b, "object", &s->blob, &e) < 0)
		die(&e);
}

static void stop(struct bench *s)
{
	blob_close(s->blob);
	bucket_free(s->b);
	extents_close(s->x);
	file_remove_tree(s->dir, NULL);
}

static void read_at(struct bench *s, void *out, size_t n, uint64_t at)
{
	struct err e;
	if (blob_read(s->blob, out, n, at, &e) < 0)
		die(&e);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return v[n / 2];
}

static void cached_reads(struct bench *s, size_t n, unsigned reads)
{
	static uint8_t out[128 * 1024];
	double ns[RUNS];
	for (int run = 0; run < RUNS; run++) {
		uint64_t seed = 7;
		int64_t began = clock_monotonic_us();
		for (unsigned i = 0; i < reads; i++)
			read_at(s, out, n, test_random(&seed) % (BYTES / n) * n);
		ns[run] = (double)(clock_monotonic_us() - began) * 1000 / reads;
	}
	printf("cached read of %3zu KiB at random  %8.0f ns\n", n / 1024, median(ns, RUNS));
}

static void plain_reads(struct bench *s, size_t n, unsigned reads)
{
	static uint8_t out[128 * 1024];
	double ns[RUNS];
	int fd = blob_fd(s->blob);
	for (int run = 0; run < RUNS && fd >= 0; run++) {
		uint64_t seed = 7;
		int64_t began = clock_monotonic_us();
		for (unsigned i = 0; i < reads; i++)
			file_pread_all(fd, out, n, test_random(&seed) % (BYTES / n) * n);
		ns[run] = (double)(clock_monotonic_us() - began) * 1000 / reads;
	}
	printf("pread of the same, for comparison %8.0f ns\n", median(ns, RUNS));
}

static void sequential(struct bench *s)
{
	static uint8_t out[1024 * 1024];
	double rate[RUNS];
	for (int run = 0; run < RUNS; run++) {
		int64_t began = clock_monotonic_us();
		for (int round = 0; round < 8; round++)
			for (uint64_t at = 0; at < BYTES; at += sizeof out)
				read_at(s, out, sizeof out, at);
		rate[run] = 8.0 * BYTES / 1e3 / (double)(clock_monotonic_us() - began);
	}
	printf("cached, sequential, 1 MiB a read   %8.2f GB/s\n", median(rate, RUNS));
}

struct spread {
	struct bench *s;
	uint64_t seed;
	int fd; /* -1: through the cache */
};

static void *read_many(void *arg)
{
	struct spread *w = arg;
	auto_free uint8_t *out = xmalloc(4096);
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t at = test_random(&w->seed) % (BYTES / 4096) * 4096;
		if (w->fd < 0)
			read_at(w->s, out, 4096, at);
		else
			file_pread_all(w->fd, out, 4096, at);
	}
	return NULL;
}

static void threads(struct bench *s, const char *what, int fd)
{
	pthread_t t[16];
	struct spread w[16];
	int64_t began = clock_monotonic_us();
	for (unsigned i = 0; i < 16; i++) {
		w[i] = (struct spread){ s, i, fd };
		if (pthread_create(&t[i], NULL, read_many, &w[i]) != 0)
			exit(1);
	}
	for (unsigned i = 0; i < 16; i++)
		pthread_join(t[i], NULL);
	printf("%s of 4 KiB, 16 threads  %8.2f M/s\n", what,
		16 * 200000 / (double)(clock_monotonic_us() - began));
}

/* How many reads waited for the store so far. */
static uint64_t waits(void)
{
	static const char name[] = "\nthanosfs_extents_waits_total ";
	auto_buf struct buf text = { 0 };
	metrics_render(&text);
	const char *line = strstr(buf_str(&text), name);
	return line ? strtoull(line + sizeof name - 1, NULL, 10) : 0;
}

static void cold(uint64_t latency_us, uint64_t bytes_per_s)
{
	static uint8_t out[128 * 1024];
	struct extents_options o = EXTENTS_DEFAULTS;
	struct bench s;
	start(&s, &o);
	bucket_slow_set(s.slow, (int64_t)latency_us, bytes_per_s);
	uint64_t waited = waits();
	int64_t began = clock_monotonic_us();
	for (uint64_t at = 0; at < BYTES; at += sizeof out)
		read_at(&s, out, sizeof out, at);
	double us = (double)(clock_monotonic_us() - began);
	struct slow_counts c = bucket_slow_counts(s.slow);
	printf("cold, sequential, 64 MiB, %2.0f ms%s  %6.0f ms: %.1f round trips' time, %llu of 512 reads "
	       "waited, %u requests, %u at once\n",
		(double)latency_us / 1e3, bytes_per_s ? ", 100 MB/s" : "          ", us / 1e3,
		us / (double)latency_us, (unsigned long long)(waits() - waited), c.reads, c.most_at_once);
	stop(&s);
}

static void many_objects(void)
{
	enum { OBJECTS = 10000 };
	static struct blob *blobs[OBJECTS];
	struct extents_options o = EXTENTS_DEFAULTS;
	struct bench s;
	struct extents_stats st;
	uint8_t byte;
	o.min_object_bytes = 1;
	start(&s, &o);
	for (int i = 0; i < OBJECTS; i++) {
		char name[32];
		snprintf(name, sizeof name, "many/%d", i);
		auto_of(blob) struct blob *content = blob_of_memory(name, name, 16);
		if (bucket_put(s.slow, name, content, NULL) < 0)
			exit(1);
	}
	size_t before = mallinfo2().uordblks;
	int64_t began = clock_monotonic_us();
	for (int i = 0; i < OBJECTS; i++) {
		char name[32];
		struct err e;
		snprintf(name, sizeof name, "many/%d", i);
		if (bucket_open(s.b, name, &blobs[i], &e) < 0 || blob_read(blobs[i], &byte, 1, 0, &e) < 0)
			die(&e);
	}
	double us = (double)(clock_monotonic_us() - began);
	extents_stats(s.x, &st);
	printf("10,000 objects open, one block each: %.0f bytes and %.1f us an object, %llu descriptors\n",
		(double)(mallinfo2().uordblks - before) / OBJECTS, us / OBJECTS, (unsigned long long)st.fds);
	for (int i = 0; i < OBJECTS; i++)
		blob_close(blobs[i]);
	blob_close(s.blob);
	bucket_free(s.b);
	began = clock_monotonic_us();
	extents_close(s.x);
	double closing = (double)(clock_monotonic_us() - began);
	struct err e;
	began = clock_monotonic_us();
	if (extents_open(&s.options, &s.x, &e) < 0)
		die(&e);
	printf("10,000 cached objects: %.0f ms to save them, %.0f ms to take them over\n", closing / 1e3,
		(double)(clock_monotonic_us() - began) / 1e3);
	extents_close(s.x);
	file_remove_tree(s.dir, NULL);
}

/*
 * Patterns, as a query's reads of a segment: chunks of 600 bytes to 1 KiB.
 *   one series   the chunks of one series, 512 KiB apart, read one after another
 *   near         a metric's series in a run of 2 MiB: every fourth KiB is read, announced 256 KiB ahead
 *   sparse       the same in a run of 30 MiB: 200 chunks 100 to 200 KiB apart, announced 64 at a time
 *   scattered    600 chunks all over the object, announced 64 at a time
 */
enum pattern { ONE_SERIES, NEAR, SPARSE, SCATTERED, PATTERNS };

static const char *const pattern_names[] = { "one series", "near", "sparse", "scattered" };

/* Announced in batches, and read. */
static void read_list(struct bench *s, const uint64_t *at, unsigned n)
{
	uint8_t out[1000];
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = i; i % 64 == 0 && k < MIN_OF(i + 64, n); k++)
			blob_will_read(s->blob, at[k], sizeof out);
		read_at(s, out, sizeof out, at[i]);
	}
}

static void play(struct bench *s, enum pattern p)
{
	uint8_t out[1024];
	uint64_t seed = 3, at[600], next = MIB;
	switch (p) {
	case ONE_SERIES:
		for (uint64_t i = 0; i < 40; i++)
			read_at(s, out, 600, i * 512 * KIB + test_random(&seed) % (400 * KIB));
		break;
	case NEAR:
		for (uint64_t i = 0; i < 2 * MIB; i += 4096) {
			if (i % (256 * KIB) == 0)
				blob_will_read(s->blob, 20 * MIB + i, 512 * KIB);
			read_at(s, out, sizeof out, 20 * MIB + i + 100);
		}
		break;
	case SPARSE:
		for (unsigned i = 0; i < 200; i++, next += 100 * KIB + test_random(&seed) % (100 * KIB))
			at[i] = next;
		read_list(s, at, 200);
		break;
	default:
		for (unsigned i = 0; i < 600; i++)
			at[i] = test_random(&seed) % (BYTES - 2048);
		read_list(s, at, 600);
	}
}

/* The best of three, since other work on the machine only ever adds. */
static double measure(
	const struct extents_options *o, enum pattern p, int64_t latency_us, struct slow_counts *c)
{
	double best = 0;
	for (int run = 0; run < 3; run++) {
		struct bench s;
		start(&s, o);
		bucket_slow_set(s.slow, latency_us, 100000000);
		int64_t began = clock_monotonic_us();
		play(&s, p);
		double ms = (double)(clock_monotonic_us() - began) / 1e3;
		best = run == 0 || ms < best ? ms : best;
		*c = bucket_slow_counts(s.slow);
		stop(&s);
	}
	return best;
}

static void blocks(void)
{
	static const uint32_t sizes[] = { 16, 64, 256 }, gaps[] = { 0, 128, 512 };
	printf("| pattern | block | gap | 15 ms | 1 ms | requests | fetched |\n");
	printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
	for (int p = 0; p < PATTERNS; p++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			for (size_t g = 0; g < ARRAY_LEN(gaps); g++) {
				struct extents_options o = EXTENTS_DEFAULTS;
				struct slow_counts c;
				o.block_bytes = sizes[i] * 1024;
				o.gap_bytes = gaps[g] * 1024;
				double far = measure(&o, (enum pattern)p, 15000, &c);
				double near = measure(&o, (enum pattern)p, 1000, &c);
				printf("| %s | %u KiB | %u KiB | %.0f ms | %.0f ms | %u | %.1f MiB |\n",
					pattern_names[p], sizes[i], gaps[g], far, near, c.reads,
					(double)c.bytes / MIB);
				fflush(stdout);
			}
}

int main(int argc, char **argv)
{
	struct extents_options o = EXTENTS_DEFAULTS;
	struct bench s;
	if (argc > 1 && !strcmp(argv[1], "blocks")) {
		blocks();
		return 0;
	}
	start(&s, &o);
	auto_free uint8_t *all = xmalloc(BYTES);
	read_at(&s, all, BYTES, 0);
	cached_reads(&s, 4096, 400000);
	plain_reads(&s, 4096, 400000);
	cached_reads(&s, 128 * 1024, 20000);
	plain_reads(&s, 128 * 1024, 20000);
	sequential(&s);
	threads(&s, "cached reads", -1);
	threads(&s, "plain preads", blob_fd(s.blob));
	stop(&s);
	cold(15000, 0);
	cold(15000, 100000000);
	cold(1000, 100000000);
	many_objects();
	return 0;
}
