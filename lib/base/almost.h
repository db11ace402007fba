/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two numbers are the same but for rounding, as Prometheus judges (util/almost). */
#ifndef BASE_ALMOST_H
#define BASE_ALMOST_H

#include <stdbool.h>

/* They differ by less than `epsilon` of the sum of their sizes, or are both a NaN; the stale marker is only near itself. */
bool is_almost(double a, double b, double epsilon);

#endif
