/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/samples_order.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

static void add(struct samples *s, int64_t t, double v)
{
	samples_reserve(s, s->n + 1);
	s->t[s->n] = t;
	s->v[s->n++] = v;
}

TEST(what_rises_stays_as_it_is)
{
	struct samples s = { 0 };
	CHECK(!samples_order(&s, 0));
	for (int i = 0; i < 5; i++)
		add(&s, i, i);
	CHECK(!samples_order(&s, 0));
	CHECK_INT(s.n, 5);
	samples_fini(&s);
}

TEST(runs_are_merged_and_the_first_of_equal_times_stays)
{
	uint64_t seed = 5;
	for (unsigned round = 0; round < 500; round++) {
		struct samples s = { 0 };
		double first[50]; /* the value that came first for each time; -1: none */
		for (int i = 0; i < 50; i++)
			first[i] = -1;
		add(&s, 1000, 7); /* what stands before isn't looked at */
		size_t n = test_random(&seed) % 80, distinct = 0;
		for (size_t i = 0; i < n; i++) {
			int64_t t = (int64_t)(test_random(&seed) % 50);
			if (test_random(&seed) % 4 && s.n > 1 && s.t[s.n - 1] < 49)
				t = s.t[s.n - 1] + 1; /* runs */
			if (first[t] < 0) {
				first[t] = (double)i;
				distinct++;
			}
			add(&s, t, (double)i);
			if (round % 2)
				samples_set_start(&s, s.n - 1, 1000 + (int64_t)i);
		}
		samples_order(&s, 1);
		CHECK_INT(s.n, distinct + 1);
		CHECK_INT(s.t[0], 1000);
		for (size_t i = 1; i < s.n; i++) {
			CHECK(i == 1 || s.t[i] > s.t[i - 1]);
			CHECK(s.v[i] == first[s.t[i]]);
			CHECK(!s.start || s.start[i] == 1000 + (int64_t)s.v[i]);
		}
		samples_fini(&s);
	}
}

static struct float_histogram *histogram(double sum, enum reset_hint hint)
{
	struct float_histogram *h = xcalloc(1, sizeof *h);
	h->sum = sum;
	h->reset_hint = hint;
	return h;
}

TEST(a_histogram_with_another_one_before_it_says_nothing_of_resets)
{
	static const struct {
		int64_t t;
		enum reset_hint hint;
	} in[] = { { 10, RESET_YES }, { 20, RESET_NO }, { 30, RESET_NO }, { 15, RESET_NO }, { 20, RESET_NO },
		{ 25, RESET_GAUGE } };
	struct samples s = { 0 };
	samples_reserve(&s, 8);
	s.h = xcalloc(s.cap, sizeof(*s.h));
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		add(&s, in[i].t, (double)i);
		s.h[i] = histogram((double)i, in[i].hint);
	}
	CHECK(samples_order(&s, 0));
	static const struct {
		int64_t t;
		double from;
		enum reset_hint hint;
	} want[] = { { 10, 0, RESET_UNKNOWN }, { 15, 3, RESET_UNKNOWN }, { 20, 1, RESET_UNKNOWN },
		{ 25, 5, RESET_GAUGE }, { 30, 2, RESET_UNKNOWN } };
	CHECK_INT(s.n, ARRAY_LEN(want));
	for (size_t i = 0; i < s.n; i++) {
		CHECK_INT(s.t[i], want[i].t);
		CHECK(s.v[i] == want[i].from && s.h[i]->sum == want[i].from);
		CHECK_INT(s.h[i]->reset_hint, want[i].hint);
	}
	samples_fini(&s);
}

TEST_MAIN()
