/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram_estimate.h"

#include "lib/base/almost.h"
#include "tests/support/histograms.h"
#include "tests/support/test.h"

#include <math.h>

static void check_near(double got, double want, const char *what)
{
	if (!is_almost(got, want, 1e-12))
		test_fail(__FILE__, __LINE__, "%s gives %.17g, not %.17g", what, got, want);
}

static const struct {
	const char *h;
	double q, want;
	enum histogram_nan_note note;
} quantiles[] = {
	{ "{{}}", 0.5, NAN, NAN_NONE },
	{ "{{count:1 buckets:[1]}}", NAN, NAN, NAN_NONE },
	{ "{{count:1 buckets:[1]}}", -0.1, -INFINITY, NAN_NONE },
	{ "{{count:1 buckets:[1]}}", 1.1, INFINITY, NAN_NONE },
	/* On a logarithmic scale, from either end. */
	{ "{{count:4 sum:4 offset:1 buckets:[2 2]}}", 0.25, M_SQRT2, NAN_NONE },
	{ "{{count:4 sum:4 offset:1 buckets:[2 2]}}", 0.75, 2 * M_SQRT2, NAN_NONE },
	{ "{{count:4 sum:4 offset:1 buckets:[2 2]}}", 0, 1, NAN_NONE },
	{ "{{count:4 sum:4 offset:1 buckets:[2 2]}}", 1, 4, NAN_NONE },
	{ "{{count:4 sum:-4 n_offset:1 n_buckets:[2 2]}}", 0.25, -2 * M_SQRT2, NAN_NONE },
	{ "{{count:4 sum:-4 n_offset:1 n_buckets:[2 2]}}", 0.75, -M_SQRT2, NAN_NONE },
	/* On a linear one in the zero bucket, which ends at 0 if nothing lies beyond. */
	{ "{{count:4 sum:1 z_bucket:2 z_bucket_w:0.5 offset:1 buckets:[2]}}", 0.25, 0.25, NAN_NONE },
	{ "{{count:4 sum:1 z_bucket:2 z_bucket_w:0.5 offset:1 n_buckets:[2]}}", 0.75, -0.25, NAN_NONE },
	{ "{{count:4 sum:1 z_bucket:2 z_bucket_w:0.5 buckets:[1] n_buckets:[1]}}", 0.375, -0.25, NAN_NONE },
	{ "{{count:4 sum:1 z_bucket:4 z_bucket_w:0.5}}", 0.75, 0.25, NAN_NONE },
	/* And in custom buckets; the first begins at 0, or is all at its end, the last all at its beginning. */
	{ "{{schema:-53 count:8 sum:1 custom_values:[1 3] buckets:[2 4 2]}}", 0.125, 0.5, NAN_NONE },
	{ "{{schema:-53 count:8 sum:1 custom_values:[1 3] buckets:[2 4 2]}}", 0.5, 2, NAN_NONE },
	{ "{{schema:-53 count:8 sum:1 custom_values:[1 3] buckets:[2 4 2]}}", 0.99, 3, NAN_NONE },
	{ "{{schema:-53 count:8 sum:1 custom_values:[-1 3] buckets:[2 4 2]}}", 0.1, -1, NAN_NONE },
	/* NaN observations are in no bucket. */
	{ "{{count:4 sum:NaN offset:1 buckets:[1]}}", 0.5, NAN, NAN_RESULT },
	{ "{{count:4 sum:NaN offset:1 buckets:[2]}}", 0.25, M_SQRT2, NAN_SKEW },
	{ "{{count:4 sum:NaN offset:1 buckets:[4]}}", 0.5, M_SQRT2, NAN_NONE },
	/* Fewer observations in the buckets than there are: the end of the last one. */
	{ "{{count:4 sum:1 offset:1 buckets:[1]}}", 0.4, 2, NAN_NONE },
};

TEST(a_quantile_is_looked_for_in_its_bucket)
{
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		auto_free struct float_histogram *h = histogram_of(quantiles[i].h);
		enum histogram_nan_note note;
		check_near(histogram_quantile(h, quantiles[i].q, &note), quantiles[i].want, quantiles[i].h);
		CHECK_INT(note, quantiles[i].note);
	}
}

