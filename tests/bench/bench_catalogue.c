/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start costs, first and when the blocks are known already: opening the catalogue and one sync with the bucket, each run
 * in a process of its own. Prints the first and the median time and memory of the others.
 *
 *	bench_catalogue [BLOCKS [RUNS]]		a filesystem bucket of its own
 *	bench_catalogue make DIR BLOCKS		only makes the bucket
 *	bench_catalogue sync CONFIG [RUNS]	the bucket of a configuration file
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "store/catalogue.h"
#include "store/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_RUNS 101

__attribute__((noreturn)) static void fail(const struct err *e)
{
	fprintf(stderr, "%s\n", e->msg);
	exit(1);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* A block as a sidecar or a compactor uploads it: labels, files, and for every tenth a week of sources. */
static void make_block(const char *bucket, unsigned i)
{
	uint8_t rest[10] = { 0 };
	struct err e;
	struct ulid u = ulid_make(1600000000000 + (int64_t)i * 7200000, rest);
	char id[ULID_CHARS + 1], source[ULID_CHARS + 1];
	ulid_format(&u, id);
	auto_free char *dir = xasprintf("%s/%s", bucket, id), *chunks = xasprintf("%s/chunks", dir);
	if (file_mkdirs(chunks, 0755, &e) < 0)
		fail(&e);
	auto_buf struct buf json = { 0 };
	buf_printf(&json,
		"{\n\t\"ulid\": \"%s\",\n\t\"minTime\": %lld,\n\t\"maxTime\": %lld,\n\t\"stats\": "
		"{\n\t\t\"numSamples\": "
		"12345678,\n\t\t\"numSeries\": 98765,\n\t\t\"numChunks\": 123456\n\t},\n\t\"compaction\": "
		"{\n\t\t\"level\": 1,\n\t\t\"sources\": [\n",
		id, (long long)i * 7200000, (long long)(i + 1) * 7200000);
	unsigned sources = i % 10 ? 1 : 84;
	for (unsigned k = 0; k < sources; k++) {
		struct ulid s = k ? ulid_make(k, u.bytes) : u;
		ulid_format(&s, source);
		buf_printf(&json, "\t\t\t\"%s\"%s\n", source, k + 1 < sources ? "," : "");
	}
	buf_printf(&json,
		"\t\t]\n\t},\n\t\"version\": 1,\n\t\"thanos\": {\n\t\t\"labels\": {\n\t\t\t\"cluster\": "
		"\"eu-west-%u\",\n"
		"\t\t\t\"prometheus\": \"monitoring/k8s\",\n\t\t\t\"replica\": \"prometheus-k8s-%u\",\n"
		"\t\t\t\"tenant_id\": \"default\"\n\t\t},\n\t\t\"downsample\": {\n\t\t\t\"resolution\": "
		"0\n\t\t},\n"
		"\t\t\"source\": \"sidecar\",\n\t\t\"segment_files\": "
		"[\n\t\t\t\"000001\"\n\t\t],\n\t\t\"files\": [\n"
		"\t\t\t{\n\t\t\t\t\"rel_path\": \"chunks/000001\",\n\t\t\t\t\"size_bytes\": 6\n\t\t\t},\n"
		"\t\t\t{\n\t\t\t\t\"rel_path\": \"index\",\n\t\t\t\t\"size_bytes\": 5\n\t\t\t},\n"
		"\t\t\t{\n\t\t\t\t\"rel_path\": \"meta.json\"\n\t\t\t}\n\t\t],\n\t\t\"index_stats\": "
		"{}\n\t}\n}\n",
		i % 4, i % 2);
	write_file(dir, "chunks/000001", "chunks");
	write_file(dir, "index", "index");
	write_file(dir, "meta.json", buf_str(&json));
}

struct result {
	int64_t open_us, sync_us;
	int64_t cpu_us;
	long rss_kib;
	size_t blocks;
};

static int64_t us_of(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static struct result run(const char *config, const char *dir)
{
	struct catalogue_options o = { .min_time_ms = INT64_MIN, .max_time_ms = INT64_MAX };
	struct catalogue_listing listing = { 0 };
	struct result result = { 0 };
	auto_of(objstore_config) struct objstore_config *bucket_config = NULL;
	struct objstore_layers layers = { .retry = RETRY_DEFAULTS };
	struct bucket *b;
	struct catalogue *c;
	struct err e;
	if (objstore_config_load(config, &bucket_config, &e) < 0)
		fail(&e);
	int64_t start = clock_monotonic_us();
	if (objstore_bucket_new(bucket_config, &layers, &b, &e) < 0 || catalogue_open(dir, b, &o, &c, &e) < 0)
		fail(&e);
	int64_t opened = clock_monotonic_us();
	if (catalogue_sync(c, clock_unix_ms(), &listing, &e) < 0)
		fail(&e);
	result.open_us = opened - start;
	result.sync_us = clock_monotonic_us() - opened;
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	result.rss_kib = usage.ru_maxrss;
	result.cpu_us = us_of(usage.ru_utime) + us_of(usage.ru_stime);
	result.blocks = listing.blocks.len;
	catalogue_listing_fini(&listing);
	catalogue_close(c);
	bucket_free(b);
	return result;
}

static struct result run_in_child(const char *config, const char *dir)
{
	struct result result = { 0 };
	int ends[2];
	if (pipe(ends) < 0)
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		result = run(config, dir);
		_exit(write(ends[1], &result, sizeof result) != sizeof result);
	}
	close(ends[1]);
	if (read(ends[0], &result, sizeof result) != sizeof result)
		exit(1);
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return result;
}

static int compare_times(const void *a, const void *b)
{
	const struct result *x = a, *y = b;
	int64_t tx = x->open_us + x->sync_us, ty = y->open_us + y->sync_us;
	return (tx > ty) - (tx < ty);
}

static void print(const char *what, const struct result *r)
{
	printf("%-8s %zu blocks: open %.1f ms, sync %.1f ms, together %.1f ms (%.1f ms of processor), %.1f "
	       "MiB\n",
		what, r->blocks, (double)r->open_us / 1e3, (double)r->sync_us / 1e3,
		(double)(r->open_us + r->sync_us) / 1e3, (double)r->cpu_us / 1e3, (double)r->rss_kib / 1024);
}

static void measure(const char *config, const char *dir, unsigned runs)
{
	struct result results[MOST_RUNS];
	struct result first = run_in_child(config, dir);
	print("first", &first);
	for (unsigned i = 0; i < runs; i++)
		results[i] = run_in_child(config, dir);
	qsort(results, runs, sizeof results[0], compare_times);
	print("known", &results[runs / 2]);
}

static unsigned number(int argc, char **argv, int i, unsigned otherwise)
{
	return argc > i ? (unsigned)atoi(argv[i]) : otherwise;
}

int main(int argc, char **argv)
{
	char root[] = "/tmp/thanosfs-bench-XXXXXX";
	bool only_makes = argc > 3 && !strcmp(argv[1], "make"),
	     only_syncs = argc > 2 && !strcmp(argv[1], "sync");
	unsigned blocks = number(argc, argv, only_makes ? 3 : 1, 10000),
		 runs = number(argc, argv, only_syncs ? 3 : 2, 11);
	if (only_makes) {
		for (unsigned i = 0; i < blocks; i++)
			make_block(argv[2], i);
		return 0;
	}
	if (!mkdtemp(root) || runs == 0 || runs > MOST_RUNS)
		return 1;
	auto_free char *bucket = xasprintf("%s/bucket", root), *dir = xasprintf("%s/catalogue", root);
	auto_free char *config = xasprintf("%s/bucket.yaml", root);
	auto_free char *yaml = xasprintf("type: FILESYSTEM\nconfig:\n  directory: %s\n", bucket);
	if (!only_syncs) {
		write_file(root, "bucket.yaml", yaml);
		for (unsigned i = 0; i < blocks; i++)
			make_block(bucket, i);
	}
	measure(only_syncs ? argv[2] : config, dir, runs);
	file_remove_tree(root, NULL);
	return 0;
}
