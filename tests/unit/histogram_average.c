/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram_average.h"

#include "lib/tsdb/histogram_text.h"
#include "tests/support/histograms.h"
#include "tests/support/test.h"

#include <errno.h>

static void check_average(const char *const *texts, size_t n, const char *want, int want_noted)
{
	struct histogram_average a = { 0 };
	auto_buf struct buf text = { 0 };
	/* Twice, because memory is used again. */
	for (int round = 0; round < 2; round++) {
		int noted = 0;
		histogram_average_reset(&a);
		for (size_t i = 0; i < n; i++) {
			auto_free struct float_histogram *h = histogram_of(texts[i]);
			int r = histogram_average_add(&a, h);
			CHECK(r >= 0);
			noted |= r;
		}
		struct histogram_sum *mean = histogram_average_get(&a);
		histogram_sum_compact(mean);
		buf_reset(&text);
		histogram_print_test(&mean->value, &text);
		CHECK_STR(buf_str(&text), want);
		CHECK_INT(noted, want_noted);
	}
	histogram_average_fini(&a);
}

#define CHECK_AVERAGE(want, noted, ...)                                  \
	do {                                                             \
		const char *const texts_[] = { __VA_ARGS__ };            \
		check_average(texts_, ARRAY_LEN(texts_), want, (noted)); \
	} while (0)

TEST(a_mean_is_the_sum_divided)
{
	CHECK_AVERAGE("{{count:3 sum:4 buckets:[1 2]}}", 0, "{{count:3 sum:4 buckets:[1 2]}}");
	CHECK_AVERAGE("{{count:3 sum:2.5 buckets:[1.5 1 0.5]}}", 0, "{{count:2 sum:4 buckets:[1 1]}}",
		"{{count:4 sum:1 buckets:[2 1 1]}}");
	CHECK_AVERAGE("{{schema:-53 count:1.5 custom_values:[2] buckets:[1 0.5]}}",
		HISTOGRAM_BOUNDS_RECONCILED, "{{schema:-53 count:2 custom_values:[1 2] buckets:[1 1]}}",
		"{{schema:-53 count:1 custom_values:[2 3] buckets:[0 1]}}");
	CHECK_AVERAGE("{{count:1}}", HISTOGRAM_RESETS_COLLIDED, "{{count:1 counter_reset_hint:reset}}",
		"{{count:1 counter_reset_hint:not_reset}}");
}

TEST(a_mean_does_not_lose_small_numbers_to_large_ones)
{
	CHECK_AVERAGE("{{count:1 sum:0.5 buckets:[1 0.5] n_buckets:[0.25]}}", 0,
		"{{count:1 sum:1e100 buckets:[1 1e100] n_buckets:[1e50]}}",
		"{{count:1 sum:1 buckets:[1 1] n_buckets:[1]}}", "{{count:1 sum:1 buckets:[1 1]}}",
		"{{count:1 sum:-1e100 buckets:[1 -1e100] n_buckets:[-1e50]}}");
}

TEST(a_mean_of_numbers_whose_sum_is_too_large_is_none_the_less_a_number)
{
	CHECK_AVERAGE("{{count:1 sum:1e+308 buckets:[1]}}", 0, "{{count:1 sum:1e308 buckets:[1]}}",
		"{{count:1 sum:1e308 buckets:[1]}}");
	CHECK_AVERAGE("{{count:2e+307 sum:1 buckets:[2e+307]}}", 0, "{{count:1e307 sum:1 buckets:[1e307]}}",
		"{{count:3e307 sum:1 buckets:[3e307]}}");
	/* Only bounds on the sizes get near the largest double, not the sum: nothing changes. */
	CHECK_AVERAGE("{{count:0.5}}", 0, "{{count:1 sum:1.5e308}}", "{{sum:-1.5e308}}");
}

TEST(a_mean_of_exponential_and_custom_buckets_is_refused)
{
	auto_free struct float_histogram *a = histogram_of("{{count:1 sum:1e308 buckets:[1]}}");
	auto_free struct float_histogram *b =
		histogram_of("{{schema:-53 count:1 custom_values:[1] buckets:[1]}}");
	struct histogram_average mean = { 0 };
	CHECK_INT(histogram_average_add(&mean, a), 0);
	CHECK_INT(histogram_average_add(&mean, b), -EINVAL);
	histogram_average_reset(&mean);
	CHECK_INT(histogram_average_add(&mean, b), 0);
	CHECK_INT(histogram_average_add(&mean, a), -EINVAL);
	histogram_average_fini(&mean);
}

/* Wherever they are cut in two. */
static void check_merged(const char *const *texts, size_t n, const char *want, int want_noted)
{
	for (size_t cut = 0; cut <= n; cut++) {
		struct histogram_average parts[2] = { 0 };
		int noted = 0;
		for (size_t i = 0; i < n; i++) {
			auto_free struct float_histogram *h = histogram_of(texts[i]);
			noted |= histogram_average_add(&parts[i >= cut], h);
		}
		noted |= histogram_average_merge(&parts[0], &parts[1]);
		CHECK_INT(noted, want_noted);
		auto_buf struct buf text = { 0 };
		struct histogram_sum *mean = histogram_average_get(&parts[0]);
		histogram_sum_compact(mean);
		histogram_print_test(&mean->value, &text);
		CHECK_STR(buf_str(&text), want);
		histogram_average_fini(&parts[0]);
		histogram_average_fini(&parts[1]);
	}
}

TEST(means_of_parts_are_put_together)
{
	static const char *const plain[] = { "{{count:1 sum:4 buckets:[1]}}",
		"{{count:2 sum:1 buckets:[0 2]}}", "{{count:3 sum:1 buckets:[3]}}",
		"{{count:6 sum:2 buckets:[6]}}" };
	check_merged(plain, ARRAY_LEN(plain), "{{count:3 sum:2 buckets:[2.5 0.5]}}", 0);
	static const char *const large[] = { "{{count:1.5e308 sum:1}}", "{{count:1.5e308 sum:1}}" };
	check_merged(large, ARRAY_LEN(large), "{{count:1.5e+308 sum:1}}", 0);
	static const char *const bounds[] = { "{{schema:-53 count:2 custom_values:[1 2] buckets:[1 1]}}",
		"{{schema:-53 count:1 custom_values:[2 3] buckets:[0 1]}}" };
	check_merged(bounds, ARRAY_LEN(bounds), "{{schema:-53 count:1.5 custom_values:[2] buckets:[1 0.5]}}",
		HISTOGRAM_BOUNDS_RECONCILED);
}

TEST(parts_that_do_not_go_together_have_no_mean)
{
	struct histogram_average parts[2] = { 0 };
	auto_free struct float_histogram *h = histogram_of("{{count:1 buckets:[1]}}"),
					 *custom = histogram_of(
						 "{{schema:-53 count:1 custom_values:[2] buckets:[1]}}");
	histogram_average_add(&parts[0], h);
	histogram_average_add(&parts[1], custom);
	CHECK_INT(histogram_average_merge(&parts[0], &parts[1]), -EINVAL);
	histogram_average_fini(&parts[0]);
	histogram_average_fini(&parts[1]);
}

TEST_MAIN()
