/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram_text.h"

#include "tests/support/histograms.h"
#include "tests/support/test.h"

/* What Prometheus 3.14 prints of these. */
static const struct {
	const char *test, *message, *json;
} cases[] = {
	{ "{{}}", "{count:0, sum:0}", "{\"count\":\"0\",\"sum\":\"0\"}" },
	{ "{{count:4 sum:2.5 z_bucket:1 z_bucket_w:0.001 buckets:[1 0 2]}}",
		"{count:4, sum:2.5, [-0.001,0.001]:1, (0.5,1]:1, (2,4]:2}",
		"{\"count\":\"4\",\"sum\":\"2.5\",\"buckets\":[[3,\"-0.001\",\"0.001\",\"1\"],[0,\"0.5\","
		"\"1\",\"1\"],"
		"[0,\"2\",\"4\",\"2\"]]}" },
	{ "{{schema:1 count:3 sum:-1 offset:-1 buckets:[1] n_offset:1 n_buckets:[1 1]}}",
		"{count:3, sum:-1, [-2,-1.414213562373095):1, [-1.414213562373095,-1):1, "
		"(0.5,0.7071067811865475]:1}",
		"{\"count\":\"3\",\"sum\":\"-1\",\"buckets\":[[1,\"-2\",\"-1.414213562373095\",\"1\"],[1,"
		"\"-1.414213562373095\",\"-1\",\"1\"],[0,\"0.5\",\"0.7071067811865475\",\"1\"]]}" },
	{ "{{schema:-53 count:1e+06 sum:1e-07 custom_values:[-1 0.5] buckets:[1 2 3]}}",
		"{count:1e+06, sum:1e-07, [-Inf,-1]:1, (-1,0.5]:2, (0.5,+Inf]:3}",
		"{\"count\":\"1000000\",\"sum\":\"1e-07\",\"buckets\":[[3,\"-Inf\",\"-1\",\"1\"],[0,\"-1\","
		"\"0.5\","
		"\"2\"],[0,\"0.5\",\"+Inf\",\"3\"]]}" },
	/* Buckets that reach into the zero bucket keep their bounds in messages, not in answers. */
	{ "{{count:3 sum:NaN z_bucket:1 z_bucket_w:0.75 counter_reset_hint:gauge buckets:[1] n_buckets:[1]}}",
		"{count:3, sum:NaN, [-1,-0.5):1, [-0.75,0.75]:1, (0.5,1]:1}",
		"{\"count\":\"3\",\"sum\":\"NaN\",\"buckets\":[[1,\"-1\",\"-0.75\",\"1\"],[3,\"-0.75\",\"0."
		"75\",\"1\"],"
		"[0,\"0.75\",\"1\",\"1\"]]}" },
	{ "{{count:-2 z_bucket:-2 z_bucket_w:1 counter_reset_hint:reset}}", "{count:-2, sum:0, [-1,1]:-2}",
		"{\"count\":\"-2\",\"sum\":\"0\"}" },
};

TEST(histograms_are_printed_as_upstream_prints_them)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free struct float_histogram *h = histogram_of(cases[i].test);
		auto_buf struct buf test = { 0 }, message = { 0 }, json = { 0 };
		histogram_print_test(h, &test);
		histogram_print(h, &message);
		histogram_print_json(h, &json);
		CHECK_STR(buf_str(&test), cases[i].test);
		CHECK_STR(buf_str(&message), cases[i].message);
		CHECK_STR(buf_str(&json), cases[i].json);
	}
}

TEST(only_the_populated_part_of_a_side_is_a_test_scripts_list)
{
	auto_free struct float_histogram *h =
		histogram_of("{{offset:-3 buckets:[0 1 0 0 2 0] n_buckets:[0 0]}}");
	auto_buf struct buf test = { 0 };
	histogram_print_test(h, &test);
	CHECK_STR(buf_str(&test), "{{offset:-2 buckets:[1 0 0 2]}}");

	struct histogram_span far[] = { { 0, 1 }, { 1 << 29, 1 } };
	double counts[] = { 1, 2 };
	struct float_histogram wide = {
		.positive_spans = far, .n_positive_spans = 2, .positive = counts, .n_positive = 2
	};
	buf_reset(&test);
	histogram_print_test(&wide, &test);
	CHECK_STR(buf_str(&test), "{{buckets:[1 ... 2]}}");
}

TEST_MAIN()
