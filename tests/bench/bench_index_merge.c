/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index merge of two replicas of one cluster: a million series each, ten labels as a Kubernetes cluster
 * has them, four chunks a series, one series in 200 in one replica only. The merge runs in a process of its
 * own, whose peak RSS is printed.
 *
 *	bench_index_merge [series] [runs] [in-series]
 *
 * With a third argument every series has the replica label itself, which takes the way through the sort.
 */
#include "dedup/index_merge.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/tsdb/index_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PODS          2000
#define CONTAINERS    5
#define REPLICAS      2
#define CHUNKS        4
#define SEGMENT_BYTES (512u << 20)

static char dir[64];
static int64_t fsync_us;

/* Instead of libc's: how fast the disk is, is not what is measured here, but it is in the sum. */
int fsync(int fd)
{
	int64_t start = clock_monotonic_us();
	int r = (int)syscall(SYS_fsync, fd);
	fsync_us += clock_monotonic_us() - start;
	return r;
}

static void must(int r, const struct err *e)
{
	if (r < 0) {
		fprintf(stderr, "bench_index_merge: %s\n", e->msg);
		exit(1);
	}
}

/* Symbols in their sorted order are numbered as they are written; the letters keep the groups apart. */
struct symbols {
	uint32_t n;
	uint32_t name[11]; /* of labels, sorted */
	uint32_t cluster, job, metric, container, image, instance, namespace, node, pod, service, replica;
};

static uint32_t symbol(struct index_writer *w, struct symbols *s, const char *fmt, unsigned k)
{
	char text[160];
	struct err e;
	int n = snprintf(text, sizeof text, fmt, k);
	must(index_writer_symbol(w, text, (size_t)n, &e), &e);
	return s->n++;
}

static uint32_t symbols(struct index_writer *w, struct symbols *s, const char *fmt, unsigned n)
{
	uint32_t first = s->n;
	for (unsigned k = 0; k < n; k++)
		symbol(w, s, fmt, k);
	return first;
}

static void write_symbols(
	struct index_writer *w, struct symbols *s, unsigned metrics, unsigned replica, bool in_series)
{
	*s = (struct symbols){ 0 };
	s->image = symbols(w, s, "0registry.example.net/team-platform/application:v1.%u", 10);
	s->instance = symbols(w, s, "10.0.1%05u:8080", PODS);
	s->name[0] = symbol(w, s, "__name__", 0);
	if (in_series)
		s->replica = symbol(w, s, "a-%u", replica);
	s->container = symbols(w, s, "app-%u", CONTAINERS);
	s->name[1] = symbol(w, s, "container", 0);
	s->name[2] = symbol(w, s, "endpoint", 0);
	s->name[3] = symbol(w, s, "image", 0);
	s->name[4] = symbol(w, s, "instance", 0);
	s->name[5] = symbol(w, s, "job", 0);
	s->job = symbols(w, s, "job-%02u", 20);
	s->metric = symbols(w, s, "metric_of_the_application_%06u_total", metrics);
	s->name[6] = symbol(w, s, "namespace", 0);
	s->namespace = symbols(w, s, "namespace-%02u", 40);
	s->name[7] = symbol(w, s, "node", 0);
	s->node = symbols(w, s, "node-%03u.eu-central-1.compute.internal", 100);
	s->name[8] = symbol(w, s, "pod", 0);
	s->pod = symbols(w, s, "pod-%05u-7d4b9c6f5-x2x9k", PODS);
	if (in_series)
		s->name[9] = symbol(w, s, "replica", 0);
	s->name[10] = symbol(w, s, "service", 0);
	s->service = symbols(w, s, "service-%02u", 40);
}

