/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/rate_batch.h"

#include "lib/promql/extrapolate.h"
#include "tests/support/test.h"

#include <math.h>

#define SAMPLES 600
#define STEPS   300

struct made {
	int64_t t[SAMPLES], start[STEPS], end[STEPS];
	double v[SAMPLES];
	uint32_t lo[STEPS], hi[STEPS], resets[SAMPLES];
	size_t n_resets;
	struct range_input input;
	struct range_series s;
};

static double some_value(uint64_t *seed, double before)
{
	switch (test_random(seed) % 40) {
	case 0: return 0;
	case 1: return before / 2;
	case 2: return -before;
	case 3: return test_random(seed) % 8 ? before : INFINITY;
	case 4: return test_random(seed) % 8 ? before : NAN;
	case 5:
	case 6: return before;
	default: return before + (double)(test_random(seed) % 1000) / 8;
	}
}

/* Samples a quarter of a minute apart, or longer, and steps that see none of them, one, or many. */
static void make(struct made *m, uint64_t *seed)
{
	*m = (struct made){ .input.range_ms = (int64_t)(1 + test_random(seed) % 600) * 1000 };
	int64_t t = 1700000000000, step = (int64_t)(1 + test_random(seed) % 120) * 500;
	double v = (double)(test_random(seed) % 3) * 1000;
	size_t n = test_random(seed) % (SAMPLES + 1);
	bool is_calm = test_random(seed) % 2; /* hardly ever a reset, so that many steps together have none */
	for (size_t k = 0; k < n; k++) {
		t += 14995 + (int64_t)(test_random(seed) % 11) +
		     (test_random(seed) % 20 ? 0 : (int64_t)(test_random(seed) % 900000));
		m->t[k] = t;
		m->v[k] = v = is_calm && test_random(seed) % 100 ? v + 1 : some_value(seed, v);
		m->resets[m->n_resets] = (uint32_t)k;
		m->n_resets += k && m->v[k] < m->v[k - 1];
	}
	for (uint32_t i = 0; i < STEPS; i++) {
		m->end[i] = 1700000000000 + 500 * (int64_t)(test_random(seed) % 2) + step * i;
		m->start[i] = m->end[i] - m->input.range_ms;
		while (m->hi[i] < n && m->t[m->hi[i]] <= m->end[i])
			m->hi[i]++;
		while (m->lo[i] < m->hi[i] && m->t[m->lo[i]] <= m->start[i])
			m->lo[i]++;
	}
	m->s = (struct range_series){
		.input = &m->input,
		.n = STEPS,
		.start = m->start,
		.end = m->end,
		.f = { .t = m->t, .v = m->v, .n = n, .lo = m->lo, .hi = m->hi },
	};
}

static double plain(const struct made *m, uint32_t i, bool is_counter, bool is_rate)
{
	uint32_t lo = m->lo[i], last = m->hi[i] - 1;
	double change = m->v[last] - m->v[lo];
	for (size_t k = 0; is_counter && k < m->n_resets; k++)
		if (m->resets[k] > lo && m->resets[k] <= last)
			change += m->v[m->resets[k] - 1];
	double factor = extrapolate(
		m->t[lo], m->t[last], last + 1 - lo, m->start[i], m->end[i], m->v[lo], change, is_counter);
	return change * (is_rate ? factor / ((double)m->input.range_ms / 1000) : factor);
}

static bool is_same(double x, double y)
{
	return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y));
}

static void compare(const struct made *m, bool is_counter, bool is_rate, size_t *compared)
{
	double v[STEPS];
	uint8_t kind[STEPS] = { 0 };
	struct row row = { .v = v, .kind = kind, .n = STEPS };
	CHECK(rate_batch_can(&m->s));
	rate_batch(&m->s, m->resets, is_counter ? m->n_resets : 0, is_counter, is_rate, &row);
	for (uint32_t i = 0; i < STEPS; i++) {
		CHECK_INT(kind[i], m->hi[i] - m->lo[i] >= 2 ? CELL_FLOAT : CELL_NONE);
		if (!kind[i])
			continue;
		++*compared;
		CHECK(is_same(v[i], plain(m, i, is_counter, is_rate)));
	}
}

TEST(rates_of_several_windows_have_the_bits_of_those_made_one_by_one)
{
	struct made *m = xmalloc(sizeof *m);
	size_t compared = 0;
	uint64_t seed = 1;
	for (int i = 0; i < 300; i++) {
		make(m, &seed);
		compare(m, true, true, &compared);
		compare(m, true, false, &compared);
		compare(m, false, false, &compared);
	}
	CHECK(compared > 20000);
	free(m);
}

TEST(a_series_without_two_samples_has_no_rates)
{
	struct made *m = xmalloc(sizeof *m);
	uint64_t seed = 2;
	size_t compared = 0;
	for (uint32_t n = 0; n < 2; n++) {
		make(m, &seed);
		m->s.f.n = n;
		memset(m->lo, 0, sizeof m->lo);
		for (uint32_t i = 0; i < STEPS; i++)
			m->hi[i] = n;
		compare(m, true, true, &compared);
	}
	CHECK_INT(compared, 0);
	free(m);
}

TEST(windows_of_months_and_samples_with_start_times_are_left_to_others)
{
	struct made *m = xmalloc(sizeof *m);
	uint64_t seed = 3;
	make(m, &seed);
	m->input.range_ms = (int64_t)INT32_MAX;
	CHECK(rate_batch_can(&m->s));
	m->input.range_ms++;
	CHECK(!rate_batch_can(&m->s));
	m->input.range_ms = 60000;
	m->s.f.start = m->t;
	CHECK(!rate_batch_can(&m->s));
	free(m);
}

TEST_MAIN()
