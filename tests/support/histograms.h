/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms written down, as test scripts have them: {{schema:1 count:3 sum:4.5 z_bucket:1 buckets:[1 0 2] n_offset:-1 n_buckets:[1]}}. */
#ifndef TESTS_HISTOGRAMS_H
#define TESTS_HISTOGRAMS_H

#include "lib/tsdb/float_histogram.h"

/* One that this text describes; aborts where it describes none. free() it. */
struct float_histogram *histogram_of(const char *text);

/*
 * The one that *p begins with, which is moved behind it; *has_hint: its reset hint is written, too. free() it. NULL, with the reason,
 * where there is none.
 */
struct float_histogram *histogram_read(const char **p, bool *has_hint, struct err *e);

#endif
