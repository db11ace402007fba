/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fleet.h"

#include "tests/support/test.h"

#define START   1700000000000
#define HOUR    3600000
#define SAMPLES 3000
#define STEP    15000

static const struct fleet_options options = { .seed = 7, .instances = 4, .histograms = true };

static double number(uint64_t bits)
{
	double d;
	memcpy(&d, &bits, sizeof d);
	return d;
}

static bool is_histogram(const struct fleet_series *s)
{
	return s->kind == FLEET_HISTOGRAM || s->kind == FLEET_FLOAT_HISTOGRAM;
}

TEST(a_value_depends_on_its_time_alone)
{
	struct fleet f = { 0 };
	static int64_t t[SAMPLES];
	static uint64_t v[SAMPLES];
	fleet_at(&options, "eu", START, START + HOUR, &f);
	CHECK(f.series.len > 700);
	vec_each (s, &f.series) {
		if (is_histogram(s))
			continue;
		for (int i = 0; i < SAMPLES; i++)
			t[i] = (s->from > START ? s->from : START) + i * 1003ll;
		fleet_values(s, t, SAMPLES, v);
		for (int i = 0; i < SAMPLES; i += 97) {
			uint64_t alone;
			fleet_values(s, &t[i], 1, &alone);
			CHECK(alone == v[i]);
		}
	}
	fleet_fini(&f);
}

TEST(counters_fall_at_restarts_only)
{
	struct fleet f = { 0 };
	static int64_t t[SAMPLES];
	static uint64_t v[SAMPLES];
	unsigned fell = 0, rose = 0;
	fleet_at(&options, "eu", START, START + HOUR, &f);
	vec_each (s, &f.series) {
		if (s->kind != FLEET_COUNTER)
			continue;
		for (int i = 0; i < SAMPLES; i++)
			t[i] = (s->from > START ? s->from : START) + (int64_t)i * STEP;
		fleet_values(s, t, SAMPLES, v);
		for (int i = 1; i < SAMPLES; i++) {
			bool restarts =
				s->restart_ms && (t[i] - s->restart_at_ms) / s->restart_ms !=
							 (t[i - 1] - s->restart_at_ms) / s->restart_ms;
			CHECK(number(v[i]) >= 0);
			CHECK(restarts || number(v[i]) >= number(v[i - 1]));
			fell += number(v[i]) < number(v[i - 1]);
			rose += number(v[i]) > number(v[i - 1]);
		}
	}
	CHECK(fell > 0 && rose > 10000);
	fleet_fini(&f);
}

TEST(histograms_count_what_their_buckets_hold)
{
	struct fleet f = { 0 };
	unsigned seen = 0;
	fleet_at(&options, "eu", START, START + HOUR, &f);
	vec_each (s, &f.series) {
		if (s->kind != FLEET_HISTOGRAM)
			continue;
		uint64_t last = 0, counts[FLEET_BUCKETS], sum;
		for (int64_t t = s->from; t < s->to && t < s->from + 2 * HOUR; t += STEP) {
			uint64_t count = fleet_histogram(s, t, counts, &sum), total = 0;
			for (int b = 0; b < FLEET_BUCKETS; b++)
				total += counts[b];
			CHECK(count == total && count >= last);
			last = count;
		}
		CHECK(last > 0);
		seen++;
	}
	CHECK(seen > 0);
	fleet_fini(&f);
}

static int by_labels(const void *a, const void *b)
{
	const struct fleet_series *x = a, *y = b;
	return labels_cmp(&x->labels, &y->labels);
}

TEST(ranges_made_one_by_one_have_the_series_of_the_whole)
{
	struct fleet whole = { 0 }, parts = { 0 };
	fleet_at(&options, "eu", START, START + 8 * HOUR, &whole);
	for (int h = 0; h < 8; h++)
		fleet_at(&options, "eu", START + (int64_t)h * HOUR, START + (h + 1ll) * HOUR, &parts);
	vec_sort(&whole.series, by_labels);
	vec_sort(&parts.series, by_labels);
	size_t at = 0;
	vec_each (s, &whole.series) {
		size_t copies = 0;
		for (; at < parts.series.len && labels_cmp(&parts.series.data[at].labels, &s->labels) == 0;
			at++) {
			CHECK(parts.series.data[at].from == s->from && parts.series.data[at].key == s->key);
			copies++;
		}
		CHECK(copies > 0);
	}
	CHECK_INT(at, parts.series.len);
	for (size_t i = 1; i < whole.series.len; i++)
		CHECK(labels_cmp(&whole.series.data[i - 1].labels, &whole.series.data[i].labels) < 0);
	fleet_fini(&whole);
	fleet_fini(&parts);
}

TEST_MAIN()