static const struct {
	const char *h;
	double lower, upper, want;
	enum histogram_nan_note note;
} fractions[] = {
	{ "{{}}", 0, 1, NAN, NAN_NONE },
	{ "{{count:1 buckets:[1]}}", NAN, 1, NAN, NAN_NONE },
	{ "{{count:1 buckets:[1]}}", 0, NAN, NAN, NAN_NONE },
	{ "{{count:1 buckets:[1]}}", 1, 1, 0, NAN_NONE },
	{ "{{count:1 buckets:[1]}}", 2, 1, 0, NAN_NONE },
	{ "{{count:4 sum:4 offset:1 buckets:[2 2]}}", -INFINITY, INFINITY, 1, NAN_NONE },
	{ "{{count:4 sum:4 offset:1 buckets:[2 2]}}", 1, 2, 0.5, NAN_NONE },
	{ "{{count:4 sum:4 offset:1 buckets:[2 2]}}", M_SQRT2, 2 * M_SQRT2, 0.5, NAN_NONE },
	{ "{{count:4 sum:4 n_offset:1 n_buckets:[2 2]}}", -M_SQRT2, 0, 0.25, NAN_NONE },
	{ "{{count:4 sum:1 z_bucket:2 z_bucket_w:0.5 offset:1 buckets:[2]}}", 0, 0.25, 0.25, NAN_NONE },
	{ "{{count:4 sum:1 z_bucket:4 z_bucket_w:0.5}}", 0, 0.25, 0.25, NAN_NONE },
	{ "{{schema:-53 count:8 sum:1 custom_values:[1 3] buckets:[2 4 2]}}", 1, 2, 0.25, NAN_NONE },
	{ "{{schema:-53 count:8 sum:1 custom_values:[1 3] buckets:[2 4 2]}}", 0, 1, 0.25, NAN_NONE },
	{ "{{schema:-53 count:8 sum:1 custom_values:[-1 3] buckets:[2 4 2]}}", -5, 1, 1.0 / 6, NAN_NONE },
	{ "{{schema:-53 count:8 sum:1 custom_values:[1 3] buckets:[2 4 2]}}", 4, INFINITY, 0.25, NAN_NONE },
	{ "{{count:4 sum:NaN offset:1 buckets:[2]}}", -INFINITY, INFINITY, 0.5, NAN_LEFT_OUT },
	{ "{{count:4 sum:NaN offset:1 buckets:[2]}}", -INFINITY, 1, 0, NAN_LEFT_OUT },
};

TEST(a_fraction_is_what_lies_between_two_values)
{
	for (size_t i = 0; i < ARRAY_LEN(fractions); i++) {
		auto_free struct float_histogram *h = histogram_of(fractions[i].h);
		enum histogram_nan_note note;
		check_near(histogram_fraction(h, fractions[i].lower, fractions[i].upper, &note),
			fractions[i].want, fractions[i].h);
		CHECK_INT(note, fractions[i].note);
	}
}

TEST(the_fraction_below_a_quantile_is_the_quantile)
{
	auto_free struct float_histogram *h = histogram_of(
		"{{schema:1 count:21 sum:5 z_bucket:4 z_bucket_w:0.01 buckets:[1 0 2 3] n_buckets:[4 0 7]}}");
	for (double q = 0.01; q < 1; q += 0.01) {
		enum histogram_nan_note note;
		double v = histogram_quantile(h, q, &note);
		CHECK(fabs(histogram_fraction(h, -INFINITY, v, &note) - q) < 1e-9);
	}
}

TEST(the_variance_takes_observations_to_lie_in_the_middle_of_their_buckets)
{
	static const struct {
		const char *h;
		double want;
	} cases[] = {
		{ "{{count:2 sum:0 offset:1 buckets:[1] n_offset:1 n_buckets:[1]}}", 2 },
		{ "{{count:4 sum:0 z_bucket:4 z_bucket_w:1}}", 0 },
		{ "{{schema:-53 count:2 sum:4 custom_values:[1 3 5] buckets:[0 2]}}", 0 },
		{ "{{schema:-53 count:2 sum:6 custom_values:[1 3 5] buckets:[0 1 1]}}", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free struct float_histogram *h = histogram_of(cases[i].h);
		check_near(histogram_variance(h), cases[i].want, cases[i].h);
	}
}

TEST_MAIN()
