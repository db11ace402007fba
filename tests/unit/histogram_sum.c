/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/histogram_sum.h"

#include "lib/tsdb/histogram_text.h"
#include "tests/support/histograms.h"
#include "tests/support/test.h"

#include <errno.h>

static void check_text(const struct float_histogram *h, const char *want)
{
	auto_buf struct buf text = { 0 };
	histogram_print_test(h, &text);
	CHECK_STR(buf_str(&text), want);
}

struct binary {
	const char *a, *b, *sum, *difference;
	int noted;
};

static const struct binary binaries[] = {
	/* The same buckets. */
	{ "{{count:3 sum:4 buckets:[1 2]}}", "{{count:5 sum:1 buckets:[2 3]}}",
		"{{count:8 sum:5 buckets:[3 5]}}",
		"{{count:-2 sum:3 counter_reset_hint:gauge buckets:[-1 -1]}}", 0 },
	/* Buckets of one appear in the other, before, between and behind. */
	{ "{{count:2 sum:1 offset:2 buckets:[1 0 1]}}", "{{count:5 sum:1 buckets:[1 0 0 1 0 3]}}",
		"{{count:7 sum:2 buckets:[1 0 1 1 1 3]}}",
		"{{count:-3 counter_reset_hint:gauge buckets:[-1 0 1 -1 1 -3]}}", 0 },
	{ "{{}}", "{{count:1 sum:1 n_offset:-3 n_buckets:[1]}}",
		"{{count:1 sum:1 n_offset:-3 n_buckets:[1]}}",
		"{{count:-1 sum:-1 counter_reset_hint:gauge n_offset:-3 n_buckets:[-1]}}", 0 },
	/* The coarser schema wins, on either side. */
	{ "{{schema:1 count:4 sum:1 offset:1 buckets:[1 1 1 1]}}", "{{count:2 sum:1 offset:1 buckets:[2]}}",
		"{{count:6 sum:2 offset:1 buckets:[4 2]}}",
		"{{count:2 counter_reset_hint:gauge offset:2 buckets:[2]}}", 0 },
	{ "{{count:2 sum:1 offset:1 buckets:[2]}}", "{{schema:1 count:4 sum:1 offset:1 buckets:[1 1 1 1]}}",
		"{{count:6 sum:2 offset:1 buckets:[4 2]}}",
		"{{count:-2 counter_reset_hint:gauge offset:2 buckets:[-2]}}", 0 },
	/* So does the wider zero bucket, which takes in what it covers. */
	{ "{{count:3 sum:1 z_bucket:1 z_bucket_w:0.5 buckets:[1 1]}}",
		"{{count:4 sum:1 z_bucket:2 z_bucket_w:1 offset:1 buckets:[2]}}",
		"{{count:7 sum:2 z_bucket:4 z_bucket_w:1 offset:1 buckets:[3]}}",
		"{{count:-1 z_bucket_w:1 counter_reset_hint:gauge offset:1 buckets:[-1]}}", 0 },
	{ "{{count:4 sum:1 z_bucket:2 z_bucket_w:1 offset:1 buckets:[2]}}",
		"{{count:3 sum:1 z_bucket:1 z_bucket_w:0.5 buckets:[1 1]}}",
		"{{count:7 sum:2 z_bucket:4 z_bucket_w:1 offset:1 buckets:[3]}}",
		"{{count:1 z_bucket_w:1 counter_reset_hint:gauge offset:1 buckets:[1]}}", 0 },
	/* A zero bucket that would end inside of a populated bucket ends behind it. */
	{ "{{count:3 sum:1 z_bucket:1 z_bucket_w:0.5 n_offset:1 n_buckets:[2]}}",
		"{{count:1 sum:1 z_bucket:1 z_bucket_w:1.5}}", "{{count:4 sum:2 z_bucket:4 z_bucket_w:2}}",
		"{{count:2 z_bucket:2 z_bucket_w:2 counter_reset_hint:gauge}}", 0 },
	/* Custom bounds: the same, and what two lists have in common. */
	{ "{{schema:-53 count:3 sum:1 custom_values:[1 2] buckets:[1 1 1]}}",
		"{{schema:-53 count:1 sum:1 custom_values:[1 2] buckets:[0 1]}}",
		"{{schema:-53 count:4 sum:2 custom_values:[1 2] buckets:[1 2 1]}}",
		"{{schema:-53 count:2 custom_values:[1 2] counter_reset_hint:gauge buckets:[1 0 1]}}", 0 },
	{ "{{schema:-53 count:10 sum:1 custom_values:[1 2 3] buckets:[1 2 3 4]}}",
		"{{schema:-53 count:3 sum:1 custom_values:[2 5] buckets:[1 1 1]}}",
		"{{schema:-53 count:13 sum:2 custom_values:[2] buckets:[4 9]}}",
		"{{schema:-53 count:7 custom_values:[2] counter_reset_hint:gauge buckets:[2 5]}}",
		HISTOGRAM_BOUNDS_RECONCILED },
	{ "{{schema:-53 count:3 sum:1 custom_values:[1 2] buckets:[1 1 1]}}",
		"{{schema:-53 count:2 sum:1 custom_values:[3] buckets:[1 1]}}",
		"{{schema:-53 count:5 sum:2 custom_values:[] buckets:[5]}}",
		"{{schema:-53 count:1 custom_values:[] counter_reset_hint:gauge buckets:[1]}}",
		HISTOGRAM_BOUNDS_RECONCILED },
	/* Reset hints. */
	{ "{{count:1 counter_reset_hint:reset}}", "{{count:1 counter_reset_hint:reset}}",
		"{{count:2 counter_reset_hint:reset}}", "{{counter_reset_hint:gauge}}", 0 },
	{ "{{count:1 counter_reset_hint:not_reset}}", "{{count:1 counter_reset_hint:reset}}", "{{count:2}}",
		"{{counter_reset_hint:gauge}}", HISTOGRAM_RESETS_COLLIDED },
	{ "{{count:1 counter_reset_hint:not_reset}}", "{{count:1}}", "{{count:2}}",
		"{{counter_reset_hint:gauge}}", 0 },
	{ "{{count:1 counter_reset_hint:not_reset}}", "{{count:1 counter_reset_hint:gauge}}",
		"{{count:2 counter_reset_hint:gauge}}", "{{counter_reset_hint:gauge}}", 0 },
};

