/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/almost.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static bool is_stale_marker(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits == 0x7ff0000000000002ull;
}

bool is_almost(double a, double b, double epsilon)
{
	if (is_stale_marker(a) || is_stale_marker(b))
		return is_stale_marker(a) && is_stale_marker(b);
	if (isnan(a) && isnan(b))
		return true;
	if (a == b)
		return true;
	double sizes = fabs(a) + fabs(b), difference = fabs(a - b);
	if (a == 0 || b == 0 || sizes < DBL_MIN)
		return difference < epsilon * DBL_MIN;
	return difference / fmin(sizes, DBL_MAX) < epsilon;
}
