/* SPDX-License-Identifier: Apache-2.0 */
/* What queries of a vanilla Prometheus cost on blocks that are far away: round trips one after the other, and bytes. */
#include "dedup/prefetch.h"

#include "dedup/view_private.h"
#include "lib/base/file.h"
#include "tests/support/bucket_far.h"
#include "tests/support/fleet_blocks.h"
#include "tests/support/mapped_reader.h"
#include "tests/support/test.h"
#include "tests/support/view_fixture.h"

#include <stdio.h>
#include <unistd.h>

#define T0            FLEET_T0
#define HOUR_MS       3600000ll
#define BLOCKS        4
#define MACHINES      160
#define SLOT_MACHINES 64 /* slots cost the sanitizers more */
#define SERIES        (FLEET_CPU_SERIES * MACHINES)
#define GRANULE       4096
#define NOTHING_AHEAD (~0u) /* threads */
#define ONE           "cpu=2,instance=node-057:9100,job=node,mode=system"

struct far_view {
	struct view_fixture *f;
	struct bucket *far;
	struct mapped_reader *reader;
	int64_t before; /* the last request */
	int64_t latest; /* that anything was waited for */
};

static struct far_view *far_view_new(unsigned clusters, unsigned replicas, unsigned machines)
{
	static struct far_view v;
	v = (struct far_view){ .f = view_fixture_new() };
	for (unsigned c = 0; c < clusters; c++)
		for (unsigned r = 0; r < replicas; r++)
			for (unsigned b = 0; b < BLOCKS; b++)
				fleet_block_write(
					v.f->bucket_dir, (const char *[]){ "eu", "us" }[c], r, b, machines);
	v.far = v.f->bucket = bucket_far_new(v.f->bucket, GRANULE, 0);
	return &v;
}

static int64_t stopped_clock(void)
{
	return 1000000;
}

/* A new process with the caches empty; `threads` as prefetch_new has them. */
static void start(struct far_view *v, unsigned threads)
{
	if (v->reader)
		mapped_reader_free(v->reader);
	auto_free char *merged = xasprintf("%s/merged", v->f->data_dir);
	view_fixture_close(v->f);
	file_remove_tree(merged, NULL);
	view_fixture_open(v->f);
	prefetch_free(v->f->view->env.prefetch);
	v->f->view->env.prefetch = threads == NOTHING_AHEAD ? NULL : prefetch_new(threads);
	if (threads == 0) /* how busy the machine is decides nothing */
		prefetch_set_clock(v->f->view->env.prefetch, stopped_clock);
	view_fixture_sync(v->f);
	v->reader = mapped_reader_new(v->f->view);
	bucket_far_forget(v->far);
}

static void finish(struct far_view *v)
{
	mapped_reader_free(v->reader);
	view_fixture_free(v->f);
}

/* What is done in the background meanwhile starts when the request does. */
static void do_background(void *arg)
{
	struct far_view *v = arg;
	int64_t now = bucket_far_now(v->far);
	v->latest = MAX_OF(v->latest, now);
	if (v->f->view->env.prefetch) {
		bucket_far_set_now(v->far, v->before);
		prefetch_drain(v->f->view->env.prefetch);
		v->latest = MAX_OF(v->latest, bucket_far_now(v->far));
	}
	bucket_far_set_now(v->far, now);
	v->before = now;
}

struct cost {
	struct mapped_result result;
	struct far_counts counts;
	int64_t round_trips;
	double ratio; /* bytes fetched for each byte of chunks */
};

static struct cost query(struct far_view *v, const char *what, const struct mapped_query *q)
{
	struct cost c;
	bucket_far_counts(v->far);
	bucket_far_set_now(v->far, 0);
	v->before = v->latest = 0;
	c.result = mapped_reader_query(v->reader, q, do_background, v);
	c.counts = bucket_far_counts(v->far);
	c.round_trips = v->latest;
	c.ratio = (double)c.counts.fetched_bytes / (double)c.result.bytes;
	printf("%s: %llu series, %llu chunks, %.2f MB of chunks, %.2f MB fetched (%.2f), %llu requests of "
	       "the kernel, "
	       "%lld round trips one after the other, %llu for what was not announced\n",
		what, (unsigned long long)c.result.series, (unsigned long long)c.result.chunks,
		(double)c.result.bytes / 1e6, (double)c.counts.fetched_bytes / 1e6, c.ratio,
		(unsigned long long)c.result.reads, (long long)c.round_trips,
		(unsigned long long)c.counts.unannounced);
	return c;
}

/* 6 hours, of all four blocks. */
static const struct mapped_query heavy = {
	.metric = FLEET_CPU, .mint = T0 + HOUR_MS / 2 - 5 * 60000, .maxt = T0 + HOUR_MS / 2 + 6 * HOUR_MS
};
static const struct mapped_query single = {
	.metric = FLEET_CPU, .with = ONE, .mint = T0, .maxt = T0 + BLOCKS * FLEET_BLOCK_MS
};

/* The query with nothing read ahead and with what is under test, each with the caches empty. Same bytes. */
static void compare(struct far_view *v, const char *what, const struct mapped_query *q, struct cost *plain,
	struct cost *ahead)
{
	char text[80];
	start(v, NOTHING_AHEAD);
	snprintf(text, sizeof text, "%s, nothing read ahead", what);
	*plain = query(v, text, q);
	start(v, 0);
	*ahead = query(v, what, q);
	CHECK(ahead->result.hash == plain->result.hash);
	CHECK_INT(ahead->result.chunks, plain->result.chunks);
}

