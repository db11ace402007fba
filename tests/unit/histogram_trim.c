/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/float_histogram.h"
#include "lib/tsdb/histogram_text.h"
#include "tests/support/histograms.h"
#include "tests/support/test.h"

#include <math.h>

/* What Prometheus 3.14 makes of h </ at and h >/ at. */
static const struct {
	const char *h;
	double at;
	const char *below, *above;
} cases[] = {
	{ "{{count:4 sum:9 buckets:[1 2 1]}}", 2, "{{count:3 sum:3.5355339059327378 buckets:[1 2]}}",
		"{{count:1 sum:2.8284271247461903 offset:2 buckets:[1]}}" },
	{ "{{count:4 sum:9 buckets:[1 2 1]}}", 1.5,
		"{{count:2.1699250014423126 sum:2.139966426615817 buckets:[1 1.1699250014423126]}}",
		"{{count:1.8300749985576874 sum:4.266159196340768 offset:1 buckets:[0.8300749985576874 "
		"1]}}" },
	{ "{{count:4 sum:9 buckets:[1 2 1]}}", 100, "{{count:4 sum:9 buckets:[1 2 1]}}", "{{}}" },
	{ "{{count:4 sum:9 buckets:[1 2 1]}}", -INFINITY, "{{}}", "{{count:4 sum:9 buckets:[1 2 1]}}" },
	{ "{{count:4 sum:9 buckets:[1 2 1]}}", NAN, "{{}}", "{{}}" },
	{ "{{count:5 sum:-3 z_bucket:1 z_bucket_w:0.5 n_buckets:[1 2 1]}}", -1.5,
		"{{count:1.8300749985576874 sum:-4.266159196340768 z_bucket_w:0.5 n_offset:1 "
		"n_buckets:[0.8300749985576874 1]}}",
		"{{count:3.1699250014423126 sum:-2.389966426615817 z_bucket:1 z_bucket_w:0.5 n_buckets:[1 "
		"1.1699250014423126]}}" },
	{ "{{count:5 sum:-3 z_bucket:2 z_bucket_w:0.5 n_buckets:[1 2]}}", -0.25,
		"{{count:4 sum:-3.9105339059327378 z_bucket:1 z_bucket_w:0.5 n_buckets:[1 2]}}",
		"{{count:1 sum:-0.125 z_bucket:1 z_bucket_w:0.5}}" },
	{ "{{count:5 sum:3 z_bucket:2 z_bucket_w:0.5 buckets:[1 2]}}", 0.125,
		"{{count:0.5 sum:0.03125 z_bucket:0.5 z_bucket_w:0.5}}",
		"{{count:4.5 sum:4.004283905932738 z_bucket:1.5 z_bucket_w:0.5 buckets:[1 2]}}" },
	{ "{{count:5 sum:3 z_bucket:2 z_bucket_w:0.5 buckets:[1 1] n_buckets:[1]}}", 0.25,
		"{{count:2.5 sum:-0.8946067811865476 z_bucket:1.5 z_bucket_w:0.5 n_buckets:[1]}}",
		"{{count:2.5 sum:2.308820343559643 z_bucket:0.5 z_bucket_w:0.5 buckets:[1 1]}}" },
	{ "{{count:3 sum:3 z_bucket:3}}", 0, "{{}}", "{{count:3 sum:3 z_bucket:3}}" },
	{ "{{schema:-53 count:6 sum:10 custom_values:[1 3] buckets:[1 2 3]}}", 0.5,
		"{{schema:-53 count:0.5 sum:0.125 custom_values:[1 3] buckets:[0.5]}}",
		"{{schema:-53 count:5.5 sum:13.375 custom_values:[1 3] buckets:[0.5 2 3]}}" },
	{ "{{schema:-53 count:6 sum:10 custom_values:[1 3] buckets:[1 2 3]}}", 2,
		"{{schema:-53 count:2 sum:2 custom_values:[1 3] buckets:[1 1]}}",
		"{{schema:-53 count:4 sum:11.5 custom_values:[1 3] offset:1 buckets:[1 3]}}" },
	{ "{{schema:-53 count:6 sum:10 custom_values:[1 3] buckets:[1 2 3]}}", 5,
		"{{schema:-53 count:3 sum:4.5 custom_values:[1 3] buckets:[1 2]}}",
		"{{schema:-53 count:3 sum:15 custom_values:[1 3] offset:2 buckets:[3]}}" },
	{ "{{schema:-53 count:6 sum:10 custom_values:[-2 3] buckets:[1 2 3]}}", -5,
		"{{schema:-53 count:1 sum:-5 custom_values:[-2 3] buckets:[1]}}",
		"{{schema:-53 count:5 sum:10 custom_values:[-2 3] offset:1 buckets:[2 3]}}" },
	{ "{{schema:-53 count:6 sum:10 custom_values:[-2 3] buckets:[1 2 3]}}", -2,
		"{{schema:-53 count:1 sum:-2 custom_values:[-2 3] buckets:[1]}}",
		"{{schema:-53 count:5 sum:10 custom_values:[-2 3] offset:1 buckets:[2 3]}}" },
	{ "{{schema:-53 count:6 sum:10 custom_values:[] buckets:[6]}}", 1, "{{schema:-53 custom_values:[]}}",
		"{{schema:-53 custom_values:[]}}" },
};

TEST(what_lies_beyond_a_value_is_cut_off)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free struct float_histogram *h = histogram_of(cases[i].h);
		auto_free struct float_histogram *below = float_histogram_trim(h, cases[i].at, true),
						 *above = float_histogram_trim(h, cases[i].at, false);
		auto_buf struct buf text = { 0 };
		histogram_print_test(below, &text);
		CHECK_STR(buf_str(&text), cases[i].below);
		buf_reset(&text);
		histogram_print_test(above, &text);
		CHECK_STR(buf_str(&text), cases[i].above);
	}
}

TEST(what_is_kept_on_both_sides_adds_up)
{
	auto_free struct float_histogram *h = histogram_of(
		"{{schema:1 count:17 sum:5 z_bucket:2 z_bucket_w:0.01 buckets:[1 0 2 3] n_buckets:[4 5]}}");
	for (double at = -3; at < 5; at += 0.25) {
		auto_free struct float_histogram *below = float_histogram_trim(h, at, true),
						 *above = float_histogram_trim(h, at, false);
		CHECK(fabs(below->count + above->count - 17) < 1e-9);
	}
}

TEST_MAIN()
