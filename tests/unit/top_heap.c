/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/top_heap.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <math.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Seeded values, all different, in any order, with NaNs among them. */
TEST(the_best_stay_and_come_out_in_order)
{
	uint64_t seed = 5;
	for (uint32_t n = 1; n < 60; n++)
		for (uint32_t k = 1; k < 30; k += 3) {
			double v[60], numbers[60];
			uint32_t n_numbers = 0, had = 0, had_least = 0;
			struct top_entry greatest[30], least[30];
			for (uint32_t i = 0; i < n; i++) {
				v[i] = i % 7 == 6 ? NAN : (double)(test_random(&seed) >> 11);
				top_heap_push(greatest, &had, k, true, (struct top_entry){ v[i], i });
				top_heap_push(least, &had_least, k, false, (struct top_entry){ v[i], i });
				if (!isnan(v[i]))
					numbers[n_numbers++] = v[i];
			}
			qsort(numbers, n_numbers, sizeof *numbers, by_value);
			CHECK_INT(had, MIN_OF(n, k));
			CHECK_INT(had_least, had);
			top_heap_sort(greatest, had, true);
			top_heap_sort(least, had, false);
			for (uint32_t i = 0; i < had; i++) {
				CHECK(i < n_numbers ? greatest[i].v == numbers[n_numbers - 1 - i]
						    : isnan(greatest[i].v));
				CHECK(i < n_numbers ? least[i].v == numbers[i] : isnan(least[i].v));
			}
		}
}

/* As a heap of Go's keeps them: the first of equals is replaced first. */
TEST(of_equals_those_stay_that_stay_upstream)
{
	struct top_entry e[2];
	uint32_t n = 0;
	const double v[] = { 5, 5, 7 };
	for (uint32_t i = 0; i < 3; i++)
		top_heap_push(e, &n, 2, true, (struct top_entry){ v[i], i });
	top_heap_sort(e, n, true);
	CHECK(e[0].v == 7 && e[0].row == 2);
	CHECK(e[1].v == 5 && e[1].row == 1);
}

TEST_MAIN()
