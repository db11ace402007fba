/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/scan_policy.h"

#include "tests/support/test.h"

#define KB      1024ull
#define MB      (1024 * KB)
#define PAGES   (128 * KB) /* what the kernel asks for */
#define SECOND  1000000ll
#define RUN_END (10 * MB)

static struct scan_advices advices;
static struct scan_wave wave;

/* A run of many small series. */
static struct scan_run run_of(uint64_t block)
{
	return (struct scan_run){ .block = block,
		.metric = 77,
		.group = 5,
		.segment = 2,
		.from = 1 * MB,
		.to = RUN_END,
		.series_bytes = KB };
}

static void touch(struct scan_policy *p, const struct scan_run *run, uint64_t at, uint64_t n, int64_t now)
{
	advices.len = 0;
	scan_policy_touch(p, run, at, n, now, &advices, &wave);
}

static void match(struct scan_policy *p, const struct scan_run *run, unsigned hop, int64_t now)
{
	advices.len = 0;
	scan_policy_match(p, run, &wave, hop, now, &advices);
}

TEST(a_first_touch_announces_a_little_here_and_in_the_next_blocks)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1), b = run_of(2);
	touch(p, &a, 4 * MB, PAGES, SECOND);
	CHECK_INT(advices.len, 1);
	CHECK_INT(advices.data[0].from, 4 * MB);
	CHECK_INT(advices.data[0].to, 4 * MB + SCAN_FIRST_BYTES);
	CHECK(!advices.data[0].is_scan);
	CHECK_INT(wave.last, SCAN_FIRST_BLOCKS);
	CHECK_INT(wave.side, -1);
	CHECK_INT(wave.others, SCAN_FIRST_BLOCKS);
	b.from = 2 * MB; /* shorter: a third of the way in is elsewhere */
	match(p, &b, 1, SECOND);
	CHECK_INT(advices.len, 1);
	CHECK_INT(advices.data[0].block, 2);
	uint64_t middle = 2 * MB + (3 * MB + 64 * KB) * 8 / 9;
	CHECK(advices.data[0].from < middle && middle < advices.data[0].to);
	CHECK(advices.data[0].to - advices.data[0].from <= SCAN_FIRST_BYTES);
	scan_policy_free(p);
}

TEST(reads_of_what_was_announced_announce_nothing)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1);
	touch(p, &a, 4 * MB, PAGES, SECOND);
	touch(p, &a, 4 * MB + PAGES, 64 * KB, SECOND);
	CHECK_INT(advices.len, 0);
	CHECK_INT(wave.last, 0);
	scan_policy_free(p);
}

TEST(a_reader_that_goes_on_scans_the_run_in_all_blocks_it_was_touched_in)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1), b = run_of(2), other = run_of(3);
	other.metric = 78;
	touch(p, &a, 1 * MB, PAGES, SECOND);
	match(p, &b, 1, SECOND);
	touch(p, &b, 1 * MB, 4 * KB, SECOND);
	touch(p, &other, 1 * MB, PAGES, SECOND);
	touch(p, &a, 1 * MB + SCAN_FIRST_BYTES, 64 * KB, SECOND);
	CHECK_INT(advices.len, 2);
	for (size_t i = 0; i < 2; i++) {
		CHECK(advices.data[i].is_scan);
		CHECK(advices.data[i].block != 3);
		CHECK(advices.data[i].to >= RUN_END + SCAN_PAD_BYTES);
	}
	CHECK(scan_policy_is_scanned(p, 77, SECOND));
	CHECK(!scan_policy_is_scanned(p, 78, SECOND));
	CHECK(!scan_policy_is_scanned(p, 77, 60 * SECOND));
	scan_policy_free(p);
}

TEST(a_block_that_only_the_wave_reached_is_scanned_once_somebody_touches_it)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1), b = run_of(2);
	touch(p, &a, 1 * MB, PAGES, SECOND);
	match(p, &b, 1, SECOND);
	touch(p, &a, 1 * MB + SCAN_FIRST_BYTES, 64 * KB, SECOND);
	CHECK_INT(advices.len, 1);
	CHECK_INT(advices.data[0].block, 1);
	touch(p, &b, 1 * MB, 4 * KB, SECOND);
	CHECK_INT(advices.len, 1);
	CHECK_INT(advices.data[0].block, 2);
	CHECK(advices.data[0].is_scan);
	CHECK_INT(advices.data[0].to, RUN_END + SCAN_PAD_BYTES);
	touch(p, &b, 1 * MB + 4 * KB, 4 * KB, SECOND);
	CHECK_INT(advices.len, 0);
	scan_policy_free(p);
}

TEST(a_touch_of_what_the_wave_reached_is_no_scan_while_nobody_scans)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1), b = run_of(2);
	touch(p, &a, 1 * MB, PAGES, SECOND);
	match(p, &b, 1, SECOND);
	touch(p, &b, 1 * MB, PAGES, SECOND);
	CHECK_INT(advices.len, 0);
	scan_policy_free(p);
}

/* What a mapping's reader has the kernel ask for: [before, before + 128 KiB) of the run, and so on, one read ahead of it. */
TEST(a_scan_announces_all_that_the_kernel_will_read_for_it)
{
	for (uint64_t before = 0; before < PAGES; before += 4 * KB) {
		struct scan_policy *p = scan_policy_new();
		struct scan_run a = run_of(1);
		uint64_t at = a.from - before, announced = 0;
		for (; at < RUN_END; at += PAGES) {
			touch(p, &a, at, PAGES, SECOND);
			vec_each (x, &advices)
				announced = MAX_OF(announced, x->to);
		}
		CHECK_INT(announced, at + PAGES);
		scan_policy_free(p);
	}
}