TEST(two_histograms_are_added_and_subtracted_as_upstream_does)
{
	for (size_t i = 0; i < ARRAY_LEN(binaries); i++) {
		const struct binary *c = &binaries[i];
		auto_free struct float_histogram *a = histogram_of(c->a), *b = histogram_of(c->b);
		int noted, noted_too;
		auto_free struct float_histogram *sum = float_histogram_add(a, b, &noted),
						 *difference = float_histogram_sub(a, b, &noted_too);
		check_text(sum, c->sum);
		check_text(difference, c->difference);
		CHECK_INT(noted, c->noted);
		CHECK_INT(noted_too, c->noted);
	}
}

TEST(a_compensated_sum_is_the_same_where_nothing_is_lost)
{
	for (size_t i = 0; i < ARRAY_LEN(binaries); i++) {
		const struct binary *c = &binaries[i];
		auto_free struct float_histogram *a = histogram_of(c->a), *b = histogram_of(c->b);
		struct histogram_sum s = { 0 };
		histogram_sum_set(&s, a);
		CHECK_INT(histogram_sum_add_exactly(&s, b), c->noted);
		histogram_sum_settle(&s);
		histogram_sum_compact(&s);
		check_text(&s.value, c->sum);
		histogram_sum_fini(&s);
	}
}

TEST(custom_and_exponential_buckets_do_not_add_up)
{
	auto_free struct float_histogram *a = histogram_of("{{count:1 buckets:[1]}}");
	auto_free struct float_histogram *b =
		histogram_of("{{schema:-53 count:1 custom_values:[1] buckets:[1]}}");
	int noted;
	CHECK(!float_histogram_add(a, b, &noted));
	CHECK_INT(noted, -EINVAL);
	CHECK(!float_histogram_sub(b, a, &noted));
	CHECK_INT(noted, -EINVAL);
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, a);
	CHECK_INT(histogram_sum_add(&s, b), -EINVAL);
	check_text(&s.value, "{{count:1 buckets:[1]}}");
	histogram_sum_fini(&s);
}

TEST(what_rounding_takes_is_given_back)
{
	auto_free struct float_histogram *large =
		histogram_of("{{count:1e100 sum:1e100 z_bucket:1e100 buckets:[1e100] n_buckets:[1e100]}}");
	auto_free struct float_histogram *small =
		histogram_of("{{count:1 sum:1 z_bucket:1 buckets:[1 1] n_buckets:[1]}}");
	auto_free struct float_histogram *minus = float_histogram_mul(large, -1);
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, small);
	histogram_sum_add_exactly(&s, large);
	histogram_sum_add_exactly(&s, small);
	histogram_sum_add_exactly(&s, minus);
	histogram_sum_compact(&s);
	histogram_sum_div(&s, 2);
	histogram_sum_settle(&s);
	check_text(&s.value,
		"{{count:1 sum:1 z_bucket:1 counter_reset_hint:gauge buckets:[1 1] n_buckets:[1]}}");
	histogram_sum_fini(&s);
}

