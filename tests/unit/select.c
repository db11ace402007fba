/* SPDX-License-Identifier: Apache-2.0 */
/* Instant selectors: lookback, stale markers, offset, @; and what is computed of a step's time. */
#include "tests/support/query.h"
#include "tests/support/test.h"

TEST(a_step_sees_the_last_sample_unless_it_is_old_or_a_stale_marker)
{
	static const struct query_case cases[] = {
		{ "up", "{__name__=\"up\", job=\"a\"} 0 2 4 6 8 10\n"
			"{__name__=\"up\", job=\"b\"} 5 6 _ 7 7 9\n" },
		{ "{job=\"b\"}", "{__name__=\"up\", job=\"b\"} 5 6 _ 7 7 9\n" },
		{ "nothing", "" },
		{ "up offset 1m", "{__name__=\"up\", job=\"a\"} _ 1 3 5 7 9\n"
				  "{__name__=\"up\", job=\"b\"} _ 5 _ 7 7 9\n" },
		{ "up offset -1m", "{__name__=\"up\", job=\"a\"} 1 3 5 7 9 10\n"
				   "{__name__=\"up\", job=\"b\"} 5 _ 7 7 9 9\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	query_load(m, 60, "up{job=\"a\"}", "0+1x10");
	query_load(m, 60, "up{job=\"b\"}", "5 _ 6 stale _ 7 _x3 9");
	struct query_env env = { .start = 0, .end = 600, .step = 120 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST(an_at_modifier_gives_every_step_the_same_sample)
{
	static const struct query_case cases[] = {
		{ "up @ 120", "{__name__=\"up\", job=\"a\"} 2 2 2 2 2 2\n"
			      "{__name__=\"up\", job=\"b\"} 6 6 6 6 6 6\n" },
		{ "up @ end()", "{__name__=\"up\", job=\"a\"} 10 10 10 10 10 10\n"
				"{__name__=\"up\", job=\"b\"} 9 9 9 9 9 9\n" },
		{ "up @ start() offset -2m", "{__name__=\"up\", job=\"a\"} 2 2 2 2 2 2\n"
					     "{__name__=\"up\", job=\"b\"} 6 6 6 6 6 6\n" },
		{ "timestamp(up @ 60)", "{job=\"a\"} 60 60 60 60 60 60\n"
					"{job=\"b\"} 0 0 0 0 0 0\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	query_load(m, 60, "up{job=\"a\"}", "0+1x10");
	query_load(m, 60, "up{job=\"b\"}", "5 _ 6 stale _ 7 _x3 9");
	struct query_env env = { .start = 0, .end = 600, .step = 120 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST(timestamp_is_the_samples_time_or_else_the_steps)
{
	static const struct query_case cases[] = {
		{ "timestamp(up)", "{job=\"a\"} 0 120 240 360 480 600\n"
				   "{job=\"b\"} 0 120 _ 300 300 540\n" },
		{ "timestamp((up))", "{job=\"a\"} 0 120 240 360 480 600\n"
				     "{job=\"b\"} 0 120 _ 300 300 540\n" },
		{ "timestamp(-up)", "{job=\"a\"} 0 120 240 360 480 600\n"
				    "{job=\"b\"} 0 120 _ 360 480 600\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	query_load(m, 60, "up{job=\"a\"}", "0+1x10");
	query_load(m, 60, "up{job=\"b\"}", "5 _ 6 stale _ 7 _x3 9");
	struct query_env env = { .start = 0, .end = 600, .step = 120 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST(a_smoothed_selector_interpolates_between_samples)
{
	static const struct query_case cases[] = {
		{ "c_total smoothed", "{__name__=\"c_total\", job=\"a\"} 5 20 10 18.333333333333332 "
				      "23.333333333333336 35\n" },
		{ "c_total smoothed offset 1m", "{__name__=\"c_total\", job=\"a\"} _ 10 12.5 15 20 25\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	query_load(m, 60, "c_total{job=\"a\"}", "0 10 20 5 15 _x2 25 35");
	struct query_env env = { .start = 30, .end = 480, .step = 90 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST_MAIN()
