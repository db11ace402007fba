/* SPDX-License-Identifier: Apache-2.0 */
/* Native histograms as Prometheus prints them. Each appends. */
#ifndef TSDB_HISTOGRAM_TEXT_H
#define TSDB_HISTOGRAM_TEXT_H

#include "lib/tsdb/float_histogram.h"

/* {count:3, sum:4.5, [-1,-0.5):1, [-0.001,0.001]:1, (0.5,1]:1}: as in messages and the values of count_values. */
void histogram_print(const struct float_histogram *h, struct buf *out);

/*
 * {"count":"3","sum":"4.5","buckets":[[1,"-1","-0.5","1"],...]}: as in the HTTP API's answers. A bucket's first number says which of
 * its bounds are in it: 0 the upper, 1 the lower, 2 neither, 3 both. Empty buckets are left out, and `buckets` where there is none.
 */
void histogram_print_json(const struct float_histogram *h, struct buf *out);

/* {{schema:1 count:3 sum:4.5 buckets:[1 0 2]}}: as in test scripts. A hole that no script would have is "...". */
void histogram_print_test(const struct float_histogram *h, struct buf *out);

#endif