TEST(what_rounding_took_moves_with_the_buckets)
{
	auto_free struct float_histogram *large =
		histogram_of("{{schema:1 count:1 offset:1 buckets:[1e100] n_offset:1 n_buckets:[1e100]}}");
	auto_free struct float_histogram *small =
		histogram_of("{{schema:1 count:1 offset:1 buckets:[1 1] n_offset:1 n_buckets:[1 1]}}");
	auto_free struct float_histogram *coarse =
		histogram_of("{{count:1 offset:1 buckets:[1] n_offset:1 n_buckets:[1]}}");
	auto_free struct float_histogram *wide = histogram_of("{{count:1 z_bucket_w:2}}");
	auto_free struct float_histogram *minus = float_histogram_mul(large, -1);
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, large);
	histogram_sum_add_exactly(&s, small);
	histogram_sum_add_exactly(&s, coarse);
	histogram_sum_add_exactly(&s, minus);
	histogram_sum_add_exactly(&s, wide);
	histogram_sum_settle(&s);
	histogram_sum_compact(&s);
	check_text(&s.value, "{{count:3 z_bucket:6 z_bucket_w:2 counter_reset_hint:gauge}}");
	histogram_sum_fini(&s);
}

TEST(a_sum_keeps_its_memory)
{
	auto_free struct float_histogram *a = histogram_of("{{count:3 sum:4 buckets:[1 2]}}");
	auto_free struct float_histogram *b = histogram_of("{{count:3 sum:4 offset:-2 buckets:[1 2 3 4 5]}}");
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, b);
	const double *memory = s.value.positive;
	for (int i = 0; i < 1000; i++) {
		histogram_sum_set(&s, b);
		histogram_sum_add_exactly(&s, a);
		histogram_sum_add(&s, b);
		histogram_sum_sub(&s, b);
		CHECK(s.value.positive == memory);
	}
	histogram_sum_fini(&s);
}

static const struct {
	const char *before;
	double factor;
	const char *product, *quotient;
} scales[] = {
	{ "{{count:3 sum:4 z_bucket:1 buckets:[1 1] n_buckets:[2]}}", 2,
		"{{count:6 sum:8 z_bucket:2 buckets:[2 2] n_buckets:[4]}}",
		"{{count:1.5 sum:2 z_bucket:0.5 buckets:[0.5 0.5] n_buckets:[1]}}" },
	{ "{{count:2 sum:4 counter_reset_hint:reset buckets:[1 1]}}", -1,
		"{{count:-2 sum:-4 counter_reset_hint:gauge buckets:[-1 -1]}}",
		"{{count:-2 sum:-4 counter_reset_hint:gauge buckets:[-1 -1]}}" },
	{ "{{count:2 sum:4 z_bucket_w:1 buckets:[1 1] n_buckets:[1]}}", 0, "{{z_bucket_w:1}}",
		"{{count:+Inf sum:+Inf z_bucket:NaN z_bucket_w:1}}" },
};

TEST(scaling_changes_every_number_and_by_a_negative_one_the_hint)
{
	for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
		auto_free struct float_histogram *h = histogram_of(scales[i].before);
		auto_free struct float_histogram *product = float_histogram_mul(h, scales[i].factor),
						 *quotient = float_histogram_div(h, scales[i].factor);
		check_text(product, scales[i].product);
		check_text(quotient, scales[i].quotient);
	}
}

TEST(compaction_leaves_populated_buckets_in_the_fewest_spans)
{
	struct histogram_span spans[] = { { -2, 3 }, { 0, 2 }, { 0, 0 }, { 3, 1 }, { 0, 0 } };
	double counts[] = { 0, 1, 0, 2, 3, 0 };
	struct float_histogram h = { .positive_spans = spans,
		.n_positive_spans = ARRAY_LEN(spans),
		.positive = counts,
		.n_positive = ARRAY_LEN(counts) };
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, &h);
	histogram_sum_compact(&s);
	CHECK_INT(s.value.n_positive_spans, 2);
	CHECK_INT(s.value.n_positive, 3);
	CHECK_INT(s.value.positive_spans[0].offset, -1);
	CHECK_INT(s.value.positive_spans[0].length, 1);
	CHECK_INT(s.value.positive_spans[1].offset, 1);
	CHECK_INT(s.value.positive_spans[1].length, 2);
	histogram_sum_fini(&s);
}

/*
 * A histogram with holes, of whole numbers, so that sums of them are exact. Zero buckets end where buckets of every schema do, and no
 * bucket is inside of its own.
 */
