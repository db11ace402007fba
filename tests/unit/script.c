/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/script.c and what it is made of: scripts that should fail do. */
#include "tests/support/script.h"

#include "tests/support/test.h"

static const char *said; /* by the last run */

/* How many evaluations of a script fail. */
static size_t failures(const char *text)
{
	static struct script_result r;
	buf_reset(&r.complaints);
	r.passed = r.failed = 0;
	script_run("x", text, strlen(text), &r);
	said = buf_str(&r.complaints);
	return r.failed;
}

#define LOAD "load 1m\n  up{job=\"a\"} 1 2 3 4 5\n  up{job=\"b\"} 5 4 3 2 1\n\n"

TEST(an_answer_as_expected_passes)
{
	CHECK_INT(failures(LOAD "eval instant at 2m up\n  up{job=\"a\"} 3\n  up{job=\"b\"} 3\n"), 0);
	CHECK_INT(failures(LOAD "eval range from 0 to 4m step 2m up{job='a'}\n  {__name__=\"up\", job=\"a\"} "
				"1 3 5\n"),
		0);
	CHECK_INT(failures(LOAD "eval instant at 1m scalar(up{job='a'})\n  2\n"), 0);
	CHECK_INT(failures(LOAD "eval instant at 1m 'a'\n  expect string \"a\"\n"), 0);
	CHECK_INT(failures(LOAD "eval instant at 4m up{job='a'}[2m]\n"
				"  expect range vector from 3m to 4m step 1m\n  up{job=\"a\"} 4 5\n"),
		0);
}

struct wrong {
	const char *eval, *words;
};

static void check_wrong(const struct wrong *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_free char *text = xasprintf("%s%s", LOAD, cases[i].eval);
		size_t failed = failures(text);
		if (failed != 1)
			test_fail(__FILE__, __LINE__, "%zu failures of\n%s\n%s", failed, cases[i].eval, said);
		CHECK_HAS(said, cases[i].words);
	}
}

TEST(a_value_that_differs_is_said_with_the_line)
{
	static const struct wrong cases[] = {
		{ "eval instant at 2m up{job='a'}\n  up{job=\"a\"} 4\n",
			"x:5: up{job='a'}: {__name__=\"up\", job=\"a\"} 3, wanted 4" },
		{ "eval instant at 2m up{job='a'}\n  up{job=\"a\"} {{count:3}}\n", "wanted {{count:3}}" },
		{ "eval instant at 2m up\n  up{job=\"a\"} 3\n", "unwanted {__name__=\"up\", job=\"b\"} 3" },
		{ "eval instant at 2m up{job='c'}\n  up{job=\"c\"} 3\n",
			"no {__name__=\"up\", job=\"c\"}, wanted 3" },
		{ "eval range from 0 to 2m step 1m up{job='a'}\n  up{job=\"a\"} 1 2 4\n",
			"1@0 2@60 3@120, wanted 1 2 4" },
		{ "eval range from 0 to 2m step 1m up{job='a'}\n  up{job=\"a\"} 1 2\n", "wanted 1 2" },
		{ "eval range from 0 to 2m step 1m up{job='a'}\n  up{job=\"a\"} 1 2 3 4\n",
			"wanted 1 2 3 4" },
		{ "eval range from 0 to 2m step 1m up{job='a'}\n  up{job=\"a\"} 1 _ 3\n", "wanted 1 _ 3" },
		{ "eval instant at 2m 1 + 1\n  3\n", "scalar 2, wanted 3" },
		{ "eval instant at 2m 1 + 1\n  {} 2\n", "wanted no scalar" },
		{ "eval instant at 2m up\n  3\n", "a vector, wanted a scalar" },
		{ "eval instant at 2m 'a'\n  expect string \"b\"\n", "string \"a\", wanted \"b\"" },
		{ "eval instant at 2m sort_desc(up + on(job) up)\n  expect ordered\n  {job=\"b\"} 6\n  "
		  "{job=\"a\"} 6\n",
			"in place" },
	};
	check_wrong(cases, ARRAY_LEN(cases));
}

TEST(errors_and_annotations_are_compared)
{
	static const struct wrong cases[] = {
		{ "eval instant at 2m up\n  expect fail\n", "didn't fail" },
		{ "eval instant at 2m up + on() up\n", "failed: " },
		{ "eval instant at 2m up + on() up\n  expect fail msg: no\n", "wanted \"no\"" },
		{ "eval instant at 2m rate(up{job='a'}[5m])\n  expect no_info\n  {job=\"a\"} 0.016666\n",
			"unwanted info" },
		{ "eval instant at 2m rate(up{job='a'}[5m])\n  expect info msg: no\n  {job=\"a\"} 0.016666\n",
			"wanted \"no\"" },
		{ "eval instant at 2m up{job='a'}\n  expect warn\n  up{job=\"a\"} 3\n", "no warning" },
		{ "eval_info instant at 2m up{job='a'}\n  up{job=\"a\"} 3\n", "no info" },
	};
	check_wrong(cases, ARRAY_LEN(cases));
	CHECK_INT(
		failures(LOAD "eval instant at 2m up + on() up\n  expect fail regex: duplicate series\n"), 0);
	CHECK_INT(
		failures(LOAD "eval_fail instant at 2m up + on() up\n  expected_fail_regexp duplicate\n"), 0);
}

