/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/histogram_stats.h"
#include "tests/support/histograms.h"
#include "tests/support/query.h"
#include "tests/support/test.h"

static const char *const counter[] = {
	"{{count:4 sum:1 buckets:[4]}}",
	"{{count:6 sum:2 buckets:[6]}}",
	"{{count:7 sum:3 buckets:[3 4]}}", /* a bucket fell */
	"{{count:8 sum:4 buckets:[3 5] counter_reset_hint:gauge}}",
};

TEST(resets_are_seen_before_the_buckets_go)
{
	static const enum reset_hint want[] = { RESET_UNKNOWN, RESET_NO, RESET_YES, RESET_GAUGE };
	struct samples s = { 0 };
	samples_reserve(&s, ARRAY_LEN(counter));
	s.h = xcalloc(s.cap, sizeof s.h[0]);
	for (size_t i = 0; i < ARRAY_LEN(counter); i++) {
		s.t[i] = (int64_t)i;
		s.h[i] = histogram_of(counter[i]);
		s.v[i] = s.h[i]->sum;
	}
	s.n = ARRAY_LEN(counter);
	histogram_stats(&s);
	for (size_t i = 0; i < s.n; i++) {
		CHECK_INT(s.h[i]->reset_hint, want[i]);
		CHECK_INT(s.h[i]->n_positive, 0);
		CHECK_INT(s.h[i]->sum, i + 1);
	}
	samples_fini(&s);
}

static void load(struct memory_source *m, const char *series, const char *const *h, size_t n)
{
	size_t id = memory_source_series(m, series);
	for (size_t i = 0; i < n; i++)
		memory_source_add_histogram(m, id, (int64_t)i * 60000, histogram_of(h[i]));
}

TEST(functions_over_ranges_take_histograms)
{
	static const char *const custom[] = { "{{schema:-53 count:2 sum:1 custom_values:[5] buckets:[1 1]}}",
		"{{schema:-53 count:4 sum:3 custom_values:[5] buckets:[2 2]}}",
		"{{schema:-53 count:6 sum:5 custom_values:[5 10] buckets:[3 2 1]}}" };
	static const char *const gauge[] = { "{{count:2 sum:1 buckets:[2] counter_reset_hint:gauge}}",
		"{{count:5 sum:2 buckets:[5] counter_reset_hint:gauge}}",
		"{{count:3 sum:6 buckets:[3] counter_reset_hint:gauge}}" };
	static const char *const odd[] = { "{{count:2 sum:1 buckets:[2]}}",
		"{{schema:-53 count:2 sum:1 custom_values:[5] buckets:[1 1]}}" };
	static const struct query_case cases[] = {
		{ "increase(c_total[2m])",
			"{} _ {count:4 sum:2} {count:12.999999999999998 sum:5.571428571428571}\n" },
		{ "histogram_count(increase(c_total[2m]))", "{} _ 4 12.999999999999998\n" },
		{ "irate(c_total[2m]) * 60", "{} _ {count:2 sum:1} {count:7 sum:3}\n" },
		{ "resets(c_total[3m])", "{} 0 0 1\n" },
		{ "changes(c_total[3m])", "{} 0 1 2\n" },
		{ "sum_over_time(c_total[3m])", "{} {count:4 sum:1} {count:10 sum:3} {count:17 sum:6}\n" },
		{ "avg_over_time(c_total[2m])",
			"{} {count:4 sum:1} {count:5 sum:1.5} {count:6.5 sum:2.5}\n" },
		{ "last_over_time(c_total[1m])",
			"{__name__=\"c_total\"} {count:4 sum:1} {count:6 sum:2} {count:7 sum:3}\n" },
		{ "first_over_time(c_total[2m])",
			"{__name__=\"c_total\"} {count:4 sum:1} {count:4 sum:1} {count:6 sum:2}\n" },
		{ "-c_total", "{} {count:-4 sum:-1} {count:-6 sum:-2} {count:-7 sum:-3}\n" },
		{ "c_total @ 60",
			"{__name__=\"c_total\"} {count:6 sum:2} {count:6 sum:2} {count:6 sum:2}\n" },
		{ "max_over_time(c_total[3m])", "" },
		{ "increase(c_total[1m] anchored)", "{} {count:0 sum:0} {count:2 sum:1} {count:7 sum:3}\n" },
		{ "delta(g[2m])", "{} _ {count:6 sum:2} {count:-4 sum:8}\n" },
		{ "rate(g[2m]) * 0",
			"{} _ {count:0 sum:0} {count:0 sum:0}\n"
			"warning: this native histogram metric is not a counter: \"g\" (1:6)\n" },
		{ "sum_over_time(custom[3m])",
			"{} {count:2 sum:1} {count:6 sum:4} {count:12 sum:9}\n"
			"info: mismatched custom buckets were reconciled during aggregation (1:15)\n" },
		{ "increase(odd[2m])", "{} _ {count:4 sum:2} _\n" },
		{ "sum_over_time(mixed[2m])",
			"{} 1 _ {count:2 sum:1}\n"
			"warning: encountered a mix of histograms and floats for metric name "
			"\"mixed\" (1:15)\n" },
		{ "max_over_time(mixed[2m])",
			"{} 1 1 _\n"
			"info: ignored histograms in a range containing both floats and "
			"histograms for metric name \"mixed\" (1:15)\n" },
		{ "count_over_time(mixed[2m])", "{} 1 2 1\n" },
	};
	auto_of(memory_source) struct memory_source *m = memory_source_new();
	load(m, "c_total", counter, 3);
	load(m, "custom", custom, ARRAY_LEN(custom));
	load(m, "g", gauge, ARRAY_LEN(gauge));
	load(m, "odd", odd, ARRAY_LEN(odd));
	size_t mixed = memory_source_series(m, "mixed");
	memory_source_add(m, mixed, 0, 1);
	memory_source_add_histogram(m, mixed, 60000, histogram_of("{{count:2 sum:1 buckets:[2]}}"));
	struct query_env env = { .end = 120, .step = 60 };
	query_check(m, &env, cases, ARRAY_LEN(cases));
}

TEST_MAIN()