static struct float_histogram *random_histogram(uint64_t *seed)
{
	static const double thresholds[] = { 0, 1, 16 };
	struct histogram_span spans[2][3];
	double counts[2][24];
	size_t zero = test_random(seed) % ARRAY_LEN(thresholds);
	int32_t schema = (int32_t)(test_random(seed) % 6) - 2;
	int32_t first = zero == 2 ? (int32_t)ldexp(4, schema) + 1 : zero ? 1 : -8;
	struct float_histogram h = {
		.schema = schema,
		.zero_threshold = thresholds[zero],
		.zero_count = (double)(test_random(seed) % 10),
		.sum = (double)(test_random(seed) % 1000),
		.positive_spans = spans[0],
		.negative_spans = spans[1],
		.positive = counts[0],
		.negative = counts[1],
		.n_positive_spans = (uint32_t)(test_random(seed) % 4),
		.n_negative_spans = (uint32_t)(test_random(seed) % 4),
	};
	h.count = h.zero_count;
	for (int side = 0; side < 2; side++) {
		uint32_t n = 0;
		for (uint32_t i = 0; i < (side ? h.n_negative_spans : h.n_positive_spans); i++) {
			spans[side][i].offset = (int32_t)(test_random(seed) % 6) + (i ? 0 : first);
			spans[side][i].length = (uint32_t)(test_random(seed) % 8);
			for (uint32_t k = 0; k < spans[side][i].length; k++)
				h.count += counts[side][n++] = (double)(test_random(seed) % 5);
		}
		*(side ? &h.n_negative : &h.n_positive) = n;
	}
	return float_histogram_copy(&h);
}

static double sum_of_buckets(const struct float_histogram *h)
{
	double sum = h->zero_count;
	for (uint32_t i = 0; i < h->n_positive; i++)
		sum += h->positive[i];
	for (uint32_t i = 0; i < h->n_negative; i++)
		sum += h->negative[i];
	return sum;
}

TEST(no_observation_is_lost_or_made_by_sums_of_any_two)
{
	uint64_t seed = 7;
	struct histogram_sum s = { 0 };
	for (int i = 0; i < 20000; i++) {
		auto_free struct float_histogram *a = random_histogram(&seed), *b = random_histogram(&seed);
		histogram_sum_set(&s, a);
		CHECK(histogram_sum_add(&s, b) >= 0);
		CHECK(s.value.count == a->count + b->count);
		CHECK(sum_of_buckets(&s.value) == s.value.count);
		histogram_sum_compact(&s);
		CHECK(sum_of_buckets(&s.value) == s.value.count);

		/* It is the same in either order, and with compensation. */
		int noted;
		auto_free struct float_histogram *other_way = float_histogram_add(b, a, &noted);
		CHECK(float_histogram_is_equal(other_way, &s.value));
		auto_free struct float_histogram *plain = float_histogram_copy(&s.value);
		histogram_sum_set(&s, a);
		CHECK(histogram_sum_add_exactly(&s, b) >= 0);
		histogram_sum_settle(&s);
		histogram_sum_compact(&s);
		CHECK(float_histogram_is_equal(plain, &s.value));

		/* And what was added can be taken away. */
		CHECK(histogram_sum_sub(&s, b) >= 0);
		CHECK(s.value.count == a->count && s.value.sum == a->sum);
		histogram_sum_sub(&s, a);
		histogram_sum_compact(&s);
		CHECK(s.value.count == 0 && s.value.sum == 0);
		CHECK_INT(s.value.n_positive + s.value.n_negative, 0);
	}
	histogram_sum_fini(&s);
}

TEST(a_lower_resolution_keeps_every_count)
{
	uint64_t seed = 11;
	for (int i = 0; i < 5000; i++) {
		auto_free struct float_histogram *h = random_histogram(&seed);
		struct histogram_sum s = { 0 }, twice = { 0 };
		histogram_sum_set(&s, h);
		histogram_sum_set(&twice, h);
		histogram_sum_reduce(&s, -4);
		histogram_sum_reduce(&twice, h->schema - 1);
		histogram_sum_reduce(&twice, -4);
		CHECK_INT(s.value.schema, -4);
		CHECK(sum_of_buckets(&s.value) == h->count);
		CHECK(float_histogram_is_equal(&s.value, &twice.value));
		histogram_sum_fini(&s);
		histogram_sum_fini(&twice);
	}
}

TEST(a_sum_that_grew_over_the_largest_double_says_so)
{
	auto_free struct float_histogram *h = histogram_of("{{count:1 sum:1e308 buckets:[1 1e308]}}");
	struct histogram_sum s = { 0 };
	histogram_sum_set(&s, h);
	CHECK(!histogram_sum_has_overflow(&s));
	histogram_sum_add_exactly(&s, h);
	CHECK(histogram_sum_has_overflow(&s));
	histogram_sum_fini(&s);
}

TEST_MAIN()