TEST(windows_of_a_long_run_double_while_they_are_read)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1);
	uint64_t window = 0;
	a.to = 1000 * MB;
	touch(p, &a, 1 * MB, PAGES, SECOND);
	unsigned windows = 0;
	for (uint64_t at = 1 * MB + PAGES; at < 500 * MB; at += PAGES) {
		touch(p, &a, at, PAGES, SECOND);
		if (advices.len == 0)
			continue;
		CHECK_INT(advices.len, 1);
		CHECK(advices.data[0].to >= at + PAGES);
		uint64_t bytes = advices.data[0].to - advices.data[0].from;
		CHECK(bytes >= window);
		CHECK(bytes <= SCAN_WINDOW_MAX);
		window = bytes;
		windows++;
	}
	CHECK_INT(window, SCAN_WINDOW_MAX);
	CHECK(windows < 14);
	scan_policy_free(p);
}

TEST(a_reader_of_little_here_and_there_gets_smaller_windows)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1);
	uint64_t announced = 0;
	a.to = 1000 * MB;
	touch(p, &a, 1 * MB, 4 * KB, SECOND);
	for (uint64_t at = 1 * MB + 300 * KB; at < 200 * MB; at += 1 * MB) {
		touch(p, &a, at, 4 * KB, SECOND);
		vec_each (x, &advices)
			announced = MAX_OF(announced, x->to - x->from);
	}
	CHECK(announced <= SCAN_WINDOW_BYTES);
	scan_policy_free(p);
}

TEST(one_long_series_is_no_scan)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1);
	a.series_bytes = 300 * KB;
	touch(p, &a, 4 * MB, PAGES, SECOND);
	touch(p, &a, 4 * MB + SCAN_FIRST_BYTES, PAGES, SECOND);
	CHECK_INT(advices.len, 1);
	CHECK(!advices.data[0].is_scan);
	CHECK(advices.data[0].to - advices.data[0].from <= 300 * KB);
	scan_policy_free(p);
}

TEST(touches_far_from_each_other_are_a_scan_from_the_fourth_on)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1);
	const uint64_t at[] = { 8, 2, 6, 4 };
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		touch(p, &a, at[i] * MB, PAGES, SECOND);
		CHECK_INT(advices.len, 1);
		CHECK_INT(advices.data[0].is_scan, i == 3);
		CHECK_INT(wave.last > 0, i < 3);
	}
	scan_policy_free(p);
}

TEST(a_place_that_was_guessed_wrong_is_no_scan)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1), b = run_of(2);
	touch(p, &a, 4 * MB, PAGES, SECOND);
	match(p, &b, 1, SECOND);
	touch(p, &b, 4 * MB + 300 * KB, PAGES, SECOND);
	CHECK_INT(advices.len, 1);
	CHECK(!advices.data[0].is_scan);
	scan_policy_free(p);
}

TEST(waves_reach_twice_as_far_where_readers_follow)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run runs[100];
	unsigned announced = 0, waits = 0;
	for (unsigned i = 0; i < 100; i++)
		runs[i] = run_of(i + 1);
	for (unsigned i = 0; i < 100; i++) {
		waits += i > announced;
		touch(p, &runs[i], 4 * MB, PAGES, SECOND);
		struct scan_wave w = wave;
		for (unsigned hop = 1; hop <= w.last && i + hop < 100; hop++) {
			match(p, &runs[i + hop], hop, SECOND);
			wave = w;
			announced = MAX_OF(announced, i + hop);
		}
	}
	CHECK_INT(waits, 0);
	scan_policy_free(p);
}

TEST(a_file_that_is_read_from_front_to_back_announces_nothing_in_other_blocks)
{
	struct scan_policy *p = scan_policy_new();
	struct scan_run a = run_of(1), next = run_of(1);
	next.metric = 78;
	next.from = RUN_END;
	next.to = 20 * MB;
	touch(p, &a, RUN_END - PAGES, PAGES, SECOND);
	touch(p, &next, RUN_END, PAGES, SECOND);
	CHECK_INT(advices.len, 0);
	CHECK_INT(wave.last, 0);
	scan_policy_free(p);
}

TEST(any_reads_give_ranges_that_lie_near_their_run)
{
	struct scan_policy *p = scan_policy_new();
	uint64_t seed = 7;
	for (unsigned i = 0; i < 200000; i++) {
		struct scan_run r = { .block = test_random(&seed) % 5,
			.metric = test_random(&seed) % 3,
			.group = test_random(&seed) % 2,
			.segment = (uint32_t)(test_random(&seed) % 3) };
		r.from = r.metric * 10 * MB + r.segment * 1000;
		r.to = r.from + (test_random(&seed) % 4 ? 10 * MB : 0);
		r.series_bytes = test_random(&seed) % 2 ? KB : MB;
		int64_t now = 1 + (int64_t)i * 1000;
		uint64_t at = r.from + test_random(&seed) % (10 * MB), n = 1 + test_random(&seed) % PAGES;
		if (test_random(&seed) % 3)
			touch(p, &r, at, n, now);
		else
			match(p, &r, 1 + test_random(&seed) % 3, now);
		uint64_t bytes = 0;
		vec_each (x, &advices) {
			CHECK(x->from < x->to);
			CHECK(x->to <= MAX_OF(31 * MB, at + n + SCAN_FIRST_BYTES));
			bytes += x->to - x->from;
		}
		CHECK(bytes <= SCAN_AT_ONCE + SCAN_WINDOW_MAX);
	}
	scan_policy_free(p);
}

TEST_MAIN()