/* A metric of every container of every pod, for as many metrics as it takes. */
static void write_replica(const char *path, unsigned replica, unsigned series, bool in_series)
{
	struct err e;
	struct index_writer *w;
	struct symbols s;
	unsigned per_metric = PODS * CONTAINERS, metrics = (series + per_metric - 1) / per_metric;
	must(index_writer_open(path, &w, &e), &e);
	write_symbols(w, &s, metrics, replica, in_series);
	uint64_t offset = SEGMENT_HEADER_BYTES;
	uint32_t segment = 0;
	unsigned written = 0;
	for (unsigned m = 0; m < metrics && written < series; m++) {
		for (unsigned container = 0; container < CONTAINERS; container++) {
			for (unsigned pod = 0; pod < PODS; pod++) {
				if ((m * 7 + container * 3 + pod + replica) % 200 == 0)
					continue;
				uint32_t pairs[22] = {
					s.name[0],
					s.metric + m,
					s.name[1],
					s.container + container,
					s.name[2],
					s.job + 1,
					s.name[3],
					s.image + pod / (PODS / 10),
					s.name[4],
					s.instance + pod,
					s.name[5],
					s.job + pod % 20,
					s.name[6],
					s.namespace + pod % 40,
					s.name[7],
					s.node + pod % 100,
					s.name[8],
					s.pod + pod,
					s.name[10],
					s.service + pod % 40,
				};
				uint32_t n_labels = 10;
				if (in_series) {
					pairs[18] = s.name[9];
					pairs[19] = s.replica;
					pairs[20] = s.name[10];
					pairs[21] = s.service + pod % 40;
					n_labels = 11;
				}
				struct chunk_meta chunks[CHUNKS];
				for (unsigned c = 0; c < CHUNKS; c++) {
					int64_t t = 1600000000000 + c * 1800000 + pod + replica * 7000;
					chunks[c] = (struct chunk_meta){ .mint = t,
						.maxt = t + 1785000,
						.ref = (uint64_t)segment << 32 | offset };
					offset += 300 + (pod * 31 + m * 7 + c) % 600;
					if (offset > SEGMENT_BYTES - 2000) {
						segment++;
						offset = SEGMENT_HEADER_BYTES;
					}
				}
				must(index_writer_series(w, pairs, n_labels, chunks, CHUNKS, NULL, &e), &e);
				if (++written == series)
					goto out;
			}
		}
	}
out:;
	uint64_t bytes;
	must(index_writer_finish(w, &bytes, &e), &e);
	index_writer_close(w);
}

static void open_replica(struct index_merge_input *in, unsigned replica, bool in_series)
{
	struct err e;
	char path[128];
	struct block_meta *meta = xcalloc(1, sizeof *meta);
	struct catalogue_block *b = xcalloc(1, sizeof *b);
	meta->ulid.bytes[15] = (uint8_t)replica;
	labels_set(&meta->thanos.labels, "cluster", "eu-central-1");
	if (!in_series)
		labels_set(&meta->thanos.labels, "replica", replica ? "b" : "a");
	b->meta = meta;
	ulid_format(&meta->ulid, b->ulid);
	b->n_segments = 16;
	b->segment_bytes = xcalloc(b->n_segments, sizeof *b->segment_bytes);
	for (unsigned i = 0; i < b->n_segments; i++)
		b->segment_bytes[i] = SEGMENT_BYTES;
	snprintf(path, sizeof path, "%s/source%u", dir, replica);
	*in = (struct index_merge_input){
		.source = { .block = b, .replica = in_series ? 0 : replica, .passthrough = true }
	};
	must(blob_open_file(path, &in->index, &e), &e);
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void merge_once(bool in_series)
{
	static const char *const replica_labels[] = { "replica" };
	struct dedup_settings settings = { .replica_labels = replica_labels, .n_replica_labels = 1 };
	struct index_merge_input in[REPLICAS];
	struct index_merge_result result;
	struct err e;
	int bad;
	for (unsigned i = 0; i < REPLICAS; i++)
		open_replica(&in[i], i, in_series);
	int64_t start = clock_monotonic_us();
	must(index_merge(dir, in, REPLICAS, &settings, NULL, &result, &bad, &e), &e);
	double seconds = (double)(clock_monotonic_us() - start) / 1e6;
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("%.2f M input series/s (%.0f ns each, %.2f s with %.2f s of fsync, %.2f s user, %.2f s "
	       "system), "
	       "%llu series, %llu merged, %llu slots, %.1f MB index, peak rss %.1f MiB\n",
		(double)result.input_series / seconds / 1e6, seconds * 1e9 / (double)result.input_series,
		seconds, (double)fsync_us / 1e6, seconds_of(usage.ru_utime), seconds_of(usage.ru_stime),
		(unsigned long long)result.series, (unsigned long long)result.merged_series,
		(unsigned long long)result.slots, (double)result.index_bytes / 1e6,
		(double)usage.ru_maxrss / 1024);
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned series = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000,
		 runs = argc > 2 ? (unsigned)atoi(argv[2]) : 3;
	bool in_series = argc > 3;
	struct err e;
	snprintf(dir, sizeof dir, "%s/thanosfs-bench-%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
		getpid());
	must(file_mkdirs(dir, 0700, &e), &e);
	for (unsigned i = 0; i < REPLICAS + runs; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			if (i >= REPLICAS)
				merge_once(in_series);
			char path[128];
			snprintf(path, sizeof path, "%s/source%u", dir, i);
			write_replica(path, i, series, in_series);
			_exit(0);
		}
		int status;
		if (waitpid(pid, &status, 0) < 0 || status != 0) {
			file_remove_tree(dir, NULL);
			return 1;
		}
	}
	file_remove_tree(dir, NULL);
	return 0;
}
