/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a series that took the short way against the one that the general way makes of it, over random chunks of
 * one to three replicas: mostly as two Prometheus servers write them, with gaps, overlaps, deleted samples and odd
 * times here and there. And any order of the chunks gives the same plan.
 *
 *	PROP_CASES=1000000 PROP_SEED=7 prop_layout
 */
#include "dedup/layout.h"
#include "dedup/layout_pair.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_REPLICAS 3
#define MAX_CHUNKS   12 /* of a replica */

static uint64_t seed, case_seed;

static uint64_t upto(uint64_t n)
{
	return test_random(&seed) % n;
}

/* A block for each replica, one of them one whose chunks may not pass through. */
struct world {
	struct block_meta metas[MAX_REPLICAS];
	struct catalogue_block blocks[MAX_REPLICAS];
	struct dedup_source sources[MAX_REPLICAS];
	VEC(struct layout_input) chunks;
};

static void add_replica(struct world *w, unsigned replica, int64_t step)
{
	int64_t t = (int64_t)upto((uint64_t)step) - (upto(4) ? 0 : 2 * step);
	uint64_t ref = upto(1 << 20);
	bool is_odd = upto(8) == 0; /* not as a server writes chunks */
	for (uint64_t n = upto(MAX_CHUNKS + 1); n; n--) {
		int64_t span = step - step / 100 - (int64_t)(upto(4) ? 0 : upto((uint64_t)step / 2));
		uint32_t bytes = (uint32_t)(upto(50) ? 20 + upto(2000) : upto(1ull << 32));
		struct layout_input c = {
			.meta = { t, t + span, ref },
			.frame_bytes = bytes,
			.source = (uint16_t)replica,
			.replica = (uint16_t)replica,
		};
		t += span + 1 + (int64_t)upto((uint64_t)step / 50 + 1);
		ref += bytes;
		if (is_odd && upto(4) == 0)
			t -= (int64_t)upto((uint64_t)step);
		if (is_odd && upto(8) == 0)
			c.tombstoned_series = ref;
		if (is_odd && upto(16) == 0)
			c.meta.mint = INT64_MIN + (int64_t)upto(3);
		if (is_odd && upto(16) == 0)
			c.meta.maxt = INT64_MAX - (int64_t)upto(3);
		if (upto(16) == 0)
			t += (int64_t)upto(3 * (uint64_t)step); /* a restart */
		vec_push(&w->chunks, c);
	}
}

static void make_world(struct world *w)
{
	static const int64_t steps[] = { 2, 100, 60000, 1800000, 7200000, (int64_t)1 << 40 };
	unsigned replicas = upto(8) ? 2 : 1 + (unsigned)upto(MAX_REPLICAS);
	int64_t step = steps[upto(ARRAY_LEN(steps))];
	for (unsigned i = 0; i < MAX_REPLICAS; i++) {
		w->metas[i].ulid.bytes[15] = (uint8_t)i;
		w->blocks[i].meta = &w->metas[i];
		w->sources[i] = (struct dedup_source){
			.block = &w->blocks[i], .replica = i, .passthrough = upto(4) != 0
		};
	}
	for (unsigned i = 0; i < replicas; i++)
		add_replica(w, i, step);
}

static void check_sources(const struct slot *got, const struct slot *want)
{
	CHECK_INT(got->n_sources, want->n_sources);
	for (uint32_t i = 0; i < want->n_sources; i++) {
		CHECK_INT(got->sources[i].ref, want->sources[i].ref);
		CHECK_INT(got->sources[i].tombstoned_series, want->sources[i].tombstoned_series);
		CHECK_INT(got->sources[i].frame_bytes, want->sources[i].frame_bytes);
		CHECK_INT(got->sources[i].source, want->sources[i].source);
		CHECK_INT(got->sources[i].rank, want->sources[i].rank);
		CHECK_INT(got->sources[i].role, want->sources[i].role);
	}
}

static void check_same(
	const struct planned_chunk *got, size_t n_got, const struct planned_chunk *want, size_t n_want)
{
	CHECK_INT(n_got, n_want);
	for (size_t i = 0; i < n_want; i++) {
		CHECK_INT(got[i].mint, want[i].mint);
		CHECK_INT(got[i].maxt, want[i].maxt);
		CHECK_INT(got[i].is_slot, want[i].is_slot);
		if (!want[i].is_slot) {
			CHECK_INT(got[i].source, want[i].source);
			CHECK_INT(got[i].ref, want[i].ref);
			continue;
		}
		CHECK_INT(got[i].slot.from, want[i].slot.from);
		CHECK_INT(got[i].slot.to, want[i].slot.to);
		CHECK_INT(got[i].slot.left, want[i].slot.left);
		CHECK_INT(got[i].slot.right, want[i].slot.right);
		CHECK_INT(got[i].slot.capacity, want[i].slot.capacity);
		check_sources(&got[i].slot, &want[i].slot);
	}
}

static void shuffle(struct world *w)
{
	for (size_t i = w->chunks.len; i > 1; i--) {
		size_t k = upto(i);
		struct layout_input c = w->chunks.data[i - 1];
		w->chunks.data[i - 1] = w->chunks.data[k];
		w->chunks.data[k] = c;
	}
}

/* Whether the short way could be taken. */
static bool run_case(void)
{
	struct world w = { 0 };
	struct planned_chunks out = { 0 };
	struct slot_sources pool = { 0 };
	const struct planned_chunk *got, *want, *shuffled;
	make_world(&w);
	struct layout *a = layout_new(w.sources, MAX_REPLICAS, DEDUP_COMPLETE, NULL),
		      *b = layout_new(w.sources, MAX_REPLICAS, DEDUP_COMPLETE, NULL);

	size_t n_want = layout_series_any(a, w.chunks.data, w.chunks.len, &want);
	size_t n_got = layout_series(b, w.chunks.data, w.chunks.len, &got);
	check_same(got, n_got, want, n_want);
	bool is_short = layout_pair(w.sources, w.chunks.data, w.chunks.len, &out, &pool);
	shuffle(&w);
	size_t n_shuffled = layout_series(b, w.chunks.data, w.chunks.len, &shuffled);
	check_same(shuffled, n_shuffled, want, n_want);

	layout_free(a);
	layout_free(b);
	vec_fini(&out);
	vec_fini(&pool);
	vec_fini(&w.chunks);
	return is_short;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void name_seed(int status, void *arg)
{
	(void)arg;
	if (status)
		fprintf(stderr, "  again: PROP_CASES=1 PROP_SEED=%llu\n", (unsigned long long)case_seed);
}

TEST(the_short_way_plans_what_the_general_way_plans)
{
	uint64_t first = setting("PROP_SEED", 1), n = setting("PROP_CASES", 100000), taken = 0;
	on_exit(name_seed, NULL);
	for (case_seed = first; case_seed < first + n; case_seed++) {
		seed = case_seed;
		taken += run_case();
	}
	/* Else nothing was compared. */
	CHECK(n < 1000 || (taken > n / 5 && taken < n - n / 5));
}

TEST_MAIN()
