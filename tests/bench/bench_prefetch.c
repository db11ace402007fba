/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heavy query (5,120 series, 6 h, 4 blocks) as a vanilla Prometheus faults its way through it, by the clock: with objects
 * 15 ms away through the cache on disk, and with local ones, whose cold cost is the making of slots. Decoding and PromQL
 * are not in it.
 *
 *	bench_prefetch [part of a name]
 */
#include "dedup/prefetch.h"
#include "dedup/view_private.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "store/bucket_extents.h"
#include "store/bucket_fs.h"
#include "tests/support/bucket_slow.h"
#include "tests/support/fleet_blocks.h"
#include "tests/support/mapped_reader.h"
#include "tests/support/test.h"
#include "tests/support/view_fixture.h"

#include <stdio.h>
#include <unistd.h>

#define BLOCKS        4
#define MACHINES      160
#define NOTHING_AHEAD (~0u) /* threads */
#define LATENCY_US    15000
#define MINUTE_MS     60000ll

static void write_blocks(struct view_fixture *f, unsigned replicas)
{
	for (unsigned r = 0; r < replicas; r++)
		for (unsigned b = 0; b < BLOCKS; b++)
			fleet_block_write(f->bucket_dir, "eu", r, b, MACHINES);
}

static void measure(unsigned replicas, bool is_far, unsigned threads, const char *with, const char *what)
{
	static const struct mapped_query heavy = {
		.metric = FLEET_CPU, .mint = FLEET_T0 + 25 * MINUTE_MS, .maxt = FLEET_T0 + 390 * MINUTE_MS
	};
	struct err e;
	struct view_fixture *f = view_fixture_new();
	struct extents *x = NULL;
	struct bucket *slow = NULL;
	auto_free char *cache = xasprintf("%s/extents", test_dir());
	write_blocks(f, replicas);
	if (is_far) {
		struct extents_options o = EXTENTS_DEFAULTS;
		o.dir = cache;
		CHECK_OK(extents_open(&o, &x, &e), &e);
		slow = bucket_slow_new(f->bucket);
		f->bucket = bucket_extents_new(slow, x);
	} else { /* with descriptors, as the mount has them */
		bucket_free(f->bucket);
		CHECK_OK(bucket_fs_new(f->bucket_dir, &f->bucket, &e), &e);
	}
	view_fixture_open(f);
	prefetch_free(f->view->env.prefetch);
	f->view->env.prefetch = threads == NOTHING_AHEAD ? NULL : prefetch_new(threads);
	view_fixture_sync(f);
	struct mapped_reader *m = mapped_reader_new(f->view);
	mapped_reader_open_segments(m, NULL, NULL);
	if (is_far) {
		bucket_slow_set(slow, LATENCY_US, 0);
		bucket_slow_counts(slow);
	}
	struct mapped_query q = heavy;
	q.with = with;
	int64_t start = clock_monotonic_us();
	struct mapped_result r = mapped_reader_query(m, &q, NULL, NULL);
	double seconds = (double)(clock_monotonic_us() - start) / 1e6;
	printf("%-44s %7.3f s, %5llu series, %.1f MB of chunks", what, seconds, (unsigned long long)r.series,
		(double)r.bytes / 1e6);
	if (is_far) {
		struct slow_counts c = bucket_slow_counts(slow);
		printf(", %u requests, %.1f MB fetched", c.reads, (double)c.bytes / 1e6);
	}
	printf("\n");
	fflush(stdout);
	mapped_reader_free(m);
	view_fixture_free(f);
	extents_close(x);
}

static unsigned cores(void)
{
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

#define ONE "cpu=2,instance=node-057:9100,job=node,mode=system"

TEST(far_passed_through_nothing_ahead)
{
	measure(1, true, NOTHING_AHEAD, NULL, "far, passed through, nothing ahead");
}

TEST(far_passed_through)
{
	measure(1, true, cores(), NULL, "far, passed through");
}

TEST(far_passed_through_one_series_nothing_ahead)
{
	measure(1, true, NOTHING_AHEAD, ONE, "far, passed through, one series, nothing ahead");
}

TEST(far_passed_through_one_series)
{
	measure(1, true, cores(), ONE, "far, passed through, one series");
}

TEST(far_slots_nothing_ahead)
{
	measure(2, true, NOTHING_AHEAD, NULL, "far, slots, nothing ahead");
}

TEST(far_slots)
{
	measure(2, true, cores(), NULL, "far, slots");
}

TEST(local_slots_nothing_ahead)
{
	measure(2, false, NOTHING_AHEAD, NULL, "local, slots, nothing ahead");
}

TEST(local_slots)
{
	measure(2, false, cores(), NULL, "local, slots, made ahead");
}

TEST_MAIN()
