/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over ranges, as tables: what Prometheus answers to the same. */
#include "tests/support/query.h"
#include "tests/support/test.h"

static const struct query_env minutes = { .start = 60, .end = 480, .step = 60 };

static struct memory_source *loaded(void)
{
	struct memory_source *m = memory_source_new();
	query_load(m, 60, "c_total{job=\"a\"}", "0 10 20 5 15 _x2 25 35");
	query_load(m, 60, "g{job=\"a\"}", "1 -2 3.5 NaN 2 2 0 7 Inf");
	query_load(m, 60, "g{job=\"b\"}", "1e17 1 -1e17 1 1 0.1 0.2 0.3 0.4");
	return m;
}

TEST(rates_are_extrapolated_and_resets_added)
{
	static const struct query_case cases[] = {
		{ "rate(c_total[3m])", "{job=\"a\"} 0.05555555555555556 0.11111111111111112 0.125 0.125 "
				       "0.1388888888888889 _ _ 0.08333333333333333\n" },
		{ "increase(c_total[3m])", "{job=\"a\"} 10 20 22.5 22.5 25 _ _ 15\n" },
		{ "delta(c_total[3m])", "{job=\"a\"} 15 30 -7.5 -7.5 30 _ _ 15\n" },
		{ "irate(c_total[3m])",
			"{job=\"a\"} 0.16666666666666666 0.16666666666666666 0.08333333333333333 "
			"0.16666666666666666 0.16666666666666666 _ _ 0.16666666666666666\n" },
		{ "idelta(c_total[3m])", "{job=\"a\"} 10 10 -15 10 10 _ _ 10\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(a_rate_of_what_has_no_counters_name_is_remarked_on)
{
	static const struct query_case cases[] = {
		{ "rate(g{job=\"b\"}[2m])", "{job=\"b\"} 0 -1.6666666666666668e+15 1.6666666666666668e+15 0 "
					    "0.0016666666666666663 0.0016666666666666668 "
					    "0.0016666666666666663 0.0016666666666666672\n"
					    "info: metric might not be a counter, name does not end in "
					    "_total/_sum/_count/_bucket: \"g\" (1:6)\n" },
		{ "increase(nothing[2m])", "" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(resets_and_changes_are_counted_within_the_window)
{
	static const struct query_case cases[] = {
		{ "resets(c_total[5m])", "{job=\"a\"} 0 0 1 1 1 1 0 0\n" },
		{ "changes(c_total[1m])", "{job=\"a\"} 0 0 0 0 _ _ 0 0\n" },
		{ "changes(g[3m])", "{job=\"a\"} 1 2 2 2 1 1 2 2\n"
				    "{job=\"b\"} 1 2 2 1 1 2 2 2\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(samples_are_counted_and_picked)
{
	static const struct query_case cases[] = {
		{ "count_over_time(g[3m])", "{job=\"a\"} 2 3 3 3 3 3 3 3\n"
					    "{job=\"b\"} 2 3 3 3 3 3 3 3\n" },
		{ "present_over_time(c_total[1m])", "{job=\"a\"} 1 1 1 1 _ _ 1 1\n" },
		{ "first_over_time(g[3m])",
			"{__name__=\"g\", job=\"a\"} 1 1 -2 3.5 NaN 2 2 0\n"
			"{__name__=\"g\", job=\"b\"} 1e+17 1e+17 1 -1e+17 1 1 0.1 0.2\n" },
		{ "last_over_time(g[3m])", "{__name__=\"g\", job=\"a\"} -2 3.5 NaN 2 2 0 7 +Inf\n"
					   "{__name__=\"g\", job=\"b\"} 1 -1e+17 1 1 0.1 0.2 0.3 0.4\n" },
		{ "ts_of_first_over_time(g[3m])", "{job=\"a\"} 0 0 60 120 180 240 300 360\n"
						  "{job=\"b\"} 0 0 60 120 180 240 300 360\n" },
		{ "ts_of_last_over_time(g[3m])", "{job=\"a\"} 60 120 180 240 300 360 420 480\n"
						 "{job=\"b\"} 60 120 180 240 300 360 420 480\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(sums_are_compensated_and_exact_where_they_can_be)
{
	static const struct query_case cases[] = {
		{ "sum_over_time(g[4m])", "{job=\"a\"} -1 2.5 NaN NaN NaN NaN 11 +Inf\n"
					  "{job=\"b\"} 1e+17 1 2 -1e+17 -1e+17 2.3 1.6 1\n" },
		{ "sum_over_time(c_total[8m])", "{job=\"a\"} 10 30 35 50 50 50 75 110\n" },
		{ "avg_over_time(g[4m])",
			"{job=\"a\"} -0.5 0.8333333333333334 NaN NaN NaN NaN 2.75 +Inf\n"
			"{job=\"b\"} 5e+16 0.3333333333333333 0.5 -2.5e+16 -2.5e+16 0.575 0.4 0.25\n" },
		{ "avg_over_time(c_total[8m])", "{job=\"a\"} 5 10 8.75 10 10 10 12.5 18.333333333333332\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(an_average_does_not_overflow)
{
	static const struct query_case cases[] = {
		{ "avg_over_time(big[5m])", "{} 1.5e+308 1.5e+308 1.5666666666666668e+308 9.25e+307 +Inf\n" },
		{ "sum_over_time(big[5m])", "{} 1.5e+308 +Inf +Inf +Inf +Inf\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	query_load(m, 60, "big", "1.5e308 1.5e308 1.7e308 -1e308 Inf");
	struct query_env env = { .start = 0, .end = 240, .step = 60 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST(extremes_pass_nans_over)
{
	static const struct query_case cases[] = {
		{ "min_over_time(g[3m])", "{job=\"a\"} -2 -2 -2 2 2 0 0 0\n"
					  "{job=\"b\"} 1 -1e+17 -1e+17 -1e+17 0.1 0.1 0.1 0.2\n" },
		{ "max_over_time(g[3m])", "{job=\"a\"} 1 3.5 3.5 3.5 2 2 7 +Inf\n"
					  "{job=\"b\"} 1e+17 1e+17 1 1 1 1 0.3 0.4\n" },
		{ "ts_of_min_over_time(g[3m])", "{job=\"a\"} 60 60 60 240 300 360 360 360\n"
						"{job=\"b\"} 60 120 120 120 300 300 300 360\n" },
		{ "ts_of_max_over_time(g[3m])", "{job=\"a\"} 0 120 120 120 300 300 420 480\n"
						"{job=\"b\"} 0 0 180 240 240 240 420 480\n" },
		{ "max_over_time(g{job=\"a\"}[1m])", "{job=\"a\"} -2 3.5 NaN 2 2 0 7 +Inf\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(deviations_and_quantiles)
{
	static const struct query_case cases[] = {
		{ "stddev_over_time(c_total[4m])", "{job=\"a\"} 5 8.16496580927726 7.39509972887452 "
						   "5.5901699437494745 6.236095644623236 5 5 5\n" },
		{ "stdvar_over_time(c_total[4m])",
			"{job=\"a\"} 25 66.66666666666667 54.6875 31.25 38.88888888888889 25 25 25\n" },
		{ "quantile_over_time(0.5, g[4m])", "{job=\"a\"} -0.5 1 -0.5 0 2 1 2 4.5\n"
						    "{job=\"b\"} 5e+16 1 1 1 0.55 0.6 0.25 0.25\n" },
		{ "quantile_over_time(1.5, c_total[4m])",
			"{job=\"a\"} +Inf +Inf +Inf +Inf +Inf +Inf +Inf +Inf\n"
			"warning: quantile value should be between 0 and 1, got 1.5 (1:20)\n" },
		{ "quantile_over_time(NaN, c_total[4m])",
			"{job=\"a\"} NaN NaN NaN NaN NaN NaN NaN NaN\n"
			"warning: quantile value should be between 0 and 1, got NaN (1:20)\n" },
		{ "mad_over_time(g[4m])", "{job=\"a\"} 1.5 2.5 NaN NaN NaN NaN 1 3.5\n"
					  "{job=\"b\"} 5e+16 1e+17 5e+16 0 0.45 0.4 0.09999999999999999 "
					  "0.09999999999999999\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(lines_and_smoothing)
{
	static const struct query_case cases[] = {
		{ "deriv(c_total[4m])", "{job=\"a\"} 0.16666666666666666 0.16666666666666666 "
					"0.041666666666666664 0 -0.041666666666666664 0.16666666666666666 "
					"0.05555555555555555 0.16666666666666666\n" },
		{ "predict_linear(c_total[4m], 60)",
			"{job=\"a\"} 20 30 15 12.5 5.833333333333334 45 28.333333333333332 45\n" },
		{ "double_exponential_smoothing(c_total[5m], 0.5, 0.1)",
			"{job=\"a\"} 10 20 17.5 20.625 20.625 2.5 25 35\n" },
		{ "double_exponential_smoothing(c_total[5m], 1, 0.1)",
			"error: invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000\n" },
		{ "double_exponential_smoothing(c_total[5m], 0.5, 0)",
			"error: invalid trend factor. Expected: 0 < tf < 1, got: 0.000000\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(what_is_absent_has_the_labels_that_were_asked_for)
{
	static const struct query_case cases[] = {
		{ "absent_over_time(c_total[1m])", "{} _ _ _ _ 1 1 _ _\n" },
		{ "absent_over_time(c_total{job=\"a\",x=~\"y\"}[1m])", "{job=\"a\"} 1 1 1 1 1 1 1 1\n" },
		{ "absent_over_time(nothing{job=\"a\"}[1m:1m])", "{} 1 1 1 1 1 1 1 1\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(ranges_at_a_fixed_time_are_computed_once)
{
	static const struct query_case cases[] = {
		{ "sum_over_time(c_total[3m] @ 240)", "{job=\"a\"} 40 40 40 40 40 40 40 40\n" },
		{ "predict_linear(c_total[4m] @ 240, 60)",
			"{job=\"a\"} 12.5 12.5 12.5 12.5 12.5 12.5 12.5 12.5\n" },
		{ "count_over_time(c_total[1m] @ end() offset 1m)", "{job=\"a\"} 1 1 1 1 1 1 1 1\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(subqueries_are_computed_at_multiples_of_their_step)
{
	static const struct query_case cases[] = {
		{ "sum_over_time(c_total[4m:2m])", "{job=\"a\"} 0 20 20 35 35 30 30 50\n" },
		{ "sum_over_time(c_total[4m:])", "{job=\"a\"} 10 30 35 50 55 50 70 90\n" },
		{ "max_over_time(c_total[3m:30s] offset 1m)", "{job=\"a\"} 0 10 20 20 20 20 15 25\n" },
		{ "rate(c_total[3m:1m] @ end())",
			"{job=\"a\"} 0.16666666666666666 0.16666666666666666 0.16666666666666666 "
			"0.16666666666666666 0.16666666666666666 0.16666666666666666 0.16666666666666666 "
			"0.16666666666666666\n" },
		{ "max_over_time(rate(c_total[2m])[4m:1m])",
			"{job=\"a\"} 0.08333333333333333 0.16666666666666666 0.16666666666666666 "
			"0.16666666666666666 0.16666666666666666 0.125 0.125 0.16666666666666666\n" },
		{ "sum_over_time(c_total[10s:1m])", "{job=\"a\"} 10 20 5 15 15 15 25 35\n" },
		{ "sum_over_time(c_total[10s:7m])", "{job=\"a\"} _ _ _ _ _ _ 25 _\n" },
		{ "ts_of_last_over_time(c_total[3m:7s] @ 100)", "{job=\"a\"} 98 98 98 98 98 98 98 98\n" },
		{ "max_over_time(time()[3m:50s])", "error: 1:15: parse error: subquery is only allowed on "
						   "instant vector, got scalar instead\n" },
		{ "last_over_time(sum_over_time(c_total[2m:1m] @ 120)[3m:1m])",
			"{job=\"a\"} 30 30 30 30 30 30 30 30\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(extended_ranges_take_their_ends_from_beyond_the_window)
{
	static const struct query_case cases[] = {
		{ "rate(c_total[3m] anchored)",
			"{job=\"a\"} 0.05555555555555555 0.1111111111111111 0.1388888888888889 "
			"0.1388888888888889 0.08333333333333333 0.05555555555555555 0.05555555555555555 "
			"0.1111111111111111\n" },
		{ "increase(c_total[3m] anchored)", "{job=\"a\"} 10 20 25 25 15 10 10 20\n" },
		{ "delta(c_total[3m] anchored)", "{job=\"a\"} 10 20 5 5 -5 10 10 20\n" },
		{ "increase(c_total[3m] smoothed)", "{job=\"a\"} 10 20 25 25 18.333333333333332 "
						    "16.666666666666668 10 16.666666666666668\n" },
		{ "delta(c_total[150s] smoothed)",
			"{job=\"a\"} 10 20 0 0 5.833333333333332 11.666666666666668 8.333333333333332 15\n" },
		{ "resets(c_total[3m] anchored)", "{job=\"a\"} 0 0 1 1 1 0 0 0\n" },
		{ "changes(c_total[3m] anchored)", "{job=\"a\"} 1 2 3 3 2 1 1 2\n" },
		{ "sum_over_time(c_total[3m] anchored)",
			"error: anchored modifier can only be used with: changes, delta, increase, rate, "
			"resets - not with sum_over_time\n" },
		{ "irate(c_total[3m] smoothed)", "error: smoothed modifier can only be used with: delta, "
						 "increase, rate - not with irate\n" },
	};
	auto_of(memory_source) struct memory_source *m = loaded();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(windows_of_unlike_lengths_are_gone_through_side_by_side)
{
	static const struct query_case cases[] = {
		{ "sum_over_time(x[3m])", "{} 0.1 0.30000000000000004 0.5 0.5 0.3 0.7\n" },
		{ "avg_over_time(x[3m])", "{} 0.1 0.15000000000000002 0.25 0.25 0.3 0.7\n" },
		{ "stddev_over_time(x[3m])",
			"{} 0 0.049999999999999996 0.04999999999999999 0.04999999999999999 0 0\n" },
		{ "stdvar_over_time(x[1m])", "{} _ 0 0 _ _ 0\n" },
		{ "sum_over_time(x[1m])", "{} _ 0.2 0.3 _ _ 0.7\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	query_load(m, 60, "x", "0.1 _ 0.2 0.3 _x2 0.7");
	struct query_env env = { .start = 60, .end = 360, .step = 60 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST_MAIN()