TEST(what_cant_be_read_is_a_failure)
{
	static const struct wrong cases[] = {
		{ "evil instant at 2m up\n", "unknown command" },
		{ "eval sometimes at 2m up\n", "instant or range" },
		{ "eval instant at noon up\n", "noon" },
		{ "eval range from 2m to 1m step 1m up\n", "no steps" },
		{ "eval instant at 2m up\n  expect luck\n", "luck" },
		{ "eval instant at 2m up\n  expect fail words: no\n", "neither msg: nor regex:" },
		{ "eval instant at 2m up{job='a'}\n  up{job=\"a\"} 3 3\n", "one value a series" },
		{ "load now\n  up 1\n", "x:5: " },
		{ "load 1m\n  up 1x\n", "x:6: a count is missing" },
		{ "load 1m\n  up 1+2\n", "a count is missing" },
		{ "load 1m\n  up one\n", "no value begins at \"one\"" },
		{ "load 1m\n  up{job=a} 1\n", "label job has no value" },
		{ "load 1m\n  up {{count:1\n", "can't be read" },
		{ "load 1m\n  up {{size:1}}\n", "can't be read" },
		{ "load 1m\n  up {{count:1}}x1000000\n", "more than" },
		{ "load 1m\n  up{job=\"a\"} 1\n", "has a sample at or behind 0 ms already" },
		{ "load_with_nhcb 1m\n  h_bucket{le=\"1\"} 3\n  h_bucket{le=\"2\"} 2\n",
			"no histogram at point 0" },
	};
	check_wrong(cases, ARRAY_LEN(cases));
}

TEST(series_are_written_in_many_ways)
{
	CHECK_INT(failures("load 1m\n  m 1 2x1 3+1x1 5-1x1 _ _x2 stale 1e3 -Inf NaN .5 -1-1x1\n\n"
			   "eval range from 0 to 16m step 1m last_over_time(m[1m])\n"
			   "  m 1 2 2 3 4 5 4 _ _ _ _ 1000 -Inf NaN 0.5 -1 -2\n"),
		0);
	CHECK_INT(failures("load 1m\n  {\"my metric\", \"a b\"='c', d=`e`} 1\n\n"
			   "eval instant at 0 {\"my metric\"}\n  {__name__=\"my metric\", \"a b\"=\"c\", "
			   "d=\"e\"} 1\n"),
		0);
	/* Counters behind the first of a chunk are known not to be resets. */
	CHECK_INT(
		failures("load 1m\n  h {{count:1}}x1 {{count:0}}+{{count:2}}x1 {{count:9}}-{{count:1}}x1 "
			 "{{count:1 counter_reset_hint:gauge}}\n\n"
			 "eval range from 0 to 6m step 1m h\n"
			 "  h {{count:1 counter_reset_hint:unknown}} {{count:1 counter_reset_hint:not_reset}}"
			 " {{count:0 counter_reset_hint:unknown}} {{count:2 counter_reset_hint:not_reset}}"
			 " {{count:9 counter_reset_hint:not_reset}} {{count:8 counter_reset_hint:unknown}}"
			 " {{count:1 counter_reset_hint:gauge}}\n"),
		0);
	CHECK_INT(failures("load 1m\n  h {{count:1}}x1\n\neval instant at 1m h\n  h {{count:1 "
			   "counter_reset_hint:gauge}}\n"),
		1);
}

TEST(samples_know_from_when_they_count)
{
	CHECK_INT(failures("load 1m\n  m@st _ -30s _ 0-1sx1 _x1\n  m 1 2 3 4x1 _\n\n"
			   "eval range from 0 to 4m step 1m start_timestamp(m)\n  {} 0 30 0 180 239\n"),
		0);
	static const struct wrong cases[] = {
		{ "load 1m\n  m@st -1s\n", "x:6: the series' own line is missing" },
		{ "load 1m\n  m@st -1s\n  n 1\n", "of another series" },
		{ "load 1m\n  m@st -1s\n  m 1 2\n", "has not as many points" },
		{ "load 1m\n  m@st soon\n  m 1\n", "soon" },
		{ "load 1m\n  m@st -1s-1s\n  m 1\n", "a count is missing" },
	};
	check_wrong(cases, ARRAY_LEN(cases));
}

TEST(classic_histograms_become_native_ones)
{
	CHECK_INT(failures("load_with_nhcb 1m\n"
			   "  h_bucket{le=\"1\"} 1 2\n  h_bucket{le=\"+Inf\"} 3 5\n  h_count 3 5\n  h_sum 10 "
			   "20\n\n"
			   "eval range from 0 to 1m step 1m h\n"
			   "  h {{schema:-53 count:3 sum:10 custom_values:[1] buckets:[1 2]}}"
			   " {{schema:-53 count:5 sum:20 custom_values:[1] buckets:[2 3]}}\n\n"
			   "eval instant at 0 h_count\n  h_count 3\n"),
		0);
}

TEST(clear_forgets_everything)
{
	CHECK_INT(failures(LOAD "clear\n\neval instant at 2m up\n"), 0);
}

TEST_MAIN()
