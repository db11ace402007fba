/* SPDX-License-Identifier: Apache-2.0 */
#include "dedup/timeline.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_SAMPLES 64
#define MAX_LINES   4

/*
 * Times in words: "10 20 30x |40": x marks a stale marker, | the first of a chunk. The result is told as line and time:
 * "a10 a20 b30".
 */
struct merged {
	enum dedup_func func;
	const char *lines[MAX_LINES];
	int64_t from, to, left, right; /* from and to both 0: no limit; left and right 0: unknown */
	const char *want;
};

struct words {
	int64_t t[MAX_SAMPLES];
	uint8_t flags[MAX_SAMPLES];
	size_t n;
};

static struct timeline read_words(const char *text, struct words *w)
{
	w->n = 0;
	for (const char *p = text; *p;) {
		char *end;
		while (*p == ' ')
			p++;
		w->flags[w->n] = *p == '|' ? TIMELINE_FIRST : 0;
		p += *p == '|';
		w->t[w->n] = strtoll(p, &end, 10);
		w->flags[w->n++] |= *end == 'x' ? TIMELINE_STALE : 0;
		p = end + (*end == 'x');
	}
	return (struct timeline){ w->t, w->flags, w->n };
}

static void check(const struct merged *m)
{
	static struct words words[MAX_LINES];
	struct timeline lines[MAX_LINES];
	struct timeline_scratch scratch = { 0 };
	struct picks picks = { 0 };
	char got[1024] = "";
	size_t n = 0, at = 0;
	bool all = m->from == 0 && m->to == 0;
	for (; n < MAX_LINES && m->lines[n]; n++)
		lines[n] = read_words(m->lines[n], &words[n]);
	timeline_merge(m->func, lines, n, all ? INT64_MIN : m->from, all ? INT64_MAX : m->to,
		m->left ? m->left : INT64_MIN, m->right ? m->right : INT64_MAX, &scratch, &picks);
	vec_each (p, &picks) {
		CHECK_INT(p->t, lines[p->line].t[p->index]);
		at += (size_t)snprintf(got + at, sizeof got - at, "%s%c%lld%s", at ? " " : "",
			(char)('a' + p->line), (long long)p->t,
			lines[p->line].flags[p->index] & TIMELINE_STALE ? "x" : "");
	}
	CHECK_STR(got, m->want);
	timeline_scratch_fini(&scratch);
	vec_fini(&picks);
}

static void check_all(const struct merged *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&list[i]);
}

