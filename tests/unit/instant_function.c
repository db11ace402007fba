/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of instant vectors and of scalars, as tables. */
#include "tests/support/query.h"
#include "tests/support/test.h"

static const struct query_env minutes = { .start = 0, .end = 180, .step = 60 };

TEST(floats_are_mapped_one_by_one)
{
	static const struct query_case cases[] = {
		{ "abs(m)", "{job=\"a\", n=\"10\"} 0 1e+09 4 0.5\n"
			    "{job=\"a\", n=\"2\"} 1.5 2.5 NaN 100\n" },
		{ "ceil(m)", "{job=\"a\", n=\"10\"} 0 1e+09 4 -0\n"
			     "{job=\"a\", n=\"2\"} -1 3 NaN 100\n" },
		{ "floor(m)", "{job=\"a\", n=\"10\"} 0 1e+09 4 -1\n"
			      "{job=\"a\", n=\"2\"} -2 2 NaN 100\n" },
		{ "round(m)", "{job=\"a\", n=\"10\"} 0 1e+09 4 0\n"
			      "{job=\"a\", n=\"2\"} -1 3 NaN 100\n" },
		{ "sgn(m)", "{job=\"a\", n=\"10\"} 0 1 1 -1\n"
			    "{job=\"a\", n=\"2\"} -1 1 NaN 1\n" },
		{ "sqrt(m)", "{job=\"a\", n=\"10\"} 0 31622.776601683792 2 NaN\n"
			     "{job=\"a\", n=\"2\"} NaN 1.5811388300841898 NaN 10\n" },
		{ "ln(m)", "{job=\"a\", n=\"10\"} -Inf 20.72326583694641 1.3862943611198906 NaN\n"
			   "{job=\"a\", n=\"2\"} NaN 0.9162907318741551 NaN 4.605170185988092\n" },
		{ "log2(m)", "{job=\"a\", n=\"10\"} -Inf 29.897352853986263 2 NaN\n"
			     "{job=\"a\", n=\"2\"} NaN 1.3219280948873624 NaN 6.643856189774724\n" },
		{ "log10(m)", "{job=\"a\", n=\"10\"} -Inf 9 0.6020599913279624 NaN\n"
			      "{job=\"a\", n=\"2\"} NaN 0.3979400086720376 NaN 2\n" },
		{ "deg(m{n=\"2\"})", "{job=\"a\", n=\"2\"} -85.94366926962348 143.2394487827058 NaN "
				     "5729.5779513082325\n" },
		{ "rad(m{n=\"2\"})", "{job=\"a\", n=\"2\"} -0.02617993877991494 0.04363323129985824 NaN "
				     "1.7453292519943295\n" },
		{ "-m", "{job=\"a\", n=\"10\"} -0 -1e+09 -4 0.5\n"
			"{job=\"a\", n=\"2\"} 1.5 -2.5 NaN -100\n" },
		{ "round(m, 0.1)", "{job=\"a\", n=\"10\"} 0 1e+09 4 -0.5\n"
				   "{job=\"a\", n=\"2\"} -1.5 2.5 NaN 100\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(clamps_take_their_bounds_from_each_step)
{
	static const struct query_case cases[] = {
		{ "clamp(m, -1, 2)", "{job=\"a\", n=\"10\"} 0 2 2 -0.5\n"
				     "{job=\"a\", n=\"2\"} -1 2 NaN 2\n" },
		{ "clamp(m, 2, 1)", "" },
		{ "clamp(m, scalar(other), 3)", "{job=\"a\", n=\"10\"} 1 3 3 _\n"
						"{job=\"a\", n=\"2\"} 1 2.5 NaN _\n" },
		{ "clamp_min(m, time())", "{job=\"a\", n=\"10\"} 0 1e+09 120 180\n"
					  "{job=\"a\", n=\"2\"} 0 60 NaN 180\n" },
		{ "clamp_max(m, 0)", "{job=\"a\", n=\"10\"} 0 0 0 -0.5\n"
				     "{job=\"a\", n=\"2\"} -1.5 0 NaN 0\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(dates_are_those_of_the_value_or_of_the_step)
{
	static const struct query_case cases[] = {
		{ "hour(other)", "{job=\"b\"} 0 0 0 0\n" },
		{ "hour()", "{} 0 0 0 0\n" },
		{ "minute()", "{} 0 1 2 3\n" },
		{ "year(vector(1709210096))", "{} 2024 2024 2024 2024\n" },
		{ "month(vector(1709210096))", "{} 2 2 2 2\n" },
		{ "day_of_month(vector(1709210096))", "{} 29 29 29 29\n" },
		{ "day_of_week(vector(1709210096))", "{} 4 4 4 4\n" },
		{ "day_of_year(vector(1709210096))", "{} 60 60 60 60\n" },
		{ "days_in_month(vector(1709210096))", "{} 29 29 29 29\n" },
		{ "days_in_month(vector(-1))", "{} 31 31 31 31\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(scalars_have_a_value_at_every_step)
{
	static const struct query_case cases[] = {
		{ "3", "{} 3 3 3 3\n" },
		{ "time()", "{} 0 60 120 180\n" },
		{ "vector(time())", "{} 0 60 120 180\n" },
		{ "scalar(other)", "{} 1 2 3 4\n" },
		{ "scalar(m)", "{} NaN NaN NaN NaN\n" },
		{ "scalar(nothing)", "{} NaN NaN NaN NaN\n" },
		{ "scalar(up{job=\"b\"})", "{} 5 5 6 NaN\n" },
		{ "pi()", "{} 3.141592653589793 3.141592653589793 3.141592653589793 3.141592653589793\n" },
		{ "min_of(1, time())", "{} 0 1 1 1\n" },
		{ "max_of(NaN, 1)", "{} NaN NaN NaN NaN\n" },
		{ "-pi()",
			"{} -3.141592653589793 -3.141592653589793 -3.141592653589793 -3.141592653589793\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_load(m, 60, "up{job=\"a\"}", "0+1x10");
	query_load(m, 60, "up{job=\"b\"}", "5 _ 6 stale _ 7 _x3 9");
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(a_querys_times_are_constants)
{
	static const struct query_case cases[] = {
		{ "start()", "{} 0 0 0 0\n" },
		{ "end()", "{} 180 180 180 180\n" },
		{ "range()", "{} 180 180 180 180\n" },
		{ "step()", "{} 60 60 60 60\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(absent_says_where_no_row_has_a_sample)
{
	static const struct query_case cases[] = {
		{ "absent(m)", "" },
		{ "absent(gappy{x=\"1\"})", "{x=\"1\"} _ 1 1 _\n" },
		{ "absent(nothing{job=\"a\",x=\"1\",x=\"2\",y!=\"z\"})", "{job=\"a\"} 1 1 1 1\n" },
		{ "absent((nothing{job=\"a\"}))", "{job=\"a\"} 1 1 1 1\n" },
		{ "absent(sqrt(nothing{job=\"a\"}))", "{} 1 1 1 1\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_load(m, 60, "gappy{x=\"1\"}", "1 stale stale 1");
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(functions_drop_what_describes_the_metric)
{
	static const struct query_case cases[] = {
		{ "abs({__name__=~\"m|other\"})", "{job=\"a\", n=\"10\"} 0 1e+09 4 0.5\n"
						  "{job=\"a\", n=\"2\"} 1.5 2.5 NaN 100\n"
						  "{job=\"b\"} 1 2 3 4\n" },
		{ "last_over_time({__name__=~\"m|other\"}[1m])",
			"{__name__=\"m\", job=\"a\", n=\"10\"} 0 1e+09 4 -0.5\n"
			"{__name__=\"m\", job=\"a\", n=\"2\"} -1.5 2.5 NaN 100\n"
			"{__name__=\"other\", __type__=\"gauge\", job=\"b\"} 1 2 3 4\n" },
		{ "sqrt({__name__=~\"m|other\"})",
			"{job=\"a\", n=\"10\"} 0 31622.776601683792 2 NaN\n"
			"{job=\"a\", n=\"2\"} NaN 1.5811388300841898 NaN 10\n"
			"{job=\"b\"} 1 1.4142135623730951 1.7320508075688772 2\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	query_check(m, &minutes, cases, ARRAY_LEN(cases));
}

TEST(names_that_go_at_the_end_may_be_given_anew)
{
	static const struct query_case cases[] = {
		{ "abs({__name__=~\"m|other\"})", "{job=\"a\", n=\"10\"} 0 1e+09 4 0.5\n"
						  "{job=\"a\", n=\"2\"} 1.5 2.5 NaN 100\n"
						  "{job=\"b\"} 1 2 3 4\n" },
		{ "label_replace(abs(m), \"__name__\", \"${1}_x\", \"job\", \"(.*)\")",
			"{__name__=\"a_x\", job=\"a\", n=\"10\"} 0 1e+09 4 0.5\n"
			"{__name__=\"a_x\", job=\"a\", n=\"2\"} 1.5 2.5 NaN 100\n" },
		{ "abs(label_replace(m, \"__name__\", \"${1}_x\", \"job\", \"(.*)\"))",
			"{job=\"a\", n=\"10\"} 0 1e+09 4 0.5\n"
			"{job=\"a\", n=\"2\"} 1.5 2.5 NaN 100\n" },
		{ "-last_over_time(m[1m])", "{job=\"a\", n=\"10\"} -0 -1e+09 -4 0.5\n"
					    "{job=\"a\", n=\"2\"} 1.5 -2.5 NaN -100\n" },
	};
	auto_of(memory_source) struct memory_source *m = query_gauges();
	struct query_env env = { .start = 0, .end = 180, .step = 60, .options.delayed_name_removal = true };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST_MAIN()