TEST(a_heavy_query_on_segments_that_pass_through_is_four_round_trips)
{
	struct cost plain, ahead;
	struct far_view *v = far_view_new(1, 1, MACHINES);
	compare(v, "passed through, heavy", &heavy, &plain, &ahead);
	CHECK_INT(ahead.result.series, SERIES);
	CHECK(plain.round_trips > 500);
	CHECK(ahead.round_trips <= 4);
	CHECK(ahead.ratio <= 1.25);
	finish(v);
}

TEST(a_heavy_query_on_slots_is_four_round_trips)
{
	struct cost plain, ahead;
	struct far_view *v = far_view_new(1, 2, SLOT_MACHINES);
	compare(v, "slots, heavy", &heavy, &plain, &ahead);
	CHECK_INT(ahead.result.series, FLEET_CPU_SERIES * SLOT_MACHINES);
	CHECK(ahead.round_trips <= 4);
	/* What slots need is what reading them one by one fetches. */
	CHECK(ahead.counts.fetched_bytes <= plain.counts.fetched_bytes * 5 / 4);
	finish(v);
}

TEST(a_query_of_one_series_fetches_a_little_of_each_block)
{
	struct cost plain, ahead;
	struct far_view *v = far_view_new(1, 1, MACHINES);
	compare(v, "passed through, one series", &single, &plain, &ahead);
	CHECK_INT(ahead.result.series, 1);
	CHECK_INT(plain.round_trips, BLOCKS);
	CHECK(ahead.round_trips <= 2);
	CHECK(ahead.counts.fetched_bytes <= BLOCKS * (256u << 10));
	finish(v);
}

TEST(a_query_of_one_series_in_slots_fetches_a_little_of_each_block)
{
	struct cost plain, ahead;
	struct far_view *v = far_view_new(1, 2, SLOT_MACHINES);
	compare(v, "slots, one series", &single, &plain, &ahead);
	CHECK_INT(ahead.result.series, 1);
	CHECK(ahead.round_trips <= 4);
	CHECK(ahead.counts.fetched_bytes <= 2 * BLOCKS * (256u << 10)); /* of two replicas */
	finish(v);
}

TEST(a_query_over_two_clusters_learns_from_the_first)
{
	struct cost plain, ahead;
	struct far_view *v = far_view_new(2, 1, MACHINES / 2);
	compare(v, "two clusters, heavy", &heavy, &plain, &ahead);
	CHECK_INT(ahead.result.series, SERIES);
	CHECK(ahead.round_trips <= 6);
	CHECK(ahead.ratio <= 1.3);
	finish(v);
}

TEST(a_query_of_one_cluster_leaves_the_other_alone)
{
	struct cost plain, ahead;
	struct far_view *v = far_view_new(2, 1, MACHINES / 4);
	struct mapped_query q = heavy;
	q.with = "cluster=us";
	compare(v, "one cluster of two, heavy", &q, &plain, &ahead);
	CHECK_INT(ahead.result.series, SERIES / 4);
	CHECK(ahead.counts.fetched_bytes <= plain.counts.fetched_bytes * 5 / 4);
	finish(v);
}

TEST(segment_heads_of_many_blocks_are_asked_for_together)
{
	struct far_view *v = far_view_new(2, 1, 4);
	start(v, 0);
	v->before = v->latest = 0;
	mapped_reader_open_segments(v->reader, do_background, v);
	printf("%u segments opened in %lld round trips\n", 2 * BLOCKS, (long long)v->latest);
	CHECK(v->latest <= 2);
	finish(v);
}

TEST(threads_that_make_slots_ahead_change_no_byte)
{
	struct cost plain;
	struct far_view *v = far_view_new(1, 2, 24);
	start(v, NOTHING_AHEAD);
	plain = query(v, "slots, nothing read ahead", &heavy);
	uint64_t before = metric_value("thanosfs_slots_made_ahead_total");
	start(v, 3);
	struct mapped_result r = mapped_reader_query(v->reader, &heavy, NULL, NULL);
	CHECK(r.hash == plain.result.hash);
	printf("%llu of %llu slots were made ahead\n",
		(unsigned long long)(metric_value("thanosfs_slots_made_ahead_total") - before),
		(unsigned long long)metric_value("thanosfs_slots_made_total"));
	finish(v);
}

TEST(slots_are_made_ahead_within_the_time_of_a_read)
{
	struct far_view *v = far_view_new(1, 2, 24);
	v->f->read_deadline_ms = 600000;
	start(v, 0);
	uint64_t before = metric_value("thanosfs_slots_made_ahead_total");
	struct cost c = query(v, "slots, heavy", &heavy);
	CHECK(metric_value("thanosfs_slots_made_ahead_total") > before);
	CHECK_INT(c.counts.endless, 0);
	finish(v);
}

TEST(a_block_without_runs_is_read_as_well)
{
	struct cost plain;
	struct far_view *v = far_view_new(1, 2, 8);
	start(v, NOTHING_AHEAD);
	plain = query(v, "slots, nothing read ahead", &heavy);
	start(v, 0);
	struct view_snapshot *s = view_snapshot(v->f->view);
	for (size_t i = 0; i < s->n; i++) {
		auto_free char *path = xasprintf("%s/runs", merged_block_dir(s->blocks[i]));
		struct err e;
		if (i % 2)
			CHECK_OK(file_replace(path, "damaged", 7, &e), &e);
		else
			CHECK_INT(unlink(path), 0);
	}
	view_snapshot_unref(s);
	CHECK(query(v, "slots, no runs", &heavy).result.hash == plain.result.hash);
	finish(v);
}

TEST_MAIN()
