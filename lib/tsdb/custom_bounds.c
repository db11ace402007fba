/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/custom_bounds.h"

bool custom_bounds_are_equal(const double *a, uint32_t n_a, const double *b, uint32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

uint32_t custom_bounds_common(const double *a, uint32_t n_a, const double *b, uint32_t n_b, double *out)
{
	uint32_t n = 0;
	for (uint32_t i = 0, k = 0; i < n_a && k < n_b;) {
		if (a[i] == b[k]) {
			out[n++] = a[i++];
			k++;
		} else if (a[i] < b[k]) {
			i++;
		} else {
			k++;
		}
	}
	return n;
}

void custom_bounds_pour(struct bucket_cursor c, const double *bounds, uint32_t n, const double *common,
	uint32_t n_common, double sign, double *counts, double *lost)
{
	uint32_t k = 0;
	while (bucket_cursor_next(&c)) {
		uint32_t number = c.number < 0 ? 0 : (uint32_t)c.number;
		while (k < n_common && (number >= n || !(common[k] >= bounds[number])))
			k++;
		kahan_add(&counts[k], &lost[k], sign * c.count);
		kahan_add(&counts[k], &lost[k], sign * c.count_lost);
	}
}