TEST(the_base_is_followed_where_it_has_no_gap)
{
	static const struct merged cases[] = {
		{ .lines = { "10 20 30 40 50", "15 25 35 45" }, .want = "a10 a20 a30 a40 a50" },
		{ .lines = { "10 20 30 40 50", "" }, .want = "a10 a20 a30 a40 a50" },
		{ .lines = { "10 20 35 45 55" /* 1.5 is no gap yet */, "12 22 27 32 42" },
			.want = "a10 a20 a35 a45 a55" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(a_gap_is_filled_half_an_interval_away_from_its_sides)
{
	static const struct merged cases[] = {
		{ .lines = { "10 20 30 40 80 90 100", "13 23 33 43 53 63 73 83" },
			.want = "a10 a20 a30 a40 b53 b63 b73 a80 a90 a100" },
		{ .lines = { "10 20 30 40 80 90 100", "15 25 35 45 55 65 75 85" },
			.want = "a10 a20 a30 a40 b45 b55 b65 b75 a80 a90 a100" },
		/* the scrape beside the edge is taken where there would still be a gap */
		{ .lines = { "10 20 30 40 80 90 100", "44 59 69" },
			.want = "a10 a20 a30 a40 b44 b59 b69 a80 a90 a100" },
		/* none in the middle */
		{ .lines = { "10 20 30 40 57 67 77", "44" }, .want = "a10 a20 a30 a40 b44 a57 a67 a77" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(what_the_second_replica_cannot_fill_the_third_does)
{
	static const struct merged cases[] = {
		{ .lines = { "10 20 30 40 100 110 120", "45 55", "42 52 62 72 82 92" },
			.want = "a10 a20 a30 a40 b45 b55 c62 c72 c82 c92 a100 a110 a120" },
		{ .lines = { "10 20 30 40", "15 25 35 45 55", "61 71" },
			.want = "a10 a20 a30 a40 b45 b55 c61 c71" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(replicas_reach_beyond_the_ends_of_the_base)
{
	static const struct merged cases[] = {
		{ .lines = { "50 60 70 80 90", "5 15 25 35 45 55 65 75 85 95 105" },
			.want = "b5 b15 b25 b35 b45 a50 a60 a70 a80 a90 b95 b105" },
		{ .lines = { "50 60 70 80 90", "96 106" }, .want = "a50 a60 a70 a80 a90 b96 b106" },
		{ .lines = { "50 60 70 80 90", "94 " }, .want = "a50 a60 a70 a80 a90" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(known_samples_on_the_sides_are_edges_of_gaps)
{
	static const struct merged cases[] = {
		{ .lines = { "50 60 70 80 90", "37 47 93 97" },
			.left = 40,
			.right = 100,
			.want = "a50 a60 a70 a80 a90" },
		{ .lines = { "50 60 70 80 90", "25 35 45" },
			.left = 20,
			.want = "b25 b35 b45 a50 a60 a70 a80 a90" },
		{ .lines = { "50 60 70 80 90", "22 32 42" },
			.left = 20,
			.want = "b32 b42 a50 a60 a70 a80 a90" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(only_the_range_asked_for_is_given)
{
	static const struct merged cases[] = {
		{ .lines = { "10 20 30 40 80 90 100", "13 23 33 43 53 63 73 83" },
			.from = 40,
			.to = 63,
			.want = "a40 b53" },
		{ .lines = { "10 20 30 40" }, .from = 41, .to = 63, .want = "" },
		{ .lines = { "10 20 30 40" }, .from = 1, .to = 10, .want = "" },
		{ .func = DEDUP_CHAIN, .lines = { "10 20", "15" }, .from = 15, .to = 21, .want = "b15 a20" },
		{ .func = DEDUP_PENALTY, .lines = { "10 20", "15" }, .from = 15, .to = 21, .want = "a20" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(a_marker_stays_where_the_series_ends_and_goes_where_another_replica_goes_on)
{
	static const struct merged cases[] = {
		{ .lines = { "10 20 30 40 50x", "15 25 35 45 55x" }, .want = "a10 a20 a30 a40 b45 a50x" },
		{ .lines = { "10 20 30 40 50x", "15 25 35 45 55 65 75" },
			.want = "a10 a20 a30 a40 b45 b55 b65 b75" },
		{ .lines = { "10 20 30 40 50x 100 110 120", "15 25 35" },
			.want = "a10 a20 a30 a40 a50x a100 a110 a120" },
		{ .lines = { "10 20 30 40 100 110 120", "15 25 35 45 55x" },
			.want = "a10 a20 a30 a40 b45 b55x a100 a110 a120" },
		/* one missed scrape, which the base alone knows of */
		{ .lines = { "10 20 30 40x 50 60 70", "" }, .want = "a10 a20 a30 a40x a50 a60 a70" },
		{ .lines = { "10 20 30 40 50 60", "15 25x 35" }, .want = "a10 a20 a30 a40 a50 a60" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(distances_between_chunks_say_nothing_of_the_interval)
{
	/* Chunks of two samples, an outage between them. */
	static const struct merged m = { .lines = { "10 20 |100 110 |200 210 220 230",
						 "15 25 35 45 55 65 75 85 95 105 115 125" },
		.want = "a10 a20 b25 b35 b45 b55 b65 b75 b85 b95 a100 a110 b115 b125 a200 a210 a220 a230" };
	check(&m);
}

TEST(two_samples_around_an_outage_are_no_interval)
{
	static const struct merged m = { .lines = { "10 110", "15 25 35 45 55 65 75 85 95 105 115" },
		.want = "a10 b15 b25 b35 b45 b55 b65 b75 b85 b95 b105 a110 b115" };
	check(&m);
}

TEST(chain_takes_all_samples_and_equal_times_once)
{
	static const struct merged cases[] = {
		{ .func = DEDUP_CHAIN,
			.lines = { "10 20 30", "10 15 30 40" },
			.want = "a10 b15 a20 a30 b40" },
		{ .func = DEDUP_CHAIN, .lines = { "", "10 15x" }, .want = "b10 b15x" },
		{ .func = DEDUP_CHAIN, .lines = { "5", "4", "3", "5" }, .want = "c3 b4 a5" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(penalty_sticks_to_a_replica_until_it_falls_silent_for_long)
{
	static const struct merged cases[] = {
		{ .func = DEDUP_PENALTY,
			.lines = { "10000 20000 30000 40000", "15000 25000 35000 45000" },
			.want = "a10000 a20000 a30000 a40000" },
		{ .func = DEDUP_PENALTY,
			.lines = { "10000 20000 30000 80000 90000",
				"15000 25000 35000 45000 55000 65000 75000 85000" },
			.want = "a10000 a20000 a30000 b55000 b65000 b75000 b85000" },
		/* the first 5 s count whatever the interval is */
		{ .func = DEDUP_PENALTY,
			.lines = { "10 20 30", "15 4000 6000" },
			.want = "a10 a20 a30 b6000" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(no_lines_and_empty_lines_give_nothing)
{
	static const struct merged cases[] = {
		{ .lines = { NULL }, .want = "" },
		{ .lines = { "" }, .want = "" },
		{ .lines = { "", "" }, .left = 5, .right = 10, .want = "" },
		{ .func = DEDUP_PENALTY, .lines = { "", "" }, .want = "" },
	};
	check_all(cases, ARRAY_LEN(cases));
}

TEST(times_at_the_limits_do_not_overflow)
{
	int64_t far[] = { -TIMELINE_LIMIT, 0, TIMELINE_LIMIT };
	uint8_t flags[3] = { 0 };
	const struct timeline lines[] = { { far, flags, 3 }, { far, flags, 1 }, { far + 2, flags, 1 } };
	struct timeline_scratch scratch = { 0 };
	struct picks picks = { 0 };
	for (int func = DEDUP_COMPLETE; func <= DEDUP_CHAIN; func++) {
		timeline_merge((enum dedup_func)func, lines, 3, INT64_MIN, INT64_MAX, -2 * TIMELINE_LIMIT,
			2 * TIMELINE_LIMIT, &scratch, &picks);
		CHECK_INT(picks.len, 3);
	}
	timeline_scratch_fini(&scratch);
	vec_fini(&picks);
}

TEST_MAIN()
